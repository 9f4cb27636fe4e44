"""The charts of one run, from its record."""

from collections.abc import Mapping
from dataclasses import dataclass

from simulations.report import words
from simulations.report.chart import (
    Bar,
    Bars,
    Key,
    Stack,
    Stacks,
    axis,
    nice_ceiling,
    reach,
    share,
    stack,
)
from simulations.report.record import FEDCART, Figure, Metrics, Recommended

PANELS = {
    "ndcg@10": "NDCG@10",
    "recall@10": "Recall@10",
    "recall_repeat@10": "Recall@10, repeats: what she had bought before",
    "recall_explore@10": "Recall@10, explores: what was new to her",
}
# A round's phases as its chart groups them; the table has each on its own.
ROUND = {
    "choosing the cohort": ("select",),
    "clients compute, seal and send": ("contribute",),
    "stores seal again": ("repair",),
    "grants, sum and opening": ("commit", "reserve", "add", "open", "finish"),
}
OTHER = "other"
_COLOURS = ("k3", "k1", "k2", "k4", "k5")


def quality(metrics: Metrics, protocol: str) -> tuple[Bars, ...]:
    """One chart a metric, a bar a model, each chart on its own axis."""
    charts = []
    for metric, title in PANELS.items():
        found = {
            model: figure
            for model in metrics.quality[protocol]
            if (figure := metrics.figure(model, metric, protocol)) is not None
        }
        if found:
            charts.append(_models(title, found))
    return tuple(charts)


def _models(title: str, figures: Mapping[str, Figure]) -> Bars:
    top = nice_ceiling(max(max(figure.high, figure.value) for figure in figures.values()))
    told = "; ".join(
        f"{model} {words.score(figure.value)}, 95{words.PERCENT} interval {words.interval(figure)}"
        for model, figure in figures.items()
    )
    return Bars(
        title=title,
        description=f"Mean over shoppers, by model: {told}.",
        bars=tuple(
            Bar(
                label=model,
                text=words.score(figure.value),
                detail=words.interval(figure),
                width=share(figure.value, top),
                low=share(figure.low, top),
                high=share(figure.high, top),
                strong=model == FEDCART,
            )
            for model, figure in figures.items()
        ),
        ticks=axis(top),
    )


def privacy(metrics: Metrics) -> Bars | None:
    """ε of each task alone and of everything together; None where there is no bound."""
    alone = {name: task.epsilon for name, task in metrics.tasks.items()}
    total, budget = metrics.privacy.epsilon, metrics.privacy.budget
    spent = {name: value for name, value in alone.items() if value is not None}
    if total is None or not spent or len(spent) < len(alone):
        return None
    # A little room, so that the budget's line does not stand on the edge.
    top = nice_ceiling(1.05 * max(*spent.values(), total, budget or 0.0))
    told = "; ".join(f"{name} {words.epsilon(value)}" for name, value in spent.items())
    bars = [
        Bar(label=words.task(name), text=words.epsilon(value), width=share(value, top))
        for name, value in spent.items()
    ]
    composed = Bar(
        label="everything together",
        text=words.epsilon(total),
        width=share(total, top),
        strong=True,
    )
    return Bars(
        title="Privacy loss ε per shopper",
        description=f"{told}; everything together {words.epsilon(total)}.",
        bars=(*bars, composed),
        ticks=axis(top),
        limit=None if budget is None else share(budget, top),
        limit_text="" if budget is None else f"Dashed lines: the budget, {budget:g}.",
    )


def funnel(metrics: Metrics) -> Bars:
    """Shoppers asked, agreeing, and in each task's sum."""
    consent = metrics.consent
    counts = {"asked": consent.asked, "agreed to train shared models": consent.granted} | {
        f"in the sum: {words.task(name)}": task.shoppers for name, task in metrics.tasks.items()
    }
    told = "; ".join(f"{label} {words.count(value)}" for label, value in counts.items())
    top = max(counts.values())
    return Bars(
        title="Shoppers, from the question to the sum",
        description=f"{told}.",
        bars=tuple(
            Bar(
                label=label,
                text=words.count(value),
                detail="" if label == "asked" else words.percent(value, consent.asked),
                width=share(value, top),
                strong=label.startswith("in the sum"),
            )
            for label, value in counts.items()
        ),
        ticks=(),
    )


