"""What a run's record says in sentences: alarms first, then the headline and the notes."""

from collections.abc import Mapping
from dataclasses import dataclass

from simulations.report import words
from simulations.report.record import FEDCART, Figure, Metrics, figure

SEALED = "full"
OFF = "PRIVACY IS OFF"
UNSEALED = "SUMS WERE NOT SEALED"
MAIN_METRIC = "ndcg@10"
MAIN_BASELINE = "personal + global top"
_MINUS = f"{MAIN_METRIC} minus "


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Something that no reader may miss."""

    title: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A number that stands at the top, with what it is."""

    value: str
    text: str
    alarming: bool = False


def privacy_off(metrics: Metrics) -> bool:
    """Whether any release came without a bound; the record's own warning is enough."""
    bounds = [metrics.privacy.epsilon, *(task.epsilon for task in metrics.tasks.values())]
    return (
        None in bounds
        or not metrics.privacy.noise_multiplier
        or any(warning.startswith(OFF) for warning in metrics.warnings)
    )


def unsealed(metrics: Metrics) -> tuple[str, ...]:
    """The tasks whose vectors were not fully sealed."""
    return tuple(name for name, task in metrics.tasks.items() if task.sealing != SEALED)


def alarms(metrics: Metrics) -> tuple[Alarm, ...]:
    """Everything that puts the promise in question."""
    found = []
    if privacy_off(metrics):
        found.append(
            Alarm(
                title="Privacy is off",
                text="The sums carry no noise that bounds what they tell, so the released models "
                "may reveal shoppers. Research only.",
            )
        )
    if bare := unsealed(metrics):
        told = words.listed([f"{name} (sealing: {metrics.tasks[name].sealing})" for name in bare])
        found.append(
            Alarm(
                title="Not sealed",
                text="Whoever ran this could read the vectors of single shoppers in the sums of: "
                f"{told}.",
            )
        )
    if late := metrics.consent.aggregated_after_withdrawal:
        found.append(
            Alarm(
                title="Withdrawals were not honoured",
                text=f"{words.plural(late, 'grant')} went into a sum although the shopper had "
                "withdrawn before. This is a fault; don't use the models.",
            )
        )
    spent, budget = metrics.privacy.epsilon, metrics.privacy.budget
    if spent is not None and budget is not None and spent > budget:
        found.append(
            Alarm(
                title="Over budget",
                text=f"{words.bound(spent)} was spent of a budget of {budget:g}.",
            )
        )
    return tuple(found)


def headline(metrics: Metrics) -> tuple[str, ...]:
    """The run in a few sentences."""
    told = (_who(metrics), _spent(metrics), _bought(metrics))
    time = f"The run took {words.seconds(metrics.cost.seconds)}."
    return (*(sentence for sentence in told if sentence), time)


def _who(metrics: Metrics) -> str:
    consent, tasks = metrics.consent, metrics.tasks.values()
    if not tasks:
        return "No task was released, so nobody's data took part."
    clients = words.between([task.clients for task in tasks])
    shoppers = words.between([task.shoppers for task in tasks])
    rounds = words.plural(len(tasks), "round")
    return (
        f"{clients} clients, standing for {shoppers} shoppers, took part in {rounds}, each shopper "
        f"under her own consent: of {words.count(consent.asked)} asked, "
        f"{words.count(consent.granted)} agreed to train shared models and "
        f"{words.count(consent.refused)} did not."
    )


def _spent(metrics: Metrics) -> str:
    if not metrics.tasks:
        return ""
    if privacy_off(metrics):
        return "Nothing bounds what the released models tell about a shopper."
    return (
        f"Everything they shared in total costs each shopper at most "
        f"{words.bound(metrics.privacy.epsilon)} (δ = {words.delta(metrics.privacy.delta)})."
    )


def _bought(metrics: Metrics) -> str:
    ours = metrics.figure(FEDCART, MAIN_METRIC)
    theirs = metrics.figure(MAIN_BASELINE, MAIN_METRIC)
    if ours is None or theirs is None:
        return "" if ours is None else f"It bought an NDCG@10 of {words.score(ours.value)}."
    gained = difference(metrics, MAIN_BASELINE)
    paired = f", over {words.plural(metrics.dataset.evaluated, 'shopper')}."
    if gained is not None:
        paired = f"{paired[:-1]}: {words.gain(gained, theirs)}."
    return (
        f"It bought an NDCG@10 of {words.score(ours.value)}, against {words.score(theirs.value)} "
        f"for {MAIN_BASELINE}{paired}"
    )


def facts(metrics: Metrics) -> tuple[Fact, ...]:
    """Up to four numbers for the top of the page."""
    off = privacy_off(metrics)
    late = metrics.consent.aggregated_after_withdrawal
    found = [
        Fact(
            value="no bound" if off else f"ε {words.epsilon(metrics.privacy.epsilon)}",
            text="for everything shared, per shopper",
            alarming=off,
        ),
        Fact(
            value=words.count(late),
            text="contributions summed after their shopper withdrew",
            alarming=late > 0,
        ),
        Fact(value=words.seconds(metrics.cost.seconds), text="from data to evaluation"),
    ]
    ours = metrics.figure(FEDCART, MAIN_METRIC)
    if ours is not None:
        text = "NDCG@10 of the next basket"
        found.insert(1, Fact(value=words.score(ours.value), text=text))
    return tuple(found)


def difference(metrics: Metrics, baseline: str, protocol: str | None = None) -> Figure | None:
    """NDCG@10 of fedcart minus a baseline, paired by shopper."""
    return metrics.figure(FEDCART, f"{_MINUS}{baseline}", protocol)


def differences(metrics: Metrics, protocol: str) -> tuple[str, ...]:
    """Every paired difference in words."""
    ours = metrics.quality[protocol].get(FEDCART, {})
    told = []
    for name in ours:
        found = figure(ours, name)
        if name.startswith(_MINUS) and found is not None:
            baseline = name.removeprefix(_MINUS)
            shown = metrics.figure(baseline, MAIN_METRIC, protocol)
            told.append(f"Against {baseline}: {words.gain(found, shown)}.")
    return tuple(told)


def behind(metrics: Metrics, protocol: str, panels: Mapping[str, str]) -> tuple[str, ...]:
    """The charts in which another model's mean is above fedcart's, in words."""
    told = []
    for metric, title in panels.items():
        ours = metrics.figure(FEDCART, metric, protocol)
        others = {
            model: found.value
            for model in metrics.quality[protocol]
            if (found := metrics.figure(model, metric, protocol)) is not None
        }
        if ours is not None and (best := max(others, key=others.__getitem__)) != FEDCART:
            told.append(
                f"{title}: {best} is ahead of fedcart, {words.score(others[best])} against "
                f"{words.score(ours.value)}."
            )
    return tuple(told)


def plain_sum(metrics: Metrics) -> float:
    """What the tasks' ε would come to if they were simply added."""
    return sum(task.epsilon or 0.0 for task in metrics.tasks.values())


def notes(metrics: Metrics) -> tuple[str, ...]:
    """Warnings that are neither in the banner nor among the tasks left out, and the data's note."""
    left_out = {f"{name}: {why}" for name, why in metrics.left_out.items()}
    others = [
        warning
        for warning in metrics.warnings
        if not warning.startswith((OFF, UNSEALED)) and warning not in left_out
    ]
    data = [metrics.dataset.note] if metrics.dataset.note else []
    return tuple(dict.fromkeys([*others, *data]))
