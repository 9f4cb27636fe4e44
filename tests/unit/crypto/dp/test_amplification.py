"""A hidden coin's saving: against dp-accounting, sums in many digits, and a whole mass function."""

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent
from dp_accounting.rdp import RdpAccountant
from scipy.special import ive

from crypto.dp.accounting import ORDERS, GaussianRelease, SampledRelease, SkellamRelease, epsilon
from crypto.dp.amplification import poisson_sampled
from crypto.dp.coin import coin
from crypto.dp.plan import PrivacyPlan, without_noise
from crypto.dp.plan_terms import Sampling
from crypto.dp.random import SecureRandom
from crypto.dp.widths import NoiseSet
from crypto.errors import PlanError
from crypto.sums.schemes import Scheme
from tests.unit.crypto import samples
from tests.unit.crypto.samples import generator


def gaussian(noise: float, largest: int) -> np.ndarray:
    return np.arange(2, largest + 1) / (2 * noise**2)


def known(noise: float, rate: float, alpha: int) -> float:
    accountant = RdpAccountant([alpha])
    accountant.compose(PoissonSampledDpEvent(rate, GaussianDpEvent(noise)))
    return float(accountant._rdp[0])


@pytest.mark.parametrize("noise", [0.6, 1.0, 4.0])
@pytest.mark.parametrize("rate", [1e-4, 0.03, 0.5])
def test_exact_form_is_dp_accountings_and_the_general_one_is_never_below(
    noise: float, rate: float
) -> None:
    orders = [2, 3, 4, 8, 30, 100, 256]
    base = gaussian(noise, 256)
    exact = poisson_sampled(base, orders, rate=rate, exact=True)
    general = poisson_sampled(base, orders, rate=rate, exact=False)
    for alpha, tight, loose in zip(orders, exact, general, strict=True):
        assert tight == pytest.approx(known(noise, rate, alpha), rel=1e-6)
        assert tight <= loose <= 3.5 * tight + math.log(3) / (alpha - 1)
    # Where squares dominate, the factor 3 hardly matters.
    assert general[0] == exact[0]


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("rate", [1e-7, 1e-3, 0.4])
def test_many_digits(rate: float, exact: bool) -> None:
    """The published sum in 60 digits, also where it is 1 + 1e-14."""
    base = gaussian(3.0, 40) + np.linspace(0.0, 0.1, 39)
    orders = [2, 3, 7, 40]
    found = poisson_sampled(base, orders, rate=rate, exact=exact)
    with mpmath.workdps(60):
        q = mpmath.mpf(rate)
        for alpha, value in zip(orders, found, strict=True):
            total = (1 - q) ** alpha + alpha * q * (1 - q) ** (alpha - 1)
            for level in range(2, alpha + 1):
                weight = 3 if level >= 3 and not exact else 1
                growth = mpmath.exp((level - 1) * mpmath.mpf(float(base[level - 2])))
                total += (
                    weight
                    * mpmath.binomial(alpha, level)
                    * q**level
                    * (1 - q) ** (alpha - level)
                    * growth
                )
            assert value == pytest.approx(float(mpmath.log(total) / (alpha - 1)), rel=1e-9)


def renyi(alpha: int, p: np.ndarray, q: np.ndarray) -> float:
    inside = (p > 1e-290) & (q > 1e-290)
    terms = alpha * np.log(p[inside]) - (alpha - 1) * np.log(q[inside])
    top = terms.max()
    return float(top + np.log(np.exp(terms - top).sum())) / (alpha - 1)


@pytest.mark.parametrize("mu", [1.5, 6.0, 60.0])
@pytest.mark.parametrize("shift", [1, 3])
@pytest.mark.parametrize("rate", [0.01, 0.2, 0.7])
def test_bounds_a_skellam_by_summation(mu: float, shift: int, rate: float) -> None:
    """(1 - q) Q + q P against Q and the reverse, over the whole mass function."""
    release = SampledRelease(
        base=SkellamRelease(variance=mu, squared_l2=shift**2, l1=shift), rate=rate
    )
    k = np.arange(-900, 901)
    without = ive(np.abs(k).astype(float), mu)
    mixed = (1 - rate) * without + rate * ive(np.abs(k - shift).astype(float), mu)
    for alpha in (2, 3, 6, 12):
        bound = release.rdp()[ORDERS.index(alpha)]
        assert renyi(alpha, mixed, without) <= bound * (1 + 1e-9)
        assert renyi(alpha, without, mixed) <= bound * (1 + 1e-9)


