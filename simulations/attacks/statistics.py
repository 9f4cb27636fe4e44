"""The statistics of the attacks: exact intervals, what (ε, δ) permits, and the one-run audit.

Intervals cover 99.9 %, not 95 %: a suite of thirty attacks, some of which sit exactly at their
bound (chance is chance), would else raise a false alarm in every other run.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, binom, chi2, norm, rankdata

FloatArray = npt.NDArray[np.float64]
CONFIDENCE: Final = 0.999
RESAMPLES: Final = 4000
# The one-run audit states its lower bound at the usual level of that literature.
AUDIT_CONFIDENCE: Final = 0.95


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A confidence interval of level ``CONFIDENCE``, ends included.

    ``exact``: the figure was computed or decided by a rule; there is nothing to be unsure of.
    """

    low: float
    high: float
    exact: bool = False

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def exactly(value: float) -> Interval:
    """The interval of a figure that is computed and not sampled."""
    return Interval(low=value, high=value, exact=True)


def clopper_pearson(successes: int, trials: int, *, confidence: float = CONFIDENCE) -> Interval:
    """The exact interval of a probability. Source: Clopper, Pearson 1934.

    Raises:
        ValueError: no trials, or more successes than trials.
    """
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"Expected 0 <= successes={successes} <= trials={trials}, trials >= 1.")
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, trials - successes + 1))
    high = (
        1.0 if successes == trials else float(beta.ppf(1 - tail, successes + 1, trials - successes))
    )
    return Interval(low=low, high=high)


def mean_interval(
    values: FloatArray, rng: np.random.Generator, *, confidence: float = CONFIDENCE
) -> Interval:
    """Percentile bootstrap of a mean, over the entries of ``values``."""
    picked = rng.integers(0, values.size, size=(RESAMPLES, values.size))
    return _percentiles(values[picked].mean(axis=1), confidence)


def variance_interval(samples: FloatArray, *, confidence: float = CONFIDENCE) -> Interval:
    """Of the variance of zero-mean samples that are close to normal (Skellam of variance >> 1)."""
    squares, tail = float(np.dot(samples, samples)), (1 - confidence) / 2
    return Interval(
        low=squares / float(chi2.ppf(1 - tail, samples.size)),
        high=squares / float(chi2.ppf(tail, samples.size)),
    )


def weight(
    values: FloatArray, direction: FloatArray, *, confidence: float = CONFIDENCE
) -> tuple[float, Interval]:
    """How often a direction is in a vector, by least squares; what remains counts as noise."""
    length = float(np.linalg.norm(direction))
    found = float(values @ direction) / length**2
    noise = values - found * direction
    half = float(norm.ppf((1 + confidence) / 2)) * float(noise.std()) / length
    return found, Interval(low=found - half, high=found + half)


def auc(inside: FloatArray, outside: FloatArray) -> float:
    """Probability that a member scores above a non-member, ties counted half."""
    ranks = rankdata(np.concatenate([inside, outside]))
    excess = float(ranks[: inside.size].sum()) - inside.size * (inside.size + 1) / 2
    return excess / (inside.size * outside.size)


def auc_interval(
    inside: FloatArray,
    outside: FloatArray,
    rng: np.random.Generator,
    *,
    confidence: float = CONFIDENCE,
    resamples: int = 2000,
) -> Interval:
    """Percentile bootstrap of the AUC over members and non-members apart."""
    drawn = [
        auc(rng.choice(inside, inside.size), rng.choice(outside, outside.size))
        for _ in range(resamples)
    ]
    return _percentiles(np.array(drawn), confidence)


def _percentiles(values: FloatArray, confidence: float) -> Interval:
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(values, [tail, 100 - tail])
    return Interval(low=float(low), high=float(high))


def permitted_tpr(fpr: float, *, epsilon: float, delta: float) -> float:
    """The largest true positive rate of any test at this false positive rate under (ε, δ).

    Source: Kairouz, Oh, Viswanath 2015, Theorem 2.1, both directions of the definition.
    """
    forward = math.exp(epsilon) * fpr + delta
    backward = 1 - math.exp(-epsilon) * (1 - delta - fpr)
    return min(1.0, forward, backward)


def permitted_accuracy(*, epsilon: float, delta: float) -> float:
    """The largest share of right guesses about one fair coin under (ε, δ)."""
    return (math.exp(epsilon) + delta) / (1 + math.exp(epsilon))


def permitted_auc(*, epsilon: float, delta: float) -> float:
    """The area under ``permitted_tpr``: no test's ROC curve encloses more."""
    grow, shrink = math.exp(epsilon), math.exp(-epsilon)
    bend = (1 - delta) / (1 + grow)
    rest = 1 - delta - bend
    return grow * bend**2 / 2 + delta * bend + rest - shrink * rest**2 / 2 + delta


def gaussian_accuracy(distance: float) -> float:
    """Right guesses of the best test between two normals ``distance`` standard deviations apart."""
    return float(norm.cdf(distance / 2))


def audit_p_value(
    *, canaries: int, guesses: int, right: int, epsilon: float, delta: float
) -> float:
    """How likely an (ε, δ) mechanism lets an adversary guess so many canaries right, at most.

    With f(v) = P(Bin(guesses, e^ε / (1 + e^ε)) >= v), the bound is
    f(right) + 2 · canaries · δ · max_{1 <= i <= right} (f(right - i) - f(right)) / i.
    Source: Steinke, Nasr, Jagielski 2023, "Privacy auditing with one (1) training run", Thm 5.2.
    """
    chance = 1 / (1 + math.exp(-epsilon))
    steps = np.arange(1, right + 1)
    tail = float(binom.sf(right - 1, guesses, chance))
    excess = binom.sf(right - steps - 1, guesses, chance) - tail
    slope = float(np.max(excess / steps, initial=0.0))
    return min(1.0, tail + 2 * canaries * delta * slope)


def audit_epsilon(
    *, canaries: int, guesses: int, right: int, delta: float, confidence: float = AUDIT_CONFIDENCE
) -> float:
    """The largest ε that these guesses refute: with ``confidence`` the true ε is above it.

    0 where even ε = 0 explains them.
    """

    def refuted(epsilon: float) -> bool:
        value = audit_p_value(
            canaries=canaries, guesses=guesses, right=right, epsilon=epsilon, delta=delta
        )
        return value < 1 - confidence

    low, high = 0.0, 64.0
    if not refuted(low):
        return 0.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low
