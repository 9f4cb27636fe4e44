"""ε of whole plans against oracles that share none of their code: published bounds, dp-accounting.

d = 131,072, δ = 1e-6, compact sum, 100 clients: the setting that docs/privacy-accounting.md states.
"""

import math
from typing import Any

import pytest
from dp_accounting import GaussianDpEvent
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant

from crypto.dp.accounting import ORDERS
from crypto.dp.conversion import device_epsilon
from crypto.dp.plan import PrivacyPlan, calibrate
from crypto.dp.widths import NoiseSet
from crypto.sums.schemes import Scheme

DIMENSION, DELTA = 131_072, 1e-6
TARGETS = [1.0, 4.0, 8.0]


def calibrated(target: float, **changes: Any) -> PrivacyPlan:
    fields: dict[str, Any] = {
        "dimension": DIMENSION,
        "clipping_norm": 1.0,
        "noise_multiplier": 1.0,
        "min_clients": 50,
        "max_clients": 100,
        "max_shoppers": 100,
        "max_colluders": 10,
        "delta": DELTA,
        "scheme": Scheme.COMPACT_SUM,
    }
    made = PrivacyPlan.fitted(**fields | changes)
    return calibrate({"it": made}, weights={"it": 1.0}, target_epsilon=target)["it"]


def published(plan: PrivacyPlan) -> float:
    """Agarwal, Kairouz, Liu 2021, Theorem 3.5 and Kairouz, Liu, Steinke 2021, Proposition 22.

    From z, s and d alone: sensitivities, divergences and the conversion are written out here.
    """
    s, d, z = plan.scale, DIMENSION, plan.noise_multiplier
    root = math.sqrt(d)
    squared = min((s + root) ** 2, s * s + d / 4 + s + root / 2)
    absolute = min(squared, root * math.sqrt(squared))
    mu = z * z * squared
    least = math.inf
    for alpha in range(2, 1500):
        one = alpha * squared / (2 * mu)
        one += min(((2 * alpha - 1) * squared + 6 * absolute) / (4 * mu * mu), 1.5 * absolute / mu)
        total = plan.rounds * one
        least = min(least, total + math.log1p(-1 / alpha) - math.log(DELTA * alpha) / (alpha - 1))
    return least


@pytest.mark.parametrize("rounds", [1, 10])
@pytest.mark.parametrize("target", TARGETS)
def test_set_a_by_the_published_bound(target: float, rounds: int) -> None:
    made = calibrated(target, rounds=rounds)
    assert made.scale == 1024
    assert made.epsilon() == pytest.approx(published(made), rel=1e-6)
    assert target * (1 - 1e-3) < made.epsilon() <= target
    assert device_epsilon(made.releases(), delta=DELTA) == pytest.approx(made.epsilon(), rel=1e-9)


@pytest.mark.parametrize("rounds", [1, 10])
@pytest.mark.parametrize("target", TARGETS)
def test_set_a_is_within_two_percent_of_dp_accountings_gaussian(target: float, rounds: int) -> None:
    made = calibrated(target, rounds=rounds)
    gaussian = RdpAccountant()  # its own orders, fractions included
    gaussian.compose(GaussianDpEvent(made.noise_multiplier), rounds)
    continuous = gaussian.get_epsilon(DELTA)
    assert continuous * (1 - 1e-6) <= made.epsilon() <= 1.02 * continuous


@pytest.mark.parametrize("target", TARGETS)
def test_the_gap_to_exact_accounting_is_the_conversions(target: float) -> None:
    """PLD knows the Gaussian's ε exactly; Rényi accounting gives up some 7 % of it, for both."""
    made = calibrated(target)
    exact = PLDAccountant(value_discretization_interval=1e-3)
    exact.compose(GaussianDpEvent(made.noise_multiplier))
    known = exact.get_epsilon(DELTA)
    gaussian = RdpAccountant()
    gaussian.compose(GaussianDpEvent(made.noise_multiplier))
    assert known < made.epsilon() < 1.085 * known
    assert made.epsilon() / gaussian.get_epsilon(DELTA) < 1.02


@pytest.mark.parametrize("target", TARGETS)
def test_set_b_is_the_gaussian(target: float) -> None:
    made = calibrated(
        target,
        noise=NoiseSet.CENTRED_GAUSSIAN,
        experimental=True,
        client_noise=0.0,
    )
    continuous = []
    for orders in (list(ORDERS), None):  # ours, and its own with fractions
        gaussian = RdpAccountant(orders)
        gaussian.compose(GaussianDpEvent(made.noise_multiplier))
        continuous.append(gaussian.get_epsilon(DELTA))
    assert made.epsilon() == pytest.approx(continuous[0], rel=1e-9)
    assert continuous[1] <= made.epsilon() <= 1.01 * continuous[1]
    assert made.layout.field_bits == 10
    # Wide enough for something: the noise is mostly the key holders', not rounding.
    assert made.variance > made.client_variance


def test_monotone() -> None:
    """More noise, fewer rounds, a larger δ: less ε. The scale costs little, never nothing."""
    base = calibrated(2.0)
    by_noise = [base.with_noise(z).epsilon() for z in (0.5, 1.0, 2.0, 4.0, 8.0)]
    assert by_noise == sorted(by_noise, reverse=True)
    assert len(set(by_noise)) == 5
    fields = {k: v for k, v in vars(base).items() if k != "scale"}
    by_rounds = [PrivacyPlan.fitted(**fields | {"rounds": n}).epsilon() for n in (1, 2, 10, 100)]
    assert by_rounds == sorted(by_rounds)
    by_delta = [PrivacyPlan.fitted(**fields | {"delta": d}).epsilon() for d in (1e-9, 1e-6, 1e-3)]
    assert by_delta == sorted(by_delta, reverse=True)
    by_scale = [PrivacyPlan(**fields, scale=s).epsilon() for s in (1024, 512, 256, 128)]
    assert by_scale == sorted(by_scale)
    assert by_scale[-1] < 1.02 * by_scale[0]


def test_clients_own_noise_is_no_part_of_what_key_holders_guarantee() -> None:
    for share in (0.0, 1.0, 5.0):
        made = calibrated(2.0, client_noise=share)
        assert made.epsilon() == calibrated(2.0).epsilon()