@pytest.mark.parametrize("rate", [0.001, 0.03, 0.3])
@pytest.mark.parametrize("rounds", [1, 300])
def test_set_b_composes_like_dp_accountings_sampled_gaussian(rate: float, rounds: int) -> None:
    release = SampledRelease(base=GaussianRelease(variance=256.0, squared_l2=256.0), rate=rate)
    accountant = RdpAccountant(list(ORDERS))
    event = PoissonSampledDpEvent(rate, GaussianDpEvent(1.0))
    accountant.compose(SelfComposedDpEvent(event, rounds))
    assert epsilon([release] * rounds, delta=1e-6) == pytest.approx(
        accountant.get_epsilon(1e-6), rel=1e-7
    )


def test_sampling_only_saves_and_less_with_a_larger_rate() -> None:
    for base in (
        SkellamRelease(variance=1.2e6, squared_l2=1.1e6, l1=2.5e5),
        GaussianRelease(variance=1.0, squared_l2=1.0, excess=1e-13),
    ):
        curves = [SampledRelease(base=base, rate=r).rdp() for r in (1e-6, 1e-3, 0.1, 0.5, 0.999)]
        for less, more in zip(curves, [*curves[1:], base.rdp()], strict=True):
            assert (less <= more).all()
        assert (curves[0] < 0.02 * base.rdp())[:4].all()
    # The excess of integers is not amplified away.
    plain = SampledRelease(base=GaussianRelease(variance=1.0, squared_l2=1.0), rate=0.01)
    costly = GaussianRelease(variance=1.0, squared_l2=1.0, excess=0.125)
    assert SampledRelease(base=costly, rate=0.01).rdp()[:20] == pytest.approx(
        plain.rdp()[:20] + 0.125
    )


def test_no_noise_costs_everything_and_nothing_costs_nothing() -> None:
    silent = SampledRelease(base=GaussianRelease(variance=0.0, squared_l2=1.0), rate=0.1)
    assert np.isinf(silent.rdp()).all()
    free = SampledRelease(base=GaussianRelease(variance=1.0, squared_l2=0.0), rate=0.1)
    assert not free.rdp().any()


def plan(**changes: Any) -> PrivacyPlan:
    hidden = {"scheme": Scheme.COMPACT_SUM, "sampling": Sampling.HIDDEN_POISSON}
    return samples.plan(**hidden | {"sampling_rate": 0.1} | changes)


class TestPlans:
    def test_a_release_is_sampled(self) -> None:
        everyone = plan(sampling=Sampling.ALL, sampling_rate=1.0)
        assert plan().release == SampledRelease(base=everyone.release, rate=0.1)  # type: ignore[arg-type]
        assert plan(rounds=5).epsilon() < 0.7 * samples.plan(rounds=5).epsilon()
        set_b = plan(
            noise=NoiseSet.CENTRED_GAUSSIAN, experimental=True, scale=16, dimension=1024
        ).release
        assert isinstance(set_b, SampledRelease)
        assert isinstance(set_b.base, GaussianRelease)
        assert without_noise(plan()).epsilon() == math.inf
        assert PrivacyPlan.from_json(plan().to_json()) == plan()

    @pytest.mark.parametrize(
        "changes",
        [
            {"sampling_rate": 1.0},
            {"sampling_rate": 0.0},
            {"sampling_rate": math.nan},
            {"sampling_rate": -0.1},
            {"sampling": Sampling.ALL},
        ],
    )
    def test_rates(self, changes: dict[str, Any]) -> None:
        with pytest.raises(PlanError, match="sampling_rate="):
            plan(**changes)


class TestCoin:
    @pytest.mark.parametrize("rate", [0.02, 0.5, 0.9])
    def test_comes_up_at_the_rate(self, rate: float) -> None:
        made, rng = plan(sampling_rate=rate), generator("coin")
        ups = sum(coin(made, rng=rng) for _ in range(20_000))
        assert abs(ups - 20_000 * rate) < 4.5 * math.sqrt(20_000 * rate * (1 - rate))

    def test_is_not_flipped_where_everybody_takes_part(self) -> None:
        rng, other = generator("a"), generator("a")
        everyone = plan(sampling=Sampling.ALL, sampling_rate=1.0)
        assert all(coin(everyone, rng=rng) for _ in range(100))
        assert rng.bytes(8) == other.bytes(8)

    def test_edges(self) -> None:
        class Constant(SecureRandom):
            def __init__(self, byte: int) -> None:
                super().__init__()
                self._byte = byte

            def bytes(self, count: int) -> bytes:
                return bytes([self._byte] * count)

        assert coin(plan(sampling_rate=1e-9), rng=Constant(0))
        assert not coin(plan(sampling_rate=1 - 2**-53), rng=Constant(255))
