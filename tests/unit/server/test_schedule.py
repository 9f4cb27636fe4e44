"""The schedule: one budget over the tasks that are worth it, decided before anything is spent."""

import json
import math
import re
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from consent.tasks.item_item import MOST_LISTED
from consent.tasks.names import TaskName
from crypto.dp.accounting import epsilon
from crypto.dp.widths import NoiseSet
from crypto.errors import InvalidInputError, PlanError
from crypto.sums.schemes import Scheme
from server.runs import Run
from server.schedule import DEFAULT_WEIGHTS, TrainingPlan, fitted_to, schedule


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
    made = schedule(training(), items=300, described=0)
    assert list(made.plans) == list(DEFAULT_WEIGHTS)
    assert 3.98 < total(training(), items=300, described=0) <= 4.0
    assert made.left_out == {}


def test_the_split_follows_the_weights() -> None:
    made = schedule(training(), items=300, described=0)
    shares = {name: plan.noise_multiplier**-2 for name, plan in made.plans.items()}
    for name, weight in DEFAULT_WEIGHTS.items():
        assert shares[name] / sum(shares.values()) == pytest.approx(weight, rel=1e-6)


def test_dimensions_are_those_of_the_tasks() -> None:
    made = schedule(training(), items=300, described=0).plans
    assert made[TaskName.POPULARITY].dimension == 300
    assert made[TaskName.RECENT_POPULARITY].dimension == 300
    assert made[TaskName.ITEM_ITEM].dimension == 32 * 31 // 2
    small = schedule(training(), items=10, described=0).plans
    assert small[TaskName.ITEM_ITEM].dimension == 45


def test_every_plan_keeps_the_operators_limits() -> None:
    for plan in schedule(training(), items=300, described=0).plans.values():
        assert (plan.min_clients, plan.max_clients, plan.max_shoppers) == (20, 60, 200)
        assert (plan.max_colluders, plan.delta, plan.clipping_norm) == (2, 1e-6, 1.0)


@pytest.mark.parametrize("scheme", Scheme)
def test_every_plan_has_the_operators_scheme_and_client_noise(scheme: Scheme) -> None:
    made = training(scheme=scheme, client_noise=1.25)
    for plan in schedule(made, items=300, described=0).plans.values():
        assert (plan.scheme, plan.client_noise) == (scheme, 1.25)
        assert (plan.noise, plan.experimental) == (NoiseSet.SKELLAM, False)
        # Key holders add noise in sums that they vote in: half of what ε needs, each.
        share = 0.5 if scheme.votes else 0.0
        assert plan.holder_variance == pytest.approx(share * plan.variance)
    assert 3.98 < total(made, items=300, described=0) <= 4.0


def test_the_default_is_compact_sum_reviewed() -> None:
    made = training()
    assert (made.scheme, made.experimental, made.client_noise) == (Scheme.COMPACT_SUM, False, 1.0)
    assert not made.unpaired_devices


def test_clients_may_leave_all_noise_to_key_holders() -> None:
    for plan in schedule(training(client_noise=0.0), items=300, described=0).plans.values():
        assert plan.client_variance == 0
        # Three entries of half of what ε needs.
        assert plan.noise_stddev(20) == pytest.approx(
            math.sqrt(1.5 * plan.variance) * plan.clipping_norm / plan.scale
        )


@pytest.mark.parametrize("scheme", [Scheme.COMPACT_SUM, Scheme.PIECE_SUM])
def test_the_experimental_set_is_another_noise(scheme: Scheme) -> None:
    made = training(scheme=scheme, experimental=True, max_shoppers=60)
    for plan in schedule(made, items=300, described=0).plans.values():
        assert (plan.noise, plan.experimental) == (NoiseSet.CENTRED_GAUSSIAN, True)
    assert 3.98 < total(made, items=300, described=0) <= 4.0


def test_more_shoppers_than_half_a_coefficient_holds_is_the_reason_that_is_told() -> None:
    """Not that some noise, which the operator never chose, would be too narrow."""
    crowded = training(experimental=True, max_shoppers=400, expected_shoppers=300)
    with pytest.raises(PlanError, match=r"A sum over 400 shoppers may reach .* 10-bit field"):
        schedule(crowded, items=12, described=0)


def test_a_task_that_can_not_clear_its_noise_leaves_its_share_to_the_others() -> None:
    poor = training(force_item_item=False, expected_shoppers=20, epsilon=0.2, max_shoppers=60)
    made = schedule(poor, items=300, described=0)
    assert TaskName.ITEM_ITEM not in made.plans
    assert made.left_out[TaskName.ITEM_ITEM]
    assert 0.198 < total(poor, items=300, described=0) <= 0.2


