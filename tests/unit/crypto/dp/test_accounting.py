"""ε re-derived: another Rényi bound, another conversion, and divergences by direct summation."""

import json
import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from dp_accounting import GaussianDpEvent
from dp_accounting.rdp import RdpAccountant
from scipy.special import ive

from crypto.dp.accounting import (
    ORDERS,
    GaussianRelease,
    Release,
    SampledRelease,
    SkellamRelease,
    epsilon,
    release_from_json,
    release_to_json,
    total_rdp,
)
from crypto.errors import WireError
from crypto.wire import canonical
from tests.unit.crypto.samples import plan


def renyi_bound(alpha: int, l2_squared: float, l1: float, mu: float) -> float:
    """Agarwal, Kairouz, Liu 2021, Theorem 3.5, for noise of variance μ."""
    gaussian_part = alpha * l2_squared / 2 / mu
    first = ((2 * alpha - 1) * l2_squared + 6 * l1) / 4 / mu / mu
    second = 3 * l1 / 2 / mu
    return gaussian_part + min(first, second)


def to_epsilon(rho: dict[int, float], delta: float) -> float:
    """Canonne, Kamath, Steinke 2020, Proposition 12: the least ε over the orders."""
    return min(
        value + math.log1p(-1 / alpha) - math.log(delta * alpha) / (alpha - 1)
        for alpha, value in rho.items()
    )


def renyi_of_shift(alpha: int, shift: int, mu: float) -> float:
    """D_α(X + shift || X) and its reverse, the larger, by summing the Skellam mass function."""
    reach = int(40 + 30 * math.sqrt(mu)) + alpha * abs(shift)
    k = np.arange(-reach, reach + 1)
    mass = ive(np.abs(k).astype(float), mu)
    shifted = ive(np.abs(k - shift).astype(float), mu)
    both = []
    for p, q in ((shifted, mass), (mass, shifted)):
        inside = (p > 1e-290) & (q > 1e-290)
        terms = alpha * np.log(p[inside]) - (alpha - 1) * np.log(q[inside])
        top = terms.max()
        both.append(float(top + np.log(np.exp(terms - top).sum())) / (alpha - 1))
    return max(both)


CASES = list(product([2, 3, 8, 32], [1, 2, 5], [4.0, 30.0, 400.0]))


def test_direct_summation_agrees_with_a_known_divergence() -> None:
    # For large μ the Skellam is all but a Gaussian, whose divergence is αΔ²/2μ.
    assert renyi_of_shift(4, 3, 1e4) == pytest.approx(4 * 9 / 2 / 1e4, rel=1e-3)
    assert renyi_of_shift(2, 0, 10.0) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("alpha", "shift", "mu"), CASES)
def test_the_bound_bounds_in_one_dimension(alpha: int, shift: int, mu: float) -> None:
    release = SkellamRelease(variance=mu, squared_l2=shift**2, l1=abs(shift))
    bound = release.rdp()[ORDERS.index(alpha)]
    true = renyi_of_shift(alpha, shift, mu)
    assert true <= bound * (1 + 1e-9)
    # And not by forgetting something: the leading term alone is the Gaussian's.
    assert bound <= renyi_bound(alpha, shift**2, shift, mu) * (1 + 1e-12)
    if mu >= 30 * shift * alpha:
        assert bound <= 1.6 * true


@pytest.mark.parametrize("shifts", [(1, 1), (3, 1), (2, -2), (0, 4)])
@pytest.mark.parametrize("alpha", [2, 6, 16])
@pytest.mark.parametrize("mu", [6.0, 60.0])
def test_the_bound_bounds_in_two_dimensions(shifts: tuple[int, int], alpha: int, mu: float) -> None:
    """The divergence over the plane, summed over its points (both directions)."""
    release = SkellamRelease(
        variance=mu, squared_l2=sum(s * s for s in shifts), l1=sum(abs(s) for s in shifts)
    )
    reach = int(30 + 16 * math.sqrt(mu)) + alpha * max(map(abs, shifts))
    k = np.arange(-reach, reach + 1)
    mass = np.outer(*(ive(np.abs(k).astype(float), mu),) * 2)
    moved = np.outer(*(ive(np.abs(k - s).astype(float), mu) for s in shifts))
    for p, q in ((moved, mass), (mass, moved)):
        inside = (p > 1e-290) & (q > 1e-290)
        terms = alpha * np.log(p[inside]) - (alpha - 1) * np.log(q[inside])
        top = terms.max()
        true = (top + math.log(np.exp(terms - top).sum())) / (alpha - 1)
        assert true <= release.rdp()[ORDERS.index(alpha)] * (1 + 1e-9)


@pytest.mark.parametrize(
    "release",
    [
        SkellamRelease(variance=1.3e6, squared_l2=1.1e6, l1=2.5e5),
        SkellamRelease(variance=40.0, squared_l2=25.0, l1=20.0),
        SkellamRelease(variance=2.0, squared_l2=9.0, l1=9.0),
    ],
)
@pytest.mark.parametrize("delta", [1e-5, 1e-8])
@pytest.mark.parametrize("count", [1, 3, 20])
def test_epsilon_rederived(release: SkellamRelease, delta: float, count: int) -> None:
    own = {
        alpha: count * renyi_bound(alpha, release.squared_l2, release.l1, release.variance)
        for alpha in ORDERS
    }
    found = epsilon([release] * count, delta=delta)
    assert found == pytest.approx(to_epsilon(own, delta), rel=2e-3)


def test_orders_are_integers_from_two() -> None:
    assert ORDERS[0] == 2
    assert all(type(alpha) is int for alpha in ORDERS)
    assert list(ORDERS) == sorted(set(ORDERS))


