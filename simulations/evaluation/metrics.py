"""Next-basket metrics per shopper, and their means with bootstrap intervals over shoppers.

At each cutoff k, over the k best items of a list and the held-out basket: recall (share of the
basket found), NDCG (discounted hits against the best possible list of k), PHR (1 if anything was
found). Each also for the part of the basket that repeats and the part that explores, over the
shoppers whose basket has such a part. ``repeat_share`` is the share of the list that repeats.
``ndcg_new`` and ``recall_new`` are of a list of new items alone, against the part that explores:
how well a model tells new items apart, whatever it thinks of the old ones.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from client.contributions.history import FloatArray
from crypto.errors import InvalidInputError
from simulations.evaluation.protocol import Fold

CUTOFFS = (10, 20)
RESAMPLES = 1000
CONFIDENCE = 0.95
SHOPPERS_AT_ONCE = 512
# Up to here a sort costs no more than finding out what is worth sorting.
SORTED_AT_ONCE = 200

BoolArray = npt.NDArray[np.bool_]
# Scores of all items, shape (stop - start, items), for a slice of a fold's tested shoppers.
Scorer = Callable[[slice], FloatArray]


def measure(
    scorer: Scorer, fold: Fold, *, cutoffs: Sequence[int] = CUTOFFS
) -> dict[str, FloatArray]:
    """Every metric for every tested shopper.

    Returns:
        Metric name to float64, shape (tested,); NaN where a shopper's basket has no such part.
        Names are "ndcg@10", "recall_explore@20", "repeat_share@10" and so on.

    Raises:
        InvalidInputError: a score that is not a number: it has no place in an order.
    """
    pieces = []
    for start in range(0, len(fold.tested), SHOPPERS_AT_ONCE):
        rows = slice(start, min(start + SHOPPERS_AT_ONCE, len(fold.tested)))
        wanted = fold.wanted[rows].toarray() > 0
        bought = fold.counts[rows].toarray() > 0
        pieces.append(_measure(checked(scorer(rows)), wanted, bought, cutoffs))
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def checked(scores: FloatArray) -> FloatArray:
    """The scores as they are.

    Raises:
        InvalidInputError: one is not a number.
    """
    if np.isnan(scores).any():
        raise InvalidInputError("A model scored an item with NaN; a rank needs numbers.")
    return scores


def summarise(
    metrics: Mapping[str, FloatArray], *, rng: np.random.Generator, resamples: int = RESAMPLES
) -> dict[str, float | list[float]]:
    """Mean and 95 % bootstrap interval of every metric: name, and name + "_ci".

    Resamples shoppers, the same ones for every metric. A metric that no shopper has is left out.
    """
    names = [name for name, values in metrics.items() if not np.isnan(values).all()]
    if not names:
        return {}
    table = np.column_stack([metrics[name] for name in names])
    low, high = interval(table, rng=rng, resamples=resamples)
    summary: dict[str, float | list[float]] = {}
    for column, name in enumerate(names):
        summary[name] = float(np.nanmean(table[:, column]))
        summary[f"{name}_ci"] = [float(low[column]), float(high[column])]
    return summary


def interval(
    table: FloatArray, *, rng: np.random.Generator, resamples: int = RESAMPLES
) -> tuple[FloatArray, FloatArray]:
    """Percentile bootstrap of the column means, over rows; NaN entries don't count.

    Args:
        table: float64, shape (shoppers, metrics); no column all NaN.
        rng: draws the resamples.
        resamples: how many.

    Returns:
        Lower and upper ends, each shape (metrics,).
    """
    there = ~np.isnan(table)
    filled = np.where(there, table, 0.0)
    even = np.full(len(table), 1.0 / len(table))
    times = rng.multinomial(len(table), even, size=resamples).astype(np.float64)
    # A resample without a single shopper who has the metric says nothing; it repeats the mean.
    mean = filled.sum(axis=0) / there.sum(axis=0)
    shoppers = times @ there
    means = np.where(shoppers > 0, (times @ filled) / np.maximum(shoppers, 1.0), mean)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(means, [tail, 100 - tail], axis=0)
    return low, high


def best(scores: FloatArray, count: int) -> npt.NDArray[np.intp]:
    """The ``count`` best items of each row, best first; ties go to the item listed first."""
    items = scores.shape[1]
    if count >= items:
        return np.argsort(-scores, axis=1, kind="stable")
    ranked = np.empty((len(scores), count), dtype=np.intp)
    for row, values in enumerate(scores):
        ranked[row] = _first(values, count)
    return ranked


def _first(values: FloatArray, count: int) -> npt.NDArray[np.intp]:
    """``best`` of one row: sorts what is above the row's least value, and of that only the top.

    Most models leave most items at one lowest score, which costs a sort or a selection of all
    items more than everything else here.
    """
    least = values.min()
    above = np.flatnonzero(values > least)
    if above.size > max(SORTED_AT_ONCE, count):
        edge = above.size - count
        last = np.partition(values[above], edge)[edge]
        above = above[values[above] >= last]
    first = above[np.argsort(-values[above], kind="stable")[:count]]
    if first.size == count:
        return first
    return np.append(first, np.flatnonzero(values == least)[: count - first.size])


def _measure(
    scores: FloatArray, wanted: BoolArray, bought: BoolArray, cutoffs: Sequence[int]
) -> dict[str, FloatArray]:
    ranked = best(scores, max(cutoffs))
    parts = {"": wanted, "_repeat": wanted & bought, "_explore": wanted & ~bought}
    old = np.take_along_axis(bought, ranked, axis=1)
    metrics: dict[str, FloatArray] = {}
    fresh = np.take_along_axis(
        parts["_explore"], best(np.where(bought, -np.inf, scores), max(cutoffs)), axis=1
    )
    for k in cutoffs:
        new = _at(fresh[:, :k], parts["_explore"].sum(axis=1), f"_new@{k}")
        metrics |= {name: new[name] for name in (f"ndcg_new@{k}", f"recall_new@{k}")}
        metrics[f"repeat_share@{k}"] = old[:, :k].mean(axis=1)
        for suffix, part in parts.items():
            hits = np.take_along_axis(part, ranked[:, :k], axis=1)
            metrics |= _at(hits, part.sum(axis=1), f"{suffix}@{k}")
    return metrics


def _at(hits: BoolArray, size: npt.NDArray[np.intp], suffix: str) -> dict[str, FloatArray]:
    """Recall, NDCG and PHR from the hits in rank order, shape (shoppers, k)."""
    k = hits.shape[1]
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.append(0.0, np.cumsum(discount))[np.minimum(size, k)]
    some = size > 0
    nothing = np.full(len(hits), np.nan)
    return {
        f"recall{suffix}": np.divide(hits.sum(axis=1), size, out=nothing.copy(), where=some),
        f"ndcg{suffix}": np.divide(hits @ discount, ideal, out=nothing.copy(), where=some),
        f"phr{suffix}": np.where(some, hits.any(axis=1), np.nan),
    }
