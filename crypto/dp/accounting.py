"""What a release costs: Rényi divergences of the Skellam mechanism, converted by dp-accounting.

Per release, for integer orders α >= 2 and Skellam noise of variance μ per coordinate,

    ε(α) <= αΔ₂² / 2μ + min{[(2α - 1)Δ₂² + 6Δ₁] / 4μ², 3Δ₁ / 2μ}

(Agarwal, Kairouz, Liu 2021, "The Skellam Mechanism", Theorem 3.5). Releases compose by adding
their ε(α); dp-accounting turns the sum into (ε, δ). Adjacency: zero-out, one shopper's vector
replaced by zero. Participation is full or fixed, so no amplification by sampling is claimed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

# Integer orders alone: the bound is stated for those.
ORDERS: Final = (*range(2, 129), *range(132, 257, 4), *range(272, 1025, 16))


@dataclass(frozen=True, kw_only=True)
class SkellamRelease:
    """A described release: variance μ and sensitivities, all in integer units."""

    variance: float
    squared_l2: float
    l1: float

    def rdp(self) -> npt.NDArray[np.float64]:
        """ε(α) at ``ORDERS``; infinite where there is no noise."""
        if self.variance <= 0.0:
            return np.full(len(ORDERS), np.inf)
        alpha = np.asarray(ORDERS, dtype=np.float64)
        mu = self.variance
        leading = alpha * self.squared_l2 / (2 * mu)
        small = ((2 * alpha - 1) * self.squared_l2 + 6 * self.l1) / (4 * mu**2)
        rest: npt.NDArray[np.float64] = np.minimum(small, 3 * self.l1 / (2 * mu))
        return leading + rest


def epsilon(releases: Iterable[SkellamRelease], *, delta: float) -> float:
    """The ε of all releases together at ``delta``; 0 without any, infinite without noise."""
    from dp_accounting.rdp import rdp_privacy_accountant as accountant  # noqa: PLC0415 - slow

    total = np.zeros(len(ORDERS))
    for release in releases:
        total += release.rdp()
    if not total.any():
        return 0.0
    if not np.isfinite(total).any():
        return float("inf")
    value, _ = accountant.compute_epsilon(ORDERS, total, delta)
    return float(value)