def test_what_the_list_says_of_its_items_can_make_item_item_worthwhile() -> None:
    plan = training(force_item_item=False, expected_shoppers=1_200, item_item_items=300)
    silent = schedule(plan, items=300, described=0)
    assert TaskName.ITEM_ITEM not in silent.plans
    told = schedule(plan, items=300, described=8)
    assert TaskName.ITEM_ITEM in told.plans


@pytest.mark.parametrize("budget", [None, math.inf])
def test_privacy_off_is_off_for_all(budget: float | None) -> None:
    made = schedule(training(epsilon=budget), items=300, described=0)
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
        schedule(training(**changes), items=300, described=0)


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

    def test_no_list_is_longer_than_an_artefact_can_hold(self) -> None:
        most = training(item_item_items=MOST_LISTED).to_json()
        assert TrainingPlan.from_json(most).item_item_items == MOST_LISTED
        with pytest.raises(InvalidInputError, match=f"item_item_items.* from 2 to {MOST_LISTED}"):
            TrainingPlan.from_json(most | {"item_item_items": MOST_LISTED + 1})

    def test_every_field_is_needed(self) -> None:
        good = training().to_json()
        for name in good:
            with pytest.raises(InvalidInputError):
                TrainingPlan.from_json({k: v for k, v in good.items() if k != name})


RANKED: dict[str, Any] = {
    "weights": {TaskName.POPULARITY: 0.2, TaskName.RECENT_POPULARITY: 0.3, TaskName.RANKER: 0.5},
}


def exact(mu: float, delta: float) -> float:
    """ε of a Gaussian mechanism of sensitivity over noise μ (Balle and Wang 2018, Theorem 8)."""

    def excess(eps: float) -> float:
        second = np.exp(eps + norm.logcdf(-mu / 2 - eps / mu))
        return float(norm.cdf(mu / 2 - eps / mu) - second - delta)

    return float(brentq(excess, 1e-9, 200.0))


class TestRounds:
    @pytest.mark.parametrize("epsilon", [0.5, 2.0, 8.0])
    @pytest.mark.parametrize("rounds", [1, 2, 3, 7])
    def test_all_rounds_of_all_tasks_compose_to_the_budget(
        self, epsilon: float, rounds: int
    ) -> None:
        """Against μ² = Σ 1/z² and the exact Gaussian formula, independent of the accountant."""
        runs = {TaskName.RANKER: Run(rounds=rounds)}
        made = schedule(
            training(epsilon=epsilon, runs=runs, **RANKED), items=300, described=0
        ).plans
        mu = sum(plan.rounds / plan.noise_multiplier**2 for plan in made.values()) ** 0.5
        assert 0.85 * epsilon < exact(mu, 1e-6) <= epsilon
        assert [plan.rounds for plan in made.values()] == [1, 1, rounds]

    def test_factors_are_as_long_as_their_items_and_tastes(self) -> None:
        shares = {TaskName.POPULARITY: 0.5, TaskName.FACTORS: 0.5}
        made = training(runs={TaskName.FACTORS: Run(rounds=2)}, weights=shares)
        assert TrainingPlan.from_json(json.loads(json.dumps(made.to_json()))) == made
        planned = schedule(made, items=300, described=0)
        assert planned.plans[TaskName.FACTORS].dimension == 32 * 16 + 16 * 17 // 2
        assert planned.plans[TaskName.FACTORS].rounds == 2
        assert "tastes" in planned.reasons[TaskName.FACTORS]
        narrow = schedule(made, items=10, described=0).plans[TaskName.FACTORS]
        assert narrow.dimension == 10 * 10 + 10 * 11 // 2

    @pytest.mark.parametrize("rounds", [1, 2, 3, 7])
    def test_a_tasks_share_covers_its_rounds(self, rounds: int) -> None:
        runs = {TaskName.RANKER: Run(rounds=rounds)}
        made = schedule(training(runs=runs, **RANKED), items=300, described=0).plans
        paid = {name: plan.rounds / plan.noise_multiplier**2 for name, plan in made.items()}
        for name, weight in RANKED["weights"].items():
            assert paid[name] / sum(paid.values()) == pytest.approx(weight, rel=1e-6)

    @pytest.mark.parametrize(
        "run",
        [
            Run(rounds=8, bands=2, separation=2),
            Run(rounds=6, separation=3),
            Run(rounds=20, sampling_rate=0.1),
        ],
        ids=str,
    )
    def test_bands_turns_and_hidden_sampling_keep_the_budget(self, run: Run) -> None:
        few = {"min_clients": 12, "max_colluders": 1}
        made = training(runs={TaskName.RANKER: run}, **few, **RANKED)
        plan = schedule(made, items=300, described=0).plans[TaskName.RANKER]
        assert (plan.rounds, plan.bands, plan.separation) == (run.rounds, run.bands, run.separation)
        assert plan.sampling_rate == run.sampling_rate
        assert 3.9 < total(made, items=300, described=0) <= 4.0

    def test_turns_that_can_not_reach_the_minimum_are_refused(self) -> None:
        runs = {TaskName.RANKER: Run(rounds=8, separation=4)}
        with pytest.raises(PlanError, match="one in 4 of at most 60 clients, and min_clients=20"):
            schedule(training(runs=runs, **RANKED), items=300, described=0)

    @pytest.mark.parametrize("dimension", [1, 20, 27, 64, 104])
    @pytest.mark.parametrize("epsilon", [0.5, 4.0, 30.0])
    def test_a_shorter_vector_costs_no_more_at_any_order(
        self, dimension: int, epsilon: float
    ) -> None:
        made = training(epsilon=epsilon, runs={TaskName.RANKER: Run(rounds=3)}, **RANKED)
        plan = schedule(made, items=300, described=0).plans[TaskName.RANKER]
        fitted = fitted_to(plan, dimension)
        assert fitted.dimension == dimension
        assert (fitted.release.rdp() <= plan.release.rdp()).all()
        assert fitted.noise_multiplier <= plan.noise_multiplier * 1.01
        assert fitted == fitted_to(plan, dimension), "a coordinator that starts again gets the same"

    def test_round_trip(self) -> None:
        run = Run(rounds=8, bands=2, separation=2)
        made = training(runs={TaskName.RANKER: run}, **RANKED)
        assert TrainingPlan.from_json(json.loads(json.dumps(made.to_json()))) == made

    @pytest.mark.parametrize(
        "runs",
        [
            [],
            {"ranker": {}},
            {"ranker": {"rounds": 2}},
            {"ranker": {"rounds": 0, "bands": 1, "separation": 1, "sampling_rate": 1.0}},
            {"ranker": {"rounds": 2, "bands": 1, "separation": 1, "sampling_rate": 2.0}},
            {"popularity": {"rounds": 2, "bands": 1, "separation": 1, "sampling_rate": 1.0}},
            {"item-item": {"rounds": 1, "bands": 1, "separation": 1, "sampling_rate": 1.0}},
        ],
        ids=str,
    )
    def test_refusals(self, runs: Any) -> None:
        good = json.loads(json.dumps(training(**RANKED).to_json()))
        with pytest.raises(InvalidInputError):
            TrainingPlan.from_json(good | {"runs": runs})


