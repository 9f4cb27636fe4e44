"""Attacks on what a release tells: each holds where it must and breaks where protection is gone."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.dp.widths import NoiseSet
from crypto.sums.schemes import Scheme
from simulations.attacks import (
    dropouts,
    leak_probe,
    membership,
    poisoning,
    row_support,
    sensitivity,
)
from simulations.attacks.canaries import audit, play, visible
from simulations.attacks.differencing import point, tell_apart
from simulations.attacks.finding import Finding
from simulations.attacks.labs import LABS
from simulations.attacks.permitted import permitted
from simulations.attacks.piece_lab import PieceLab
from simulations.attacks.pipeline import Pipeline, sealed_equals_plain
from simulations.attacks.setting import under
from simulations.attacks.statistics import gaussian_accuracy, permitted_accuracy
from simulations.evaluation.metrics import best as best_of
from simulations.evaluation.negatives import times_drawn
from tests.unit.simulations.attack_runs import a_bare_run, a_plan, a_run, a_setting

RNG = np.random.default_rng(4)


def test_sensitivity_holds_and_its_control_fires() -> None:
    found = sensitivity.sensitivity(a_setting())
    assert found.passed
    assert 0.9 < found.figure <= 1.0


def test_sensitivity_holds_for_real_vectors() -> None:
    plan = a_plan(noise=NoiseSet.CENTRED_GAUSSIAN, experimental=True)
    found = sensitivity.largest_norm(plan, SecureRandom(), RNG, draws=1)
    assert found.passed


def test_sensitivity_sees_a_bound_that_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PrivacyPlan, "squared_sensitivity", 0.5 * a_plan().scale ** 2)
    found = sensitivity.largest_norm(a_plan(), SecureRandom(), RNG, draws=2)
    assert not found.holds
    assert found.figure > 1.0


def test_worst_cases_hold_the_broken_numbers() -> None:
    cases = dict(sensitivity.worst_cases(8, RNG))
    assert any(np.isnan(each).any() for each in cases.values())
    assert any(np.isinf(each).any() for each in cases.values())
    assert any(np.abs(each).max() > 1e300 for each in cases.values())
    assert any(0 < np.abs(each).max() < 1e-300 for each in cases.values())


def canary_audit(noise: float, *, claimed: float) -> Finding:
    return audit(a_setting(), a_plan(noise, dimension=1024), claimed=claimed, count=1000)


def test_canaries_hold_and_the_control_fires() -> None:
    plan = a_plan(6.0, dimension=1024)
    found = canary_audit(6.0, claimed=plan.round_epsilon())
    assert found.passed
    assert found.interval.low == found.figure


def test_canaries_refute_a_claim_of_too_little_noise() -> None:
    claimed = a_plan(6.0, dimension=1024).round_epsilon()
    assert not canary_audit(0.5, claimed=claimed).holds


def test_canaries_say_what_noise_they_would_notice() -> None:
    plan = a_plan(6.0, dimension=1024)
    edge = visible(1000, plan, plan.round_epsilon())
    assert 0.5 < edge < 2.0


def test_canaries_without_noise_are_all_guessed() -> None:
    coins = RNG.random(64) < 0.5
    pipeline = Pipeline(plan=a_plan(6.0, dimension=64), context="ab", rng=SecureRandom())
    assert play(pipeline, coins, noise=False).right == 64
    assert play(pipeline, coins, noise=True).right < 64


def difference(noise: float, *, claimed: PrivacyPlan) -> Finding:
    """The finding on noise of one multiplier under the claim of another plan."""
    promised = claimed.round_epsilon()
    bound = permitted(
        [replace(a_run().popularity, plan=claimed)],
        permitted_accuracy,
        stated=(promised, claimed.delta),
    )
    plan = a_plan(noise, dimension=16)
    return tell_apart(a_setting(), plan, claimed=promised, bound=bound, repetitions=1000)


def test_differencing_holds_agrees_with_theory_and_its_control_fires() -> None:
    found = difference(6.0, claimed=a_plan(6.0, dimension=16))
    assert found.passed
    assert "within" in found.details["theory, best test against normal noise"]


def test_differencing_sees_a_third_of_the_noise() -> None:
    """Which the stated pair alone would let pass."""
    claimed = a_plan(6.0, dimension=16)
    found = difference(2.0, claimed=claimed)
    assert not found.holds
    stated = permitted_accuracy(epsilon=claimed.round_epsilon(), delta=claimed.delta)
    assert found.bound is not None
    assert found.bound < found.figure < stated


def test_what_a_plan_permits_is_near_the_best_test_there_is() -> None:
    plan = a_plan(6.0, dimension=16)
    release = replace(a_run().popularity, plan=plan)
    stated = (plan.round_epsilon(), plan.delta)
    found = permitted([release], permitted_accuracy, stated=stated)
    best = gaussian_accuracy(1 / 6.0)
    assert best < found.least < best + 0.03
    assert found.least < found.stated
    assert f"{found.stated:.3f}" in found.told
    two = permitted([release, release], permitted_accuracy, stated=stated)
    assert two.least > found.least


def test_a_point_lies_beyond_the_region_or_not() -> None:
    inside, outside = RNG.normal(1.0, size=4000), RNG.normal(0.0, size=4000)
    found = point(inside, outside, 0.5)
    assert found.beyond(epsilon=0.3, delta=1e-5)
    assert not found.beyond(epsilon=3.0, delta=1e-5)


def test_membership_holds_on_a_noisy_run_and_its_control_fires() -> None:
    found = membership.membership(a_setting(a_run()))
    assert found.passed
    assert 0.4 < found.figure < 0.9


def test_membership_catches_a_run_whose_noise_was_never_added() -> None:
    found = membership.membership(a_setting(a_bare_run()))
    assert not found.holds
    assert found.figure > 0.99


def test_the_few_without_noise_are_found_only_without_noise() -> None:
    table = dict(a_run().contributions(a_run().popularity.task))
    assert membership.few_without_noise(table, 0.7, RNG, few=5).fired
    blind = {name: RNG.normal(size=60) * 0 for name in table}
    assert not membership.few_without_noise(blind, 0.7, RNG, few=5).fired


def test_poisoning_is_bounded_by_clipping_and_unbounded_without() -> None:
    found = poisoning.poisoning(a_setting())
    assert found.passed
    assert found.control.figure == pytest.approx(poisoning.LIE)


def test_poisoning_sees_clipping_that_lets_too_much_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = a_run().popularity
    pipeline = a_setting().pipeline(release.plan)
    honest = Pipeline.shoppers_alone
    monkeypatch.setattr(Pipeline, "shoppers_alone", lambda self, given: 2 * honest(self, given))
    assert not poisoning.promote_cold(release, pipeline).holds


@pytest.mark.parametrize("scheme", list(Scheme))
def test_dropouts_leave_the_accounted_noise(scheme: Scheme) -> None:
    plan = a_plan(dimension=64, scheme=scheme)
    assert dropouts.least_noise(a_setting(), plan, samples=1 << 14).passed


def test_dropouts_see_clients_that_add_too_little(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Pipeline.client_noise
    monkeypatch.setattr(Pipeline, "client_noise", lambda self, clients: honest(self, clients - 4))
    assert not dropouts.least_noise(a_setting(), a_plan(dimension=64), samples=1 << 14).holds


def test_dropouts_see_noise_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Pipeline.accounted_noise
    monkeypatch.setattr(
        Pipeline, "accounted_noise", lambda self: np.rint(0.9 * honest(self)).astype(np.int64)
    )
    found = dropouts.least_noise(a_setting(), a_plan(dimension=64), samples=1 << 14)
    assert not found.holds


def test_the_probe_is_at_chance_and_finds_everything_once_leaky() -> None:
    found = leak_probe.leak_probe(a_setting())
    assert found.passed
    assert found.control.figure > 0.95


def test_the_probe_fails_an_evaluator_that_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = leak_probe.leave_one_out
    monkeypatch.setattr(
        leak_probe, "leave_one_out", lambda fold, rng, *, leaky: honest(fold, rng, leaky=True)
    )
    assert not leak_probe.probe(a_run().fold, RNG).holds


def test_negatives_never_hold_an_excluded_item_and_hold_every_other() -> None:
    counts = times_drawn(np.array([0, 3]), items=6, count=600, rng=RNG)
    assert counts[[0, 3]].tolist() == [0, 0]
    assert (counts[[1, 2, 4, 5]] > 0).all()
    assert best_of(-counts[None], 2).tolist() == [[0, 3]]


@pytest.mark.parametrize("scheme", list(Scheme))
def test_rows_are_hidden_by_sealing_and_by_nothing_else(scheme: Scheme) -> None:
    run = a_run(scheme)
    found = row_support.row_support(a_setting(run), shoppers=40)
    assert found.passed
    assert found.control.figure == 1.0


def test_rows_of_a_scheme_that_does_not_seal_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = PieceLab(plan=a_plan(0.1), rng=SecureRandom())
    opened: list[np.ndarray] = []
    honest = Pipeline.client

    def watched(self: Pipeline, shoppers: Any) -> object:
        made = honest(self, shoppers)
        opened.append(made.values)
        return made

    monkeypatch.setattr(Pipeline, "client", watched)
    monkeypatch.setattr(PieceLab, "blind", lambda self, sealed: opened[-1])
    shoppers = {str(k): np.eye(60)[k] for k in range(40)}
    assert not row_support.guess(a_setting(), lab, shoppers).holds


@pytest.mark.parametrize("scheme", list(Scheme))
def test_sealed_sums_equal_plain_ones(scheme: Scheme) -> None:
    plan = a_plan(scheme=scheme)
    lab = LABS[scheme](plan, SecureRandom())
    vectors = list(np.abs(RNG.normal(size=(5, 60))))
    assert sealed_equals_plain(lab, a_setting().pipeline(plan), vectors).equal


def test_a_sealed_sum_that_differs_is_told() -> None:
    plan = a_plan()
    lab = PieceLab(plan=plan, rng=SecureRandom())
    pipeline = a_setting().pipeline(plan)
    honest = lab.scheme.combine
    lab.scheme.combine = lambda total, parts: honest(total, parts) + 1  # type: ignore[method-assign]
    assert not sealed_equals_plain(lab, pipeline, [np.ones(60)]).equal


@pytest.mark.parametrize("scheme", [Scheme.COMPACT_SUM, Scheme.PIECE_SUM])
def test_set_b_is_attacked_as_well(scheme: Scheme) -> None:
    """Real vectors, centred noise: the same claims, the same controls."""
    plan = a_plan(dimension=1024, scheme=scheme, noise=NoiseSet.CENTRED_GAUSSIAN, experimental=True)
    claimed = plan.round_epsilon()
    assert audit(a_setting(), plan, claimed=claimed, count=1000).passed
    assert dropouts.least_noise(a_setting(), plan, samples=1 << 13).passed
    vectors = list(np.eye(1024)[:5])
    lab = LABS[scheme](plan, SecureRandom())
    assert sealed_equals_plain(lab, a_setting().pipeline(plan), vectors).equal
    run = replace(a_run(), releases=(replace(a_run().popularity, plan=plan, epsilon=claimed),))
    short = under(plan, scheme, clients=4, dimension=16)
    bound = permitted(run.releases, permitted_accuracy, stated=(claimed, plan.delta))
    found = tell_apart(a_setting(), short, claimed=claimed, bound=bound, repetitions=500)
    assert found.passed
