"""The geometry of the drift page's charts: one small chart a measure, one line a policy.

Lines and bands are in the units of a square of side 100, drawn from its upper left corner and
stretched to the plot; ticks are percent down.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simulations.drift.measures import TITLES, UNITS
from simulations.report.chart import Tick, round_steps

SIDE: Final = 100.0
PLOT: Final = 9.0  # rem
AXIS: Final = 1.6


@dataclass(frozen=True, kw_only=True)
class Line:
    """A policy's curve and its band, as lists of points; ``style`` picks colour and dashes."""

    style: int
    points: str
    band: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One measure over the weeks."""

    title: str
    unit: str
    description: str
    lines: tuple[Line, ...]
    across: tuple[Tick, ...]
    down: tuple[Tick, ...]
    height: float = PLOT + AXIS


def charts(record: Mapping[str, Any]) -> list[Chart]:
    """Every measure that some policy has, in the order of ``TITLES``."""
    curves = record["curves"]
    return [
        _chart(name, {p: table[name] for p, table in curves.items() if name in table}, curves)
        for name in TITLES
        if any(name in table for table in curves.values())
    ]


def _chart(name: str, found: Mapping[str, Any], policies: Mapping[str, Any]) -> Chart:
    low = min(min(curve["low"]) for curve in found.values())
    high = max(max(curve["high"]) for curve in found.values())
    margin = 0.06 * (high - low) or 0.01
    low, high = low - margin, high + margin
    weeks = len(next(iter(found.values()))["mean"])

    def points(values: Sequence[float]) -> list[str]:
        return [
            f"{SIDE * week / (weeks - 1):.2f},{SIDE * (high - value) / (high - low):.2f}"
            for week, value in enumerate(values)
        ]

    order = list(policies)
    told = "; ".join(
        f"{policy} from {curve['mean'][0]:.3g} to {curve['mean'][-1]:.3g}"
        for policy, curve in found.items()
    )
    return Chart(
        title=TITLES[name],
        unit=UNITS[name],
        description=f"Weeks 1 to {weeks}, {UNITS[name]}: {told}.",
        lines=tuple(
            Line(
                style=order.index(policy) + 1,
                points=" ".join(points(curve["mean"])),
                band=" ".join([*points(curve["high"]), *reversed(points(curve["low"]))]),
            )
            for policy, curve in found.items()
        ),
        across=_weeks(weeks),
        down=tuple(
            Tick(place=SIDE * (high - value) / (high - low), text=text)
            for value, text in round_steps(low, high)
        ),
    )


def _weeks(weeks: int) -> tuple[Tick, ...]:
    middle = (weeks + 1) // 2
    return (
        Tick(place=0.0, text="week 1", anchor="start"),
        Tick(place=SIDE * (middle - 1) / (weeks - 1), text=str(middle)),
        Tick(place=SIDE, text=str(weeks), anchor="end"),
    )
