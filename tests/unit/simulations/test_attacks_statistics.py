"""The attacks' statistics against independent computations, and with both outcomes."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from simulations.attacks.statistics import (
    auc,
    auc_interval,
    audit_epsilon,
    audit_p_value,
    clopper_pearson,
    exactly,
    gaussian_accuracy,
    mean_interval,
    permitted_accuracy,
    permitted_auc,
    permitted_tpr,
    variance_interval,
)

RNG = np.random.default_rng(11)


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (3, 10), (10, 10), (500, 1000)])
def test_clopper_pearson_is_the_exact_interval(successes: int, trials: int) -> None:
    ours = clopper_pearson(successes, trials, confidence=0.95)
    theirs = binomtest(successes, trials).proportion_ci(confidence_level=0.95, method="exact")
    assert ours.low == pytest.approx(theirs.low, abs=1e-12)
    assert ours.high == pytest.approx(theirs.high, abs=1e-12)
    assert successes / trials in ours


@pytest.mark.parametrize(("successes", "trials"), [(-1, 10), (11, 10), (0, 0)])
def test_impossible_counts_are_refused(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="Expected 0 <= successes"):
        clopper_pearson(successes, trials)


def test_a_computed_figure_has_no_width() -> None:
    assert 2.0 in exactly(2.0)
    assert 2.0000001 not in exactly(2.0)


def test_auc_counts_pairs() -> None:
    inside, outside = np.array([1.0, 2.0, 2.0]), np.array([0.0, 2.0])
    pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a in inside for b in outside]
    assert auc(inside, outside) == pytest.approx(sum(pairs) / len(pairs))


def test_auc_interval_holds_chance_without_a_signal_and_excludes_it_with_one() -> None:
    blind = auc_interval(RNG.normal(size=400), RNG.normal(size=400), RNG)
    seeing = auc_interval(RNG.normal(1.0, size=400), RNG.normal(size=400), RNG)
    assert 0.5 in blind
    assert 0.5 not in seeing
    assert norm.cdf(1 / math.sqrt(2)) in seeing


def test_mean_interval_holds_the_mean() -> None:
    assert 3.0 in mean_interval(RNG.normal(3.0, size=500), RNG)
    assert 3.3 not in mean_interval(RNG.normal(3.0, size=500), RNG)


def test_variance_interval_tells_a_tenth() -> None:
    samples = RNG.normal(scale=2.0, size=20_000)
    assert 4.0 in variance_interval(samples)
    assert 3.6 not in variance_interval(samples)
    assert 4.4 not in variance_interval(samples)


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0, 4.0])
@pytest.mark.parametrize("delta", [0.0, 1e-5, 0.01])
def test_permitted_region_is_what_randomised_response_reaches(epsilon: float, delta: float) -> None:
    """The mechanism that leaks with δ and else answers with bias e^ε meets the bound exactly."""
    truth = math.exp(epsilon) / (1 + math.exp(epsilon))
    tpr = delta + (1 - delta) * truth
    fpr = (1 - delta) * (1 - truth)
    assert permitted_tpr(fpr, epsilon=epsilon, delta=delta) == pytest.approx(tpr)
    assert permitted_accuracy(epsilon=epsilon, delta=delta) == pytest.approx((tpr + 1 - fpr) / 2)
    # Its ROC curve: nothing, certain leaks, the biased answer, everything but leaks, all.
    x, y = np.array([0.0, 0.0, fpr, 1 - delta, 1.0]), np.array([0.0, delta, tpr, 1.0, 1.0])
    assert permitted_auc(epsilon=epsilon, delta=delta) == pytest.approx(np.trapezoid(y, x))


def test_permitted_region_ends_in_the_corners() -> None:
    assert permitted_tpr(0.0, epsilon=1.0, delta=0.0) == 0.0
    assert permitted_tpr(1.0, epsilon=1.0, delta=0.0) == 1.0


def test_gaussian_accuracy_is_that_of_the_midpoint_threshold() -> None:
    draws = RNG.normal(size=200_000)
    right = (np.count_nonzero(draws + 1.5 > 0.75) + np.count_nonzero(draws <= 0.75)) / 400_000
    assert gaussian_accuracy(1.5) == pytest.approx(right, abs=0.005)


def test_audit_p_value_without_delta_is_a_binomial_tail() -> None:
    chance = math.exp(0.7) / (1 + math.exp(0.7))
    expected = binomtest(700, 1000, chance, alternative="greater").pvalue
    found = audit_p_value(canaries=1000, guesses=1000, right=700, epsilon=0.7, delta=0.0)
    assert found == pytest.approx(expected)


def test_audit_p_value_with_delta_follows_the_definition() -> None:
    """Theorem 5.2 written out term by term."""
    canaries, guesses, right, epsilon, delta = 200, 150, 100, 0.5, 1e-4
    chance = math.exp(epsilon) / (1 + math.exp(epsilon))

    def tail(least: int) -> float:
        if least <= 0:
            return 1.0
        return float(
            sum(
                math.comb(guesses, k) * chance**k * (1 - chance) ** (guesses - k)
                for k in range(least, guesses + 1)
            )
        )

    worst = max((tail(right - i) - tail(right)) / i for i in range(1, right + 1))
    expected = tail(right) + 2 * canaries * delta * worst
    found = audit_p_value(
        canaries=canaries, guesses=guesses, right=right, epsilon=epsilon, delta=delta
    )
    assert found == pytest.approx(expected, rel=1e-9)


def test_audit_bounds_randomised_response_from_below_and_near() -> None:
    truth = math.exp(1.5) / (1 + math.exp(1.5))
    right = round(20_000 * truth)
    found = audit_epsilon(canaries=20_000, guesses=20_000, right=right, delta=1e-9)
    assert 1.4 < found < 1.5
    assert audit_epsilon(canaries=1000, guesses=1000, right=500, delta=1e-9) == 0.0
