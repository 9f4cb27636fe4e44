"""Intervals cover what they say, p-values are uniform under nothing, and Holm is by the book."""

import itertools
import math

import numpy as np
import pytest

from simulations.evaluation.metrics import best
from simulations.evaluation.significance import (
    compare_seeds,
    holm,
    permutation_p,
    seeded_interval,
    summarise_seeds,
)


def test_the_interval_covers_shoppers_and_seeds() -> None:
    rng = np.random.default_rng(1)
    shoppers, seeds = rng.normal(0, 1, 900), rng.normal(0, 0.3, 200)
    one, many = shoppers[None, :] + 5.0, shoppers + seeds[:, None] + 5.0
    low, high = seeded_interval(one, rng=rng, resamples=4000)
    assert high - low == pytest.approx(2 * 1.96 / 30, rel=0.08)
    low, high = seeded_interval(many[:9], rng=rng, resamples=4000)
    spread = math.hypot(1 / 30, np.std(seeds[:9], ddof=1) / 3)
    assert high - low == pytest.approx(2 * 1.96 * spread, rel=0.12)
    assert low < many[:9].mean() < high


def test_few_seeds_show_their_variance_whole() -> None:
    """Of five draws and no difference between shoppers: the unbiased variance of their mean."""
    rng = np.random.default_rng(11)
    shown, held = [], 0
    for _ in range(300):
        draws = np.repeat(rng.normal(0, 1, 5)[:, None], 20, axis=1)
        low, high = seeded_interval(draws, rng=rng, resamples=400)
        shown.append(((high - low) / (2 * 1.96)) ** 2)
        held += low <= 0 <= high
    assert np.mean(shown) == pytest.approx(1 / 5, rel=0.12)
    assert held / 300 == pytest.approx(0.88, abs=0.05)


def test_a_shopper_without_the_metric_does_not_count() -> None:
    rng = np.random.default_rng(2)
    values = np.array([[0.5, np.nan, 0.5], [0.5, np.nan, 0.5]])
    assert seeded_interval(values, rng=rng) == (0.5, 0.5)
    got = summarise_seeds({"rare": values, "none": np.full((2, 3), np.nan)}, rng=rng)
    assert got == {"rare": 0.5, "rare_ci": [0.5, 0.5]}


def test_the_permutation_test_is_the_exact_one() -> None:
    difference = np.array([0.3, -0.1, 0.4, 0.2, 0.0, 0.25])
    signed = [
        abs(np.dot(signs, difference)) >= abs(difference.sum()) - 1e-9
        for signs in itertools.product((-1, 1), repeat=6)
    ]
    got = permutation_p(difference, rng=np.random.default_rng(3), flips=40_000)
    assert got == pytest.approx(np.mean(signed), abs=0.01)


def test_p_values_are_uniform_where_nothing_differs_and_small_where_something_does() -> None:
    rng = np.random.default_rng(4)
    p = [permutation_p(rng.normal(0, 1, 60), rng=rng, flips=400) for _ in range(300)]
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.05)
    assert permutation_p(rng.normal(0.8, 1, 60), rng=rng, flips=400) == 1 / 401
    assert permutation_p(np.zeros(5), rng=rng, flips=100) == 1.0


def test_large_differences_that_cancel_are_no_difference() -> None:
    """In whatever order they are added: rounding must not put a flip below what was observed."""
    rng = np.random.default_rng(12)
    half = rng.random(500)
    difference = rng.permutation(np.concatenate([half, -half]))
    assert permutation_p(difference, rng=rng, flips=200) == 1.0


def test_holm_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03, 0.5]) == pytest.approx([0.09, 0.04, 0.09, 0.5])
    assert holm([]) == []


def test_models_are_compared_shopper_by_shopper() -> None:
    rng = np.random.default_rng(5)
    level = rng.normal(0, 5, 400)
    noisy = level + 0.1 + rng.normal(0, 0.05, (3, 400))
    measured = {
        "noisy": {"m": noisy, "none": np.full((3, 400), np.nan)},
        "plain": {"m": level[None, :], "none": np.full((1, 400), np.nan)},
        "same": {"m": level[None, :].copy(), "none": np.full((1, 400), np.nan)},
    }
    first, second = compare_seeds(
        measured,
        [("noisy", "plain"), ("same", "plain")],
        metrics=("m", "none"),
        rng=rng,
        flips=1000,
    )
    assert first.mean == pytest.approx(0.1, abs=0.01)
    assert 0.08 < first.ci[0] < first.ci[1] < 0.12
    assert first.p == 1 / 1001
    assert first.p_holm == pytest.approx(2 / 1001)
    assert first.relative == pytest.approx(first.mean / level.mean())
    assert (second.mean, second.p, second.p_holm) == (0.0, 1.0, 1.0)
    assert first.to_json()["metric"] == "m"
    zero = {"a": {"m": np.ones((1, 4))}, "b": {"m": np.zeros((1, 4))}}
    [nothing] = compare_seeds(zero, [("a", "b")], metrics=("m",), rng=rng, flips=10)
    assert nothing.to_json()["relative"] is None


def test_the_best_of_a_row_are_those_of_a_full_sort() -> None:
    rng = np.random.default_rng(6)
    scores = rng.integers(0, 5, (50, 40)).astype(float)
    scores[0] = 0.0
    scores[1, 3:] = -np.inf
    wide = np.concatenate([rng.random((5, 900)), rng.integers(0, 9, (5, 900))])
    wide[7:, 250:] = -1.0
    for count in (1, 20, 300):
        whole = np.argsort(-wide, axis=1, kind="stable")[:, :count]
        assert np.array_equal(best(wide, count), whole)
    for count in (1, 7, 39, 40, 60):
        whole = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        assert np.array_equal(best(scores, count), whole)
