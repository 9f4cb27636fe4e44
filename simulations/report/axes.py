"""The axes of charts against ε: a logarithmic one across, a linear one down."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self

from crypto.dp.bound import rounded_up
from simulations.report.chart import LEFT, PLOT_HEIGHT, RIGHT, Tick, round_steps
from simulations.report.record import Figure

# Inside the plot, in rem: below it is room for the axes' texts.
TOP, BOTTOM = 1.0, PLOT_HEIGHT - 2.2
NO_BOUND_TEXT = "no bound"


@dataclass(frozen=True)
class EpsilonAxis:
    """A log axis for ε from ``LEFT`` to ``right``; what has no bound stands apart at its end."""

    low: float
    high: float
    unbounded: bool
    right: float = RIGHT

    @classmethod
    def over(cls, places: Collection[float], *, right: float = RIGHT) -> Self:
        """An axis that holds these ε; infinity is no bound."""
        bounded = [math.log(max(place, 1e-6)) for place in places if not math.isinf(place)]
        low, high = (min(bounded), max(bounded)) if bounded else (0.0, 0.0)
        margin = 0.12 * (high - low) or 1.0
        unbounded = any(math.isinf(place) for place in places)
        return cls(low - margin, high + margin, unbounded, right)

    def place(self, epsilon: float) -> float:
        """Percent across."""
        if math.isinf(epsilon):
            return self.right - 4.0
        end = self.right - 14.0 if self.unbounded else self.right
        where = (math.log(max(epsilon, 1e-6)) - self.low) / (self.high - self.low)
        return LEFT + where * (end - LEFT)

    def ticks(self, places: Collection[float]) -> tuple[Tick, ...]:
        """A tick under each ε, leaving out those too close to the one before."""
        found: list[Tick] = []
        for epsilon in sorted(places):
            place = self.place(epsilon)
            if found and place - found[-1].place < 12 * (self.right - LEFT) / (RIGHT - LEFT):
                continue
            text = NO_BOUND_TEXT if math.isinf(epsilon) else f"{rounded_up(epsilon):g}"
            found.append(Tick(place=place, text=text))
        return tuple(found)


@dataclass(frozen=True)
class QualityAxis:
    """A linear axis that holds every interval; it need not start at 0."""

    low: float
    high: float

    @classmethod
    def over(cls, figures: Sequence[Figure]) -> Self:
        """An axis that holds these figures with their intervals."""
        low = min(min(figure.low, figure.value) for figure in figures)
        high = max(max(figure.high, figure.value) for figure in figures)
        margin = 0.1 * (high - low) or 0.01
        return cls(low - margin, high + margin)

    def place(self, value: float) -> float:
        """Rem down."""
        return BOTTOM - (value - self.low) / (self.high - self.low) * (BOTTOM - TOP)

    def ticks(self) -> tuple[Tick, ...]:
        """Round numbers, in rem down."""
        steps = round_steps(self.low, self.high)
        return tuple(Tick(place=self.place(value), text=text) for value, text in steps)