def whole_run(metrics: Metrics) -> Stacks | None:
    """Seconds of the whole run, by phase."""
    phases = metrics.cost.seconds_by_phase
    order = [name for name in words.PHASES if name in phases]
    order += [name for name in phases if name not in words.PHASES]
    named = {words.named(name, words.PHASES): phases[name] for name in order}
    return _stacks("The whole run, by phase", {"whole run": named}) if named else None


def rounds(metrics: Metrics) -> Stacks | None:
    """Seconds of each task's round, by group of phases."""
    tasks = {
        words.task(name): _grouped(task.seconds_by_phase)
        for name, task in metrics.tasks.items()
        if task.seconds_by_phase
    }
    return _stacks("Each task's round, by phase", tasks) if tasks else None


def _grouped(phases: Mapping[str, float]) -> dict[str, float]:
    known = {name for members in ROUND.values() for name in members}
    groups = {
        group: sum(phases.get(name, 0.0) for name in members) for group, members in ROUND.items()
    }
    others = sum(value for name, value in phases.items() if name not in known)
    return groups | ({OTHER: others} if others else {})


def _stacks(title: str, rows: Mapping[str, Mapping[str, float]]) -> Stacks:
    kinds = list(dict.fromkeys(name for parts in rows.values() for name in parts))
    colours = {name: _COLOURS[place % len(_COLOURS)] for place, name in enumerate(kinds)}
    axis_reach = reach(parts.values() for parts in rows.values())
    told = ". ".join(
        f"{label}: "
        + "; ".join(f"{name} {words.seconds(value)}" for name, value in parts.items() if value)
        for label, parts in rows.items()
    )
    return Stacks(
        title=title,
        description=f"{told}.",
        stacks=tuple(
            stack(
                label,
                words.seconds(sum(parts.values())),
                [(colours[n], v, f"{n}: {words.seconds(v)}") for n, v in parts.items() if v],
                reach=axis_reach,
            )
            for label, parts in rows.items()
        ),
        legend=tuple(Key("area", colours[name], _legend(name, rows)) for name in kinds),
    )


def _legend(name: str, rows: Mapping[str, Mapping[str, float]]) -> str:
    """A kind's name, with its value where there is only one bar to have it from."""
    if len(rows) > 1:
        return name
    (parts,) = rows.values()
    return f"{name} {words.seconds(parts[name])}"


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A recommendation with the bar of its score's parts, in words too."""

    recommended: Recommended
    bar: Stack
    told: str


def scored(recommendations: tuple[Recommended, ...]) -> tuple[Scored, ...]:
    """Every recommendation with its bar, all on one axis."""
    axis_reach = reach([part.value for part in each.parts] for each in recommendations)
    return tuple(_scored(each, axis_reach) for each in recommendations)


def score_legend(recommendations: tuple[Recommended, ...]) -> tuple[Key, ...]:
    """Colour and name of every kind of part that some recommendation has."""
    used = dict.fromkeys(part.kind for each in recommendations for part in each.parts)
    known = [kind for kind in words.PARTS if kind in used]
    names = [*known, *(kind for kind in used if kind not in words.PARTS)]
    return tuple(Key("area", _colour(kind), words.named(kind, words.PARTS)) for kind in names)


def _scored(each: Recommended, axis_reach: tuple[float, float]) -> Scored:
    parts = [
        (_colour(p.kind), p.value, f"{words.named(p.kind, words.PARTS)} {p.value:.2f}")
        for p in each.parts
    ]
    told = ", ".join(text for _, _, text in parts)
    return Scored(
        recommended=each,
        bar=stack(each.item, f"{each.score:.2f}", parts, reach=axis_reach),
        told=told,
    )


def _colour(kind: str) -> str:
    kinds = list(words.PARTS)
    return f"k{1 + kinds.index(kind)}" if kind in kinds else _COLOURS[-1]
