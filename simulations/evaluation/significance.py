"""Is a difference more than luck? Intervals over shoppers and noise seeds, and a permutation test.

A model with noise is measured once a seed. Its figure is the mean over seeds, and its interval
resamples shoppers *and* seeds, so that it covers both. Two models are always compared shopper by
shopper. The permutation test flips the sign of each shopper's difference, the mean over seeds:
under the hypothesis that the two models are alike either sign was as likely. It asks about other
shoppers, with the draws of the noise as they fell; the interval asks about other draws too. Where
several comparisons are made on one metric, Holm's rule keeps the chance that any of them is a
false alarm at the stated level.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from client.contributions.history import FloatArray
from simulations.evaluation.metrics import CONFIDENCE, RESAMPLES

FLIPS = 10_000
_FLIPS_AT_ONCE = 500

# Model to metric to values, shape (seeds, tested); NaN where a shopper has no such metric.
Seeded = Mapping[str, Mapping[str, FloatArray]]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """First minus second, paired by shopper.

    Attributes:
        metric: what was compared, over the shoppers who have it.
        mean: of the difference.
        ci: 95 % bootstrap interval over shoppers and noise seeds.
        p: two-sided, of the sign-flip permutation test.
        p_holm: the same, adjusted for all comparisons made together on this metric.
        relative: mean over the second model's mean; NaN where that is 0.
        relative_ci: the interval over the same, taken as a constant.
    """

    first: str
    second: str
    metric: str
    mean: float
    ci: tuple[float, float]
    p: float
    p_holm: float
    relative: float
    relative_ci: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """The difference as a JSON-able object; a relative change of nothing is null."""
        whole = asdict(self)
        if not np.isfinite(self.relative):
            whole |= {"relative": None, "relative_ci": None}
        return whole


def seeded_interval(
    values: FloatArray, *, rng: np.random.Generator, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Percentile bootstrap of the mean over shoppers and seeds.

    Of n seeds each resample draws n - 1: drawing n, the few that there are would show their
    variance (n - 1) / n too small (Rao and Wu 1988). Of a single seed nothing is known of others.
    Where noise outweighs shoppers, few seeds still give a narrow interval: five hold what they
    should in some 88 % of cases.

    Args:
        values: float64, shape (seeds, shoppers); a shopper with NaN does not count.
        rng: draws the resamples.
        resamples: how many.
    """
    there = values[:, ~np.isnan(values).any(axis=0)]
    seeds, shoppers = there.shape
    even = np.full(shoppers, 1.0 / shoppers)
    times = rng.multinomial(shoppers, even, size=resamples) / shoppers
    drawn = max(seeds - 1, 1)
    chosen = rng.multinomial(drawn, np.full(seeds, 1.0 / seeds), size=resamples) / drawn
    means = np.einsum("rs,rs->r", chosen, times @ there.T)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


def summarise_seeds(
    metrics: Mapping[str, FloatArray], *, rng: np.random.Generator, resamples: int = RESAMPLES
) -> dict[str, float | list[float]]:
    """Mean and interval of every metric over shoppers and seeds, as in ``metrics.json``.

    A metric that no shopper has is left out.
    """
    summary: dict[str, float | list[float]] = {}
    for name, values in metrics.items():
        if not np.isnan(values).all():
            summary[name] = float(np.nanmean(values))
            summary[f"{name}_ci"] = list(seeded_interval(values, rng=rng, resamples=resamples))
    return summary


def permutation_p(difference: FloatArray, *, rng: np.random.Generator, flips: int = FLIPS) -> float:
    """Two-sided p-value of a mean difference under random signs, never below 1 / (flips + 1).

    Args:
        difference: float64, shape (shoppers,), without NaN.
        rng: draws the signs.
        flips: how many draws.
    """
    # Rounding must not break an even tie, also where large differences nearly cancel.
    observed = abs(float(difference.sum())) - 1e-12 * float(np.abs(difference).sum())
    as_far = 0
    for start in range(0, flips, _FLIPS_AT_ONCE):
        size = (min(_FLIPS_AT_ONCE, flips - start), difference.size)
        signs = 2.0 * rng.integers(0, 2, size=size, dtype=np.int8) - 1.0
        as_far += int(np.sum(np.abs(signs @ difference) >= observed))
    return (as_far + 1) / (flips + 1)


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values of tests made together (Holm 1979), in the given order."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(
        [min(1.0, p[at] * (len(p) - place)) for place, at in enumerate(order)]
    )
    return [float(value) for value in adjusted]


def compare_seeds(
    measured: Seeded,
    pairs: Sequence[tuple[str, str]],
    *,
    metrics: Sequence[str],
    rng: np.random.Generator,
    flips: int = FLIPS,
) -> list[Difference]:
    """Every pair of models on every metric; p-values are adjusted within a metric."""
    found: list[Difference] = []
    for metric in metrics:
        family = []
        for first, second in pairs:
            one, other = measured[first][metric], measured[second][metric]
            if not np.isnan(one - other[:1]).all():
                family.append(_difference((first, second, metric), one, other, rng, flips))
        adjusted = holm([difference.p for difference in family])
        found += [
            replace(difference, p_holm=p) for difference, p in zip(family, adjusted, strict=True)
        ]
    return found


def _difference(
    names: tuple[str, str, str],
    one: FloatArray,
    other: FloatArray,
    rng: np.random.Generator,
    flips: int,
) -> Difference:
    there = ~(np.isnan(one).any(axis=0) | np.isnan(other).any(axis=0))
    one, other = one[:, there], other[:, there]
    base = float(other.mean())
    # Seeds of two noisy models pair up; a model without noise has one value for all of them.
    paired = one - other if len(one) == len(other) else one - other.mean(axis=0)
    mean, ci = float(paired.mean()), seeded_interval(paired, rng=rng)
    p = permutation_p(paired.mean(axis=0), rng=rng, flips=flips)
    low, high = (end / base if base else np.nan for end in ci)
    return Difference(
        first=names[0],
        second=names[1],
        metric=names[2],
        mean=mean,
        ci=ci,
        p=p,
        p_holm=p,
        relative=mean / base if base else np.nan,
        relative_ci=(low, high),
    )