@pytest.mark.parametrize("noise", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("rounds", [1, 10])
def test_close_to_the_gaussian_at_a_hundred_thousand_dimensions(noise: float, rounds: int) -> None:
    large = plan(dimension=100_000, noise_multiplier=noise, rounds=rounds, scale=1024)
    gaussian = RdpAccountant(list(ORDERS))
    gaussian.compose(GaussianDpEvent(noise), rounds)
    continuous = gaussian.get_epsilon(large.delta)
    assert continuous <= large.epsilon() <= 1.02 * continuous


class TestComposition:
    ONE = SkellamRelease(variance=4e6, squared_l2=1.1e6, l1=2.5e5)
    OTHER = SkellamRelease(variance=9e6, squared_l2=1.1e6, l1=2.5e5)

    def test_nothing_costs_nothing(self) -> None:
        assert epsilon([], delta=1e-6) == 0.0

    def test_no_noise_costs_everything(self) -> None:
        silent = SkellamRelease(variance=0.0, squared_l2=1.0, l1=1.0)
        assert epsilon([silent], delta=1e-6) == math.inf
        assert epsilon([self.ONE, silent], delta=1e-6) == math.inf

    def test_order_does_not_matter_and_more_costs_more(self) -> None:
        one, other = (epsilon([r], delta=1e-6) for r in (self.ONE, self.OTHER))
        both = epsilon([self.ONE, self.OTHER], delta=1e-6)
        assert both == epsilon(iter([self.OTHER, self.ONE]), delta=1e-6)
        assert max(one, other) < both < one + other

    def test_releases_add_up_like_variances_of_one_gaussian(self) -> None:
        # k releases at variance μ cost what one costs at μ / k, up to the second-order terms.
        four = epsilon([self.ONE] * 4, delta=1e-6)
        single = SkellamRelease(variance=1e6, squared_l2=1.1e6, l1=2.5e5)
        assert four == pytest.approx(epsilon([single], delta=1e-6), rel=0.02)


class TestGaussian:
    @pytest.mark.parametrize("noise", [0.7, 2.0])
    @pytest.mark.parametrize("rounds", [1, 12])
    def test_is_dp_accountings(self, noise: float, rounds: int) -> None:
        release = GaussianRelease(variance=(noise * 16) ** 2, squared_l2=256.0)
        known = RdpAccountant(list(ORDERS))
        known.compose(GaussianDpEvent(noise), rounds)
        found = epsilon([release] * rounds, delta=1e-6)
        assert found == pytest.approx(known.get_epsilon(1e-6), rel=1e-12)

    def test_the_excess_is_added_at_every_order(self) -> None:
        plain = GaussianRelease(variance=4.0, squared_l2=1.0)
        more = GaussianRelease(variance=4.0, squared_l2=1.0, excess=0.25)
        assert more.rdp() - plain.rdp() == pytest.approx(np.full(len(ORDERS), 0.25))
        assert epsilon([more], delta=1e-6) == pytest.approx(epsilon([plain], delta=1e-6) + 0.25)

    def test_no_noise_costs_everything(self) -> None:
        assert epsilon([GaussianRelease(variance=0.0, squared_l2=1.0)], delta=1e-6) == math.inf


SKELLAM = SkellamRelease(variance=4e6, squared_l2=1.1e6, l1=2.5e5)
GAUSSIAN = GaussianRelease(variance=256.0, squared_l2=100.0, excess=1e-13)
KINDS: list[Release] = [
    SKELLAM,
    GAUSSIAN,
    SampledRelease(base=SKELLAM, rate=0.25),
    SampledRelease(base=GAUSSIAN, rate=0.01),
]


def test_kinds_compose_by_adding() -> None:
    by_hand = sum(release.rdp() for release in KINDS)
    assert total_rdp(KINDS) == pytest.approx(by_hand, rel=1e-12)
    assert total_rdp([*KINDS, *KINDS]) == pytest.approx(2 * by_hand, rel=1e-12)


class TestJson:
    @pytest.mark.parametrize("release", KINDS)
    def test_round_trip(self, release: Release) -> None:
        assert release_from_json(json.loads(canonical(release_to_json(release)))) == release

    @pytest.mark.parametrize(
        "value",
        [
            {},
            {"kind": "laplace", "variance": 1.0},
            {"kind": "skellam", "variance": 1.0, "squared_l2": 1.0},
            {"kind": "skellam", "variance": 1.0, "squared_l2": 1.0, "l1": 1.0, "rate": 0.5},
            {"kind": "skellam", "variance": -1.0, "squared_l2": 1.0, "l1": 1.0},
            {"kind": "gaussian", "variance": 1.0, "squared_l2": 1.0, "excess": math.nan},
            {"kind": "gaussian", "variance": 1.0, "squared_l2": "1", "excess": 0.0},
            {"kind": "sampled", "rate": 0.5, "base": None},
            {"kind": "sampled", "rate": 1.0, "base": release_to_json(GAUSSIAN)},
            {"kind": "sampled", "rate": 0.0, "base": release_to_json(GAUSSIAN)},
            {"kind": "sampled", "rate": 0.5, "base": release_to_json(KINDS[2])},
            {"kind": "sampled", "rate": 0.5, "base": {"kind": "gaussian"}},
        ],
    )
    def test_refusals(self, value: dict[str, Any]) -> None:
        with pytest.raises(WireError):
            release_from_json(value)


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_releases_are_numbers(bad: float) -> None:
    with pytest.raises(ValueError, match="Expected variances"):
        SkellamRelease(variance=bad, squared_l2=1.0, l1=1.0)
    with pytest.raises(ValueError, match="Expected variances"):
        GaussianRelease(variance=1.0, squared_l2=bad)
    with pytest.raises(ValueError, match="0 < rate"):
        SampledRelease(base=GAUSSIAN, rate=bad)
