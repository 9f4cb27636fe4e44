"""Splitting a budget under Set B: noise too narrow for integers is passed over, not an error."""

import pytest

from crypto.dp.plan import PrivacyPlan, calibrate
from crypto.dp.widths import NoiseSet
from crypto.errors import NarrowNoiseError, PlanError


def plan(noise_multiplier: float) -> PrivacyPlan:
    return PrivacyPlan.fitted(
        dimension=60,
        clipping_norm=1.0,
        noise_multiplier=noise_multiplier,
        min_clients=3,
        max_clients=5,
        max_shoppers=12,
        max_colluders=0,
        delta=1e-5,
        noise=NoiseSet.CENTRED_GAUSSIAN,
        experimental=True,
    )


def test_too_narrow_noise_is_its_own_error() -> None:
    with pytest.raises(NarrowNoiseError, match="too narrow for integers"):
        plan(0.001)
    assert issubclass(NarrowNoiseError, PlanError)


@pytest.mark.parametrize("target", [1.0, 8.0])
def test_a_budget_is_met_although_the_search_begins_below_what_integers_carry(
    target: float,
) -> None:
    chosen = calibrate({"a": plan(1.0), "b": plan(1.0)}, weights={"a": 1, "b": 2}, target_epsilon=8)
    assert set(chosen) == {"a", "b"}
    chosen = calibrate({"only": plan(1.0)}, weights={"only": 1.0}, target_epsilon=target)
    assert chosen["only"].epsilon() == pytest.approx(target, rel=2e-3)
    assert chosen["only"].epsilon() <= target
