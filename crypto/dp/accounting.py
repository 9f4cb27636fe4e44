"""What a release costs: Rényi divergences of described mechanisms, converted by dp-accounting.

A release is frozen data that says what a mechanism is; ``rdp`` gives its ε(α) at integer orders
α >= 2. Releases compose by adding their ε(α); dp-accounting turns the sum into (ε, δ), and
``crypto.dp.conversion`` does the same where it is not installed. Adjacency: zero-out, one shopper's
vector replaced by zero.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crypto.dp.amplification import poisson_sampled
from crypto.errors import WireError
from crypto.wire import get_float, get_str

FloatArray = npt.NDArray[np.float64]

# Integer orders alone: the bounds are stated for those.
ORDERS: Final = (*range(2, 129), *range(132, 257, 4), *range(272, 1025, 16))


@dataclass(frozen=True, kw_only=True)
class SkellamRelease:
    """Skellam noise of variance μ on integer vectors, all in integer units.

    ε(α) <= αΔ₂² / 2μ + min{[(2α - 1)Δ₂² + 6Δ₁] / 4μ², 3Δ₁ / 2μ} (Agarwal, Kairouz, Liu 2021,
    "The Skellam Mechanism", Theorem 3.5).
    """

    variance: float
    squared_l2: float
    l1: float

    def __post_init__(self) -> None:
        _require_numbers(self.variance, self.squared_l2, self.l1)

    def rdp(self, orders: Iterable[int] = ORDERS) -> FloatArray:
        """ε(α) at ``orders``; infinite where there is no noise."""
        alpha = np.asarray(tuple(orders), dtype=np.float64)
        if self.variance <= 0.0:
            return np.full(alpha.size, np.inf)
        mu = self.variance
        leading = alpha * self.squared_l2 / (2 * mu)
        small = ((2 * alpha - 1) * self.squared_l2 + 6 * self.l1) / (4 * mu**2)
        rest: FloatArray = np.minimum(small, 3 * self.l1 / (2 * mu))
        return leading + rest


@dataclass(frozen=True, kw_only=True)
class GaussianRelease:
    """Gaussian noise of variance σ²: ε(α) = αΔ₂² / 2σ² + excess.

    ``excess`` bounds what integer noise costs beyond a continuous Gaussian, at every order >= 2
    (``crypto.dp.smoothing``). Source: Mironov 2017, Proposition 7.
    """

    variance: float
    squared_l2: float
    excess: float = 0.0

    def __post_init__(self) -> None:
        _require_numbers(self.variance, self.squared_l2, self.excess)

    def rdp(self, orders: Iterable[int] = ORDERS) -> FloatArray:
        """ε(α) at ``orders``; infinite where there is no noise."""
        alpha = np.asarray(tuple(orders), dtype=np.float64)
        if self.variance <= 0.0:
            return np.full(alpha.size, np.inf)
        cost: FloatArray = alpha * self.squared_l2 / (2 * self.variance) + self.excess
        return cost


@dataclass(frozen=True, kw_only=True)
class SampledRelease:
    """A release in which a shopper's vector is hers only with probability ``rate``, zero otherwise.

    Guarantee: for a shopper whose own client flips an honest coin that nobody else learns. The
    bounds are those of ``crypto.dp.amplification``: the exact form for Gaussian noise, the general
    one with its factor 3 for Skellam noise.
    """

    base: SkellamRelease | GaussianRelease
    rate: float

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1:
            raise ValueError(f"Expected 0 < rate={self.rate} < 1.")

    def rdp(self, orders: Iterable[int] = ORDERS) -> FloatArray:
        """ε(α) at ``orders``; infinite where there is no noise."""
        return _sampled(self, tuple(orders))


Release = SkellamRelease | GaussianRelease | SampledRelease


@lru_cache(maxsize=256)
def _sampled(release: SampledRelease, orders: tuple[int, ...]) -> FloatArray:
    base, every = release.base, range(2, max(orders) + 1)
    if isinstance(base, SkellamRelease):
        cost = poisson_sampled(base.rdp(every), orders, rate=release.rate, exact=False)
    else:
        # The excess is a matter of the integers, whatever the vector: it is added, not amplified.
        cost = poisson_sampled(base.rdp(every) - base.excess, orders, rate=release.rate, exact=True)
        cost = cost + base.excess
    bound: FloatArray = np.minimum(cost, base.rdp(orders))
    bound.flags.writeable = False
    return bound


def total_rdp(releases: Iterable[Release]) -> FloatArray:
    """ε(α) of all releases together at ``ORDERS``."""
    total = np.zeros(len(ORDERS))
    for release, count in Counter(releases).items():
        total += count * release.rdp()
    return total


def epsilon(releases: Iterable[Release], *, delta: float) -> float:
    """The ε of all releases together at ``delta``; 0 without any, infinite without noise."""
    from dp_accounting.rdp import rdp_privacy_accountant as accountant  # noqa: PLC0415 - slow

    total = total_rdp(releases)
    if not total.any():
        return 0.0
    if not np.isfinite(total).any():
        return float("inf")
    value, _ = accountant.compute_epsilon(ORDERS, total, delta)
    return float(value)


def release_to_json(release: Release) -> dict[str, Any]:
    """A release as a ledger stores it, with the kind of its mechanism."""
    match release:
        case SkellamRelease():
            return {"kind": "skellam", **vars(release)}
        case GaussianRelease():
            return {"kind": "gaussian", **vars(release)}
        case SampledRelease():
            base = release_to_json(release.base)
            return {"kind": "sampled", "rate": release.rate, "base": base}


def release_from_json(value: dict[str, Any]) -> Release:
    """Parse what ``release_to_json`` made.

    Raises:
        WireError: an unknown kind, fields missing, unknown or out of bounds.
    """
    kind = get_str(value, "kind")
    fields = _FIELDS.get(kind)
    if fields is None or value.keys() != {"kind", *fields}:
        raise WireError(f"A release of kind {kind!r} is unknown, or has other fields.")
    if kind == "sampled":
        return _sampled_from_json(value)
    numbers = {name: get_float(value, name, low=0.0, high=1e300) for name in fields}
    return SkellamRelease(**numbers) if kind == "skellam" else GaussianRelease(**numbers)


_FIELDS: Final = {
    "skellam": ("variance", "squared_l2", "l1"),
    "gaussian": ("variance", "squared_l2", "excess"),
    "sampled": ("rate", "base"),
}


def _sampled_from_json(value: dict[str, Any]) -> SampledRelease:
    if not isinstance(value["base"], dict):
        raise WireError("A sampled release has a base release.")
    base = release_from_json(value["base"])
    rate = get_float(value, "rate", low=0.0, high=1.0)
    if isinstance(base, SampledRelease) or not 0 < rate < 1:
        raise WireError("A sampled release has a base that is not sampled, and 0 < rate < 1.")
    return SampledRelease(base=base, rate=rate)


def _require_numbers(*numbers: float) -> None:
    if not all(0 <= number < float("inf") for number in numbers):
        raise ValueError(f"Expected variances and sensitivities from 0, finite; got {numbers}.")
