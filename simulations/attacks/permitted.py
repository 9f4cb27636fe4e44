"""What a plan permits an adversary: the least that its (ε, δ) allow, over every δ.

A mechanism's Rényi divergences give an ε for every δ, and a record states one pair. At a fair coin
a larger δ with a smaller ε often permits less, so attacks are held to the least of the whole curve:
noise that is too small by a third shows, which the stated pair alone would let pass.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from crypto.dp.accounting import epsilon
from simulations.attacks.audited import AuditedRelease
from simulations.report import words

_DELTAS: Final = np.geomspace(1e-6, 0.5, 41)


class Measure(Protocol):
    """A figure that (ε, δ) bounds, such as ``statistics.permitted_accuracy``."""

    def __call__(self, *, epsilon: float, delta: float) -> float:
        """The most that the pair permits."""
        ...


@dataclass(frozen=True, kw_only=True)
class Permitted:
    """The most that an adversary may reach.

    Attributes:
        least: over the whole curve, the stated pair among it.
        stated: at the stated pair alone.
        delta: where ``least`` is.
    """

    least: float
    stated: float
    delta: float

    @property
    def told(self) -> str:
        """Where the bound comes from, in words."""
        if self.least == self.stated:
            return f"(ε, δ) as stated, at δ = {words.delta(self.delta)}"
        return (
            f"(ε, δ) of the plan at δ = {self.delta:.2g}, where they permit least; at the stated "
            f"pair {self.stated:.3f}"
        )


def permitted(
    releases: Iterable[AuditedRelease], measure: Measure, *, stated: tuple[float, float]
) -> Permitted:
    """The most that ``measure`` may be for all the releases together.

    Args:
        releases: what was released. Where noise is correlated over rounds, only the stated pair
            is used: the curve of one round alone says nothing then.
        measure: from (ε, δ) to the most it permits.
        stated: (ε, δ) of all of them together, as their record says.
    """
    claim, delta = stated
    at_stated = measure(epsilon=claim, delta=delta)
    plans = [release.plan for release in releases]
    if any(plan.bands > 1 for plan in plans):
        return Permitted(least=at_stated, stated=at_stated, delta=delta)
    described = [plan.release for plan in plans]

    def at(some: float) -> float:
        return measure(epsilon=epsilon(described, delta=some), delta=some)

    return _least(at, at_stated, delta)


def _least(at: Callable[[float], float], stated: float, delta: float) -> Permitted:
    found = {float(some): at(float(some)) for some in _DELTAS} | {delta: stated}
    best = min(found, key=found.__getitem__)
    return Permitted(least=found[best], stated=stated, delta=best)