class TestReasons:
    def test_every_task_says_why(self) -> None:
        made = schedule(training(), items=300, described=0)
        assert made.reasons.keys() == made.plans.keys()
        for name, weight in DEFAULT_WEIGHTS.items():
            assert made.reasons[name].startswith(f"{weight:.0%} of μ² by default: ")
            assert f"z = {made.plans[name].noise_multiplier:.3g}" in made.reasons[name]

    def test_what_was_left_out_left_its_share(self) -> None:
        made = schedule(training(force_item_item=False, epsilon=0.1), items=300, described=0)
        assert TaskName.ITEM_ITEM in made.left_out
        share = DEFAULT_WEIGHTS[TaskName.POPULARITY] / (1 - DEFAULT_WEIGHTS[TaskName.ITEM_ITEM])
        said = made.reasons[TaskName.POPULARITY]
        if DEFAULT_WEIGHTS.keys() == {*made.plans, TaskName.ITEM_ITEM}:
            assert said.startswith(f"{share:.0%} of μ²")
        assert "(item-item left its share to the others)" in said

    @pytest.mark.parametrize(
        ("run", "words"),
        [
            (Run(rounds=3), "3 rounds with z = .*/z² in all: composed as they are"),
            (Run(rounds=8, bands=2, separation=2), "2 bands .* once in 2, so 4 count"),
            (Run(rounds=6, separation=3), "once in 3, so 2 count"),
            (Run(rounds=20, sampling_rate=0.1), "all but 10% of them"),
        ],
        ids=str,
    )
    def test_rounds_are_explained(self, run: Run, words: str) -> None:
        few = {"min_clients": 12, "max_colluders": 1}
        made = schedule(
            training(runs={TaskName.RANKER: run}, **few, **RANKED), items=300, described=0
        )
        assert re.search(words, made.reasons[TaskName.RANKER])
        assert "as this plan says" in made.reasons[TaskName.RANKER]

    def test_without_privacy_there_is_nothing_to_split(self) -> None:
        made = schedule(training(epsilon=None), items=300, described=0)
        assert set(made.reasons.values()) == {"Privacy is off: no budget is split."}
