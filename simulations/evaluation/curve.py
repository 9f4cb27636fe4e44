"""Quality against ε: the recommender's curve with intervals, and what it is measured against.

Models that share nothing under a budget (rivals that see all data, a shopper's own top list) are
level lines. Which of them a chart shows is chosen here, so that a reader sees the few that matter.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from string import ascii_lowercase

from simulations.report import words
from simulations.report.axes import BOTTOM, TOP, EpsilonAxis, QualityAxis
from simulations.report.chart import LEFT, PLOT_HEIGHT, Tick
from simulations.report.record import Figure, Values, figure

# Percent across; right of it stand the names of the level lines.
RIGHT = 74.0
# Rem between two names.
LINE = 1.15
# The level lines of a chart, at most so many: the best rivals, and what costs no privacy at all.
LEVELS = 5


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One budget's figure: percent across, rem down."""

    across: float
    down: float
    top: float
    bottom: float


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A piece of the curve between two budgets."""

    start: Mark
    end: Mark


@dataclass(frozen=True, kw_only=True)
class Level:
    """A model that has no budget: a line at ``down`` (rem) and its name at ``text_down``.

    ``letter`` stands for the name where there is no room for it.
    """

    letter: str
    name: str
    text: str
    down: float
    text_down: float


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A chart of one metric against ε."""

    title: str
    description: str
    marks: tuple[Mark, ...]
    segments: tuple[Segment, ...]
    levels: tuple[Level, ...]
    across: tuple[Tick, ...]
    down: tuple[Tick, ...]
    left: float = LEFT
    right: float = RIGHT
    height: float = PLOT_HEIGHT


def against_epsilon(
    models: Mapping[str, Values],
    budgets: Mapping[str, float | None],
    *,
    metric: str,
    title: str,
    levels: Sequence[str] | None = None,
) -> Curve | None:
    """The curve of one metric; None where fewer than two budgets were measured.

    Args:
        models: name to metrics with intervals.
        budgets: the recommender's models, name to ε; None for no bound.
        metric: which one.
        title: in words.
        levels: the models to compare with; None for the best ``LEVELS``.
    """
    found = {name: figure(models[name], metric) for name in budgets if name in models}
    placed = {
        math.inf if (epsilon := budgets[name]) is None else epsilon: value
        for name, value in found.items()
        if value is not None
    }
    if len(placed) < 2:
        return None
    others = _others(models, budgets, metric, levels)
    across = EpsilonAxis.over(placed, right=RIGHT)
    down = QualityAxis.over([*placed.values(), *(_point(value) for value in others.values())])
    marks = [_mark(across.place(epsilon), placed[epsilon], down) for epsilon in sorted(placed)]
    bounded = [m for epsilon, m in zip(sorted(placed), marks, strict=True) if epsilon < math.inf]
    return Curve(
        title=title,
        description=_told(placed, others),
        marks=tuple(marks),
        segments=tuple(Segment(start=start, end=end) for start, end in pairwise(bounded)),
        levels=_levels(others, down),
        across=across.ticks(placed),
        down=down.ticks(),
    )


def _others(
    models: Mapping[str, Values],
    budgets: Mapping[str, float | None],
    metric: str,
    wanted: Sequence[str] | None,
) -> dict[str, float]:
    """Model to its mean, best first."""
    means = {
        name: value.value
        for name, values in models.items()
        if name not in budgets
        and (wanted is None or name in wanted)
        and (value := figure(values, metric)) is not None
    }
    best = sorted(means, key=lambda name: -means[name])[:LEVELS]
    return {name: means[name] for name in best}


def _point(value: float) -> Figure:
    return Figure(value=value, low=value, high=value)


def _mark(across: float, value: Figure, down: QualityAxis) -> Mark:
    return Mark(
        across=across,
        down=down.place(value.value),
        top=down.place(value.high),
        bottom=down.place(value.low),
    )


def _levels(others: Mapping[str, float], down: QualityAxis) -> tuple[Level, ...]:
    """Level lines from the top, their names moved down or up until none covers another."""
    places = [down.place(value) for value in others.values()]
    return tuple(
        Level(letter=letter, name=name, text=words.score(value), down=place, text_down=text)
        for letter, (name, value), place, text in zip(
            ascii_lowercase, others.items(), places, _apart(places), strict=False
        )
    )


def _apart(places: Sequence[float]) -> list[float]:
    """Places from the top, at least ``LINE`` from each other and inside the plot."""
    found: list[float] = []
    for place in places:
        found.append(max(place, found[-1] + LINE) if found else max(place, TOP))
    limit = BOTTOM
    for number in range(len(found) - 1, -1, -1):
        found[number] = min(found[number], limit)
        limit = found[number] - LINE
    return found


def _told(placed: Mapping[float, Figure], others: Mapping[str, float]) -> str:
    ours = [
        f"{'no bound' if math.isinf(epsilon) else f'ε {epsilon:g}'} {words.score(value.value)}, "
        f"interval {words.interval(value)}"
        for epsilon, value in sorted(placed.items())
    ]
    told = f"fedcart: {'; '.join(ours)}."
    if others:
        listed = "; ".join(f"{name} {words.score(value)}" for name, value in others.items())
        told += f" Without a budget: {listed}."
    return told
