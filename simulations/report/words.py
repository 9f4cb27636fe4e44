"""Numbers and names as people read them. Every ε is rounded up, so that what is read holds."""

from collections.abc import Iterable, Mapping, Sequence

from crypto.dp.bound import told
from simulations.report.record import Figure

NO_BOUND = "none"
PERCENT = "\N{NO-BREAK SPACE}%"
_KILO = 1000
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

PHASES = {
    "load": "reading the data",
    "start": "starting services",
    "enrol": "enrolling clients",
    "train": "training rounds",
    "withdraw": "clients carry out withdrawals",
    "evaluate": "evaluation",
    "select": "choosing the cohort",
    "contribute": "clients compute, seal and send",
    "repair": "stores seal again",
    "commit": "freezing the list of grants",
    "reserve": "reserving the budget",
    "add": "adding sealed vectors",
    "open": "key holders open the sum",
    "finish": "making the model",
}
PARTS = {
    "habit": "her habit",
    "popular": "popular",
    "paired": "bought with what she buys",
    "liked": "a category she likes",
    "rhythm": "when she is due to buy it again",
    "context": "the day, the hour or the place",
}
TASKS = {
    "item-item": "item-item",
    "factors": "tastes that many share",
    "federated-evaluation": "quality, measured on devices",
    "group-fairness": "fairness between groups",
}
PURPOSES = {
    "personalise-on-device": "recommendations on her device",
    "train-shared-models": "training shared models",
}
# What a metric says, by the beginning of its name.
TERMS = {
    "hr": "HR: share of shoppers whose held-out item is in the list.",
    "ndcg": "NDCG: hits, worth more near the top, against the best possible list.",
    "recall": "Recall: share of the basket found.",
    "phr": "PHR: share of shoppers with at least one hit.",
    "recall_repeat": "Repeats and explores: the part of the basket that the shopper had, or had "
    "not, bought before.",
    "ndcg_new": "New only: a list of what she never bought, against the explores.",
    "repeat_share": "Repeats in list: share of the list that she had bought before.",
}
DECISIONS = {"given": "yes", "refused": "no", "withdrawn": "withdrawn"}


def epsilon(value: float | None) -> str:
    """ε to three digits, rounded up; "none" where there is no bound."""
    return NO_BOUND if value is None else told(value)


def bound(value: float | None) -> str:
    """ε in a sentence ("ε = 0.552"), kept on one line."""
    return f"ε\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{epsilon(value)}"


def delta(value: float | None) -> str:
    """δ as a power of ten: "10⁻⁵"."""
    if value is None:
        return NO_BOUND
    mantissa, _, power = f"{value:.3g}".partition("e")
    if not power:
        return mantissa
    raised = f"10{str(int(power)).translate(_RAISED)}"
    return raised if mantissa == "1" else f"{mantissa}·{raised}"


def score(value: float) -> str:
    """A quality figure."""
    return f"{value:.3f}"


def interval(figure: Figure) -> str:
    """The 95 % interval of a quality figure."""
    return f"{figure.low:.3f} to {figure.high:.3f}"


def count(value: int) -> str:
    """A whole number with separators."""
    return f"{value:,}"


def between(values: Sequence[int]) -> str:
    """The range of some counts: "650 to 653", or "650" where all agree."""
    low, high = min(values), max(values)
    return count(low) if low == high else f"{count(low)} to {count(high)}"


def percent(part: float, whole: float) -> str:
    """A share, or a dash where there is nothing to have a share of."""
    return f"{100 * part / whole:.1f}{PERCENT}" if whole > 0 else "–"


def seconds(value: float) -> str:
    """A duration: milliseconds below a second, minutes from two on."""
    if value < 1:
        return f"{1000 * value:.0f} ms"
    if value < 120:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s"


def size(value: float) -> str:
    """Bytes in decimal units."""
    if value < _KILO:
        return f"{value:,.0f} bytes"
    if value < _KILO**2:
        return f"{value / _KILO:,.1f} kB"
    return f"{value / _KILO**2:,.1f} MB"


def plural(value: int, one: str, many: str | None = None) -> str:
    """A count with its noun."""
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def listed(names: Sequence[object]) -> str:
    """Names as a list in a sentence: "1, 2 and 3"."""
    texts = [str(name) for name in names]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def spaced(name: str) -> str:
    """An identifier as words."""
    return name.replace("-", " ").replace("_", " ")


def task(name: str) -> str:
    """A task's name as words."""
    return TASKS.get(name, spaced(name))


def named(name: str, names: Mapping[str, str]) -> str:
    """What a reader calls it; an unknown name stays as it is, in words."""
    return names.get(name, spaced(name))


def terms(metrics: Iterable[str]) -> str:
    """What each of these metrics says, once, in the order of ``TERMS``."""
    names = {name.partition("@")[0] for name in metrics}
    return " ".join(text for name, text in TERMS.items() if name in names)


def clear(difference: Figure) -> bool:
    """Whether the interval of a difference leaves 0 out."""
    return difference.low > 0 or difference.high < 0


def gain(difference: Figure, baseline: Figure | None) -> str:
    """A paired difference in words; says so when the interval can't tell the two apart."""
    if not clear(difference):
        return (
            f"no clear difference ({difference.value:+.4f}; 95{PERCENT} interval "
            f"{difference.low:+.4f} to {difference.high:+.4f}, which holds 0)"
        )
    side = "better" if difference.low > 0 else "worse"
    low, high = sorted((abs(difference.low), abs(difference.high)))
    relative = ""
    if baseline is not None and baseline.value > 0:
        relative = f"{100 * difference.value / baseline.value:+.1f}{PERCENT}; "
    return (
        f"{abs(difference.value):.4f} {side} ({relative}95{PERCENT} interval {low:.4f} to "
        f"{high:.4f})"
    )
