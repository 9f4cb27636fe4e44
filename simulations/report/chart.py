"""The geometry of the report's charts; ``templates/charts.html`` draws it.

Horizontal places are percentages of the chart's width and vertical ones are ``rem``, so text keeps
its size on every screen and grows with the reader's font.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

FULL = 100.0
_NICE = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)

# rem
ROW = 2.9
AXIS = 1.8
BAR_TOP, BAR_HEIGHT = 1.45, 0.9
PLOT_HEIGHT = 13.0
# The ends of a plot in percent: left of it stand the texts of its axis.
LEFT, RIGHT = 14.0, 96.0


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A labelled place on an axis, in percent; ``anchor`` keeps end labels inside."""

    place: float
    text: str
    anchor: str = "middle"


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar.

    Attributes:
        label, text, detail: its name, its value, and what is added where there is room.
        width: percent of the axis.
        low, high: ends of the whisker in percent, or None.
        strong: whether it is the one that the chart is about.
    """

    label: str
    text: str
    detail: str = ""
    width: float
    low: float | None = None
    high: float | None = None
    strong: bool = False


@dataclass(frozen=True, kw_only=True)
class Bars:
    """A horizontal bar chart on an axis from 0."""

    title: str
    description: str
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    limit: float | None = None
    limit_text: str = ""

    @property
    def height(self) -> float:
        """Of the whole drawing, in rem."""
        return ROW * len(self.bars) + (AXIS if self.ticks else 0.0)


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A piece of a stacked bar, in percent; ``kind`` picks its colour."""

    kind: str
    start: float
    width: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One stacked bar with its name and total."""

    label: str
    text: str
    segments: tuple[Segment, ...]
    zero: float = 0.0


class Key(NamedTuple):
    """An entry of a legend: "line" or "area", the class that it is drawn with, and its name."""

    shape: str
    kind: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Stacks:
    """Stacked bars on one axis; ``legend`` names each kind."""

    title: str
    description: str
    stacks: tuple[Stack, ...]
    legend: tuple[Key, ...]

    @property
    def height(self) -> float:
        """Of the whole drawing, in rem."""
        return ROW * len(self.stacks)


@dataclass(frozen=True, kw_only=True)
class Point:
    """A run's place: percent across, rem down; ``shift`` (rem) sets equal places side by side."""

    label: str
    across: float
    down: float
    top: float
    bottom: float
    shift: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Scatter:
    """Points with vertical whiskers."""

    title: str
    description: str
    points: tuple[Point, ...]
    across: tuple[Tick, ...]
    down: tuple[Tick, ...]
    left: float = LEFT
    right: float = RIGHT
    height: float = PLOT_HEIGHT


def nice_ceiling(value: float) -> float:
    """The next round number at or above ``value``; 1 for what is not above 0."""
    if not value > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    # Rounding noise must not push a round number to the next one.
    return next(nice for each in _NICE if (nice := each * power) >= value * (1 - 1e-12))


def round_steps(low: float, high: float) -> tuple[tuple[float, str], ...]:
    """Round numbers from ``low`` to ``high``, two to seven of them, each with its text.

    Args:
        low: the lower end of an axis.
        high: the upper end, above ``low``.
    """
    widest = (high - low) / 2.5
    power = 10.0 ** math.floor(math.log10(widest))
    step = max(each * power for each in (1.0, 2.0, 5.0) if each * power <= widest)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple((step * each, f"{step * each:.{digits}f}") for each in range(first, last + 1))


def axis(top: float) -> tuple[Tick, ...]:
    """Ticks at 0, half and the end of an axis that ends at ``top``."""
    return (
        Tick(place=0.0, text="0", anchor="start"),
        Tick(place=FULL / 2, text=f"{top / 2:g}"),
        Tick(place=FULL, text=f"{top:g}", anchor="end"),
    )


def share(value: float, whole: float) -> float:
    """``value`` as a percentage of ``whole``, inside the drawing; 0 of nothing is 0."""
    return min(max(FULL * value / whole, 0.0), FULL) if whole > 0 else 0.0


def stack(
    label: str, text: str, parts: Sequence[tuple[str, float, str]], *, reach: tuple[float, float]
) -> Stack:
    """Parts (kind, value, text) laid end to end; negative ones go left from zero.

    Args:
        label: the name to print.
        text: the total to print.
        parts: kind, value and text of each.
        reach: the axis: the most that any stack goes below 0 (as a number ≥ 0), and above.
    """
    below, above = reach
    span = below + above
    zero = share(below, span)
    left = right = zero
    segments = []
    for kind, value, told in parts:
        width = share(abs(value), span)
        if value < 0:
            left -= width
        segments.append(
            Segment(kind=kind, start=left if value < 0 else right, width=width, text=told)
        )
        if value > 0:
            right += width
    return Stack(label=label, text=text, segments=tuple(segments), zero=zero)


def reach(stacks: Iterable[Iterable[float]]) -> tuple[float, float]:
    """How far stacks of these values go below and above 0."""
    below = above = 0.0
    for values in stacks:
        listed = list(values)
        below = max(below, -sum(value for value in listed if value < 0))
        above = max(above, sum(value for value in listed if value > 0))
    return below, above
