"""The schedule: one budget over the tasks that are worth it, decided before anything is spent."""

import json
import math
from typing import Any

import pytest

from consent.tasks.names import TaskName
from crypto.dp.accounting import epsilon
from crypto.dp.widths import NoiseSet
from crypto.errors import InvalidInputError, PlanError
from crypto.sums.schemes import Scheme
from server.schedule import DEFAULT_WEIGHTS, TrainingPlan, schedule


def training(**changes: Any) -> TrainingPlan:
    fields: dict[str, Any] = {
        "epsilon": 4.0,
        "delta": 1e-6,
        "min_clients": 20,
        "max_clients": 60,
        "max_shoppers": 200,
        "max_colluders": 2,
        "expected_shoppers": 150,
        "force_item_item": True,
        "item_item_items": 32,
    }
    return TrainingPlan(**(fields | changes))


def total(plan: TrainingPlan, **kwargs: Any) -> float:
    made = schedule(plan, **kwargs)
    releases = [r for each in made.plans.values() for r in each.releases()]
    return epsilon(releases, delta=plan.delta)


def test_all_tasks_together_cost_the_budget() -> None:
    made = schedule(training(), items=300)
    assert list(made.plans) == list(DEFAULT_WEIGHTS)
    assert 3.98 < total(training(), items=300) <= 4.0
    assert made.left_out == {}


def test_the_split_follows_the_weights() -> None:
    made = schedule(training(), items=300)
    shares = {name: plan.noise_multiplier**-2 for name, plan in made.plans.items()}
    for name, weight in DEFAULT_WEIGHTS.items():
        assert shares[name] / sum(shares.values()) == pytest.approx(weight, rel=1e-6)


def test_dimensions_are_those_of_the_tasks() -> None:
    made = schedule(training(), items=300).plans
    assert made[TaskName.POPULARITY].dimension == 300
    assert made[TaskName.RECENT_POPULARITY].dimension == 300
    assert made[TaskName.ITEM_ITEM].dimension == 32 * 31 // 2
    small = schedule(training(), items=10).plans
    assert small[TaskName.ITEM_ITEM].dimension == 45


def test_every_plan_keeps_the_operators_limits() -> None:
    for plan in schedule(training(), items=300).plans.values():
        assert (plan.min_clients, plan.max_clients, plan.max_shoppers) == (20, 60, 200)
        assert (plan.max_colluders, plan.delta, plan.clipping_norm) == (2, 1e-6, 1.0)


@pytest.mark.parametrize("scheme", Scheme)
def test_every_plan_has_the_operators_scheme_and_client_noise(scheme: Scheme) -> None:
    made = training(scheme=scheme, client_noise=1.25)
    for plan in schedule(made, items=300).plans.values():
        assert (plan.scheme, plan.client_noise) == (scheme, 1.25)
        assert (plan.noise, plan.experimental) == (NoiseSet.SKELLAM, False)
        # Key holders add noise in sums that they vote in: half of what ε needs, each.
        share = 0.5 if scheme.votes else 0.0
        assert plan.holder_variance == pytest.approx(share * plan.variance)
    assert 3.98 < total(made, items=300) <= 4.0


def test_the_default_is_compact_sum_reviewed() -> None:
    made = training()
    assert (made.scheme, made.experimental, made.client_noise) == (Scheme.COMPACT_SUM, False, 1.0)
    assert not made.unpaired_devices


def test_clients_may_leave_all_noise_to_key_holders() -> None:
    for plan in schedule(training(client_noise=0.0), items=300).plans.values():
        assert plan.client_variance == 0
        # Three entries of half of what ε needs.
        assert plan.noise_stddev(20) == pytest.approx(
            math.sqrt(1.5 * plan.variance) * plan.clipping_norm / plan.scale
        )


@pytest.mark.parametrize("scheme", [Scheme.COMPACT_SUM, Scheme.PIECE_SUM])
def test_the_experimental_set_is_another_noise(scheme: Scheme) -> None:
    made = training(scheme=scheme, experimental=True, max_shoppers=60)
    for plan in schedule(made, items=300).plans.values():
        assert (plan.noise, plan.experimental) == (NoiseSet.CENTRED_GAUSSIAN, True)
    assert 3.98 < total(made, items=300) <= 4.0


def test_more_shoppers_than_half_a_coefficient_holds_is_the_reason_that_is_told() -> None:
    """Not that some noise, which the operator never chose, would be too narrow."""
    crowded = training(experimental=True, max_shoppers=400, expected_shoppers=300)
    with pytest.raises(PlanError, match=r"A sum over 400 shoppers may reach .* 10-bit field"):
        schedule(crowded, items=12)


def test_a_task_that_can_not_clear_its_noise_leaves_its_share_to_the_others() -> None:
    poor = training(force_item_item=False, expected_shoppers=20, epsilon=0.2, max_shoppers=60)
    made = schedule(poor, items=300)
    assert TaskName.ITEM_ITEM not in made.plans
    assert made.left_out[TaskName.ITEM_ITEM]
    assert 0.198 < total(poor, items=300) <= 0.2


@pytest.mark.parametrize("budget", [None, math.inf])
def test_privacy_off_is_off_for_all(budget: float | None) -> None:
    made = schedule(training(epsilon=budget), items=300)
    assert {plan.noise_multiplier for plan in made.plans.values()} == {0.0}


@pytest.mark.parametrize(
    "changes",
    [
        {"epsilon": 0.0},
        {"delta": 0.0},
        {"max_colluders": 20},
        {"max_clients": 10},
        {"max_shoppers": 10**8},
        {"scheme": Scheme.SHARE_SUM, "client_noise": 0.99},
        {"scheme": Scheme.SHARE_SUM, "experimental": True},
        {"scheme": Scheme.COMPACT_SUM, "max_clients": 10_001, "max_shoppers": 20_000},
    ],
)
def test_contradictions(changes: dict[str, Any]) -> None:
    with pytest.raises(PlanError):
        schedule(training(**changes), items=300)


class TestJson:
    def test_round_trip(self) -> None:
        for made in (
            training(),
            training(epsilon=None),
            *(training(scheme=scheme, client_noise=0.25) for scheme in Scheme),
            training(experimental=True, unpaired_devices=True, timeout=300.0),
        ):
            assert TrainingPlan.from_json(json.loads(json.dumps(made.to_json()))) == made

    @pytest.mark.parametrize(
        "changes",
        [
            {"extra": 1},
            {"weights": {}},
            {"weights": {"clustering": 1.0}},
            {"weights": [1]},
            {"epsilon": -1},
            {"delta": 2},
            {"min_clients": 0},
            {"min_clients": 2.5},
            {"timeout": 0},
            {"recent_baskets": True},
            {"timeout": 301},
            {"scheme": "no-sum"},
            {"scheme": None},
            {"scheme": ["compact-sum"]},
            {"experimental": 1},
            {"experimental": "false"},
            {"unpaired_devices": "no"},
            {"force_item_item": None},
            {"client_noise": -0.1},
            {"client_noise": math.nan},
            {"client_noise": "1"},
            {"client_noise": 101},
        ],
    )
    def test_refusals(self, changes: dict[str, Any]) -> None:
        with pytest.raises(InvalidInputError):
            TrainingPlan.from_json(json.loads(json.dumps(training().to_json())) | changes)

    def test_every_field_is_needed(self) -> None:
        good = training().to_json()
        for name in good:
            with pytest.raises(InvalidInputError):
                TrainingPlan.from_json({k: v for k, v in good.items() if k != name})
