"""Leave-one-out metrics: where the held-out item stands among given negatives, and among all items.

HR@k is 1 where the held-out item is among the best k, NDCG@k is 1/log2(rank + 1) there. Items that
share the held-out item's score share its rank: every order of them counts alike, so a metric is its
mean over all these orders, computed exactly. A scorer that says the same of every item is then at
chance to the last digit, wherever in a list the held-out item was put. Published code that puts
the held-out item first or last and breaks ties by position is not.
"""

from collections.abc import Sequence

import numpy as np

from client.contributions.history import FloatArray, IndexArray
from simulations.evaluation.metrics import (
    CUTOFFS,
    SHOPPERS_AT_ONCE,
    BoolArray,
    Scorer,
    checked,
)
from simulations.evaluation.protocol import Fold


def measure_ranks(
    scorer: Scorer,
    fold: Fold,
    *,
    negatives: Sequence[IndexArray] | None,
    cutoffs: Sequence[int] = CUTOFFS,
) -> dict[str, FloatArray]:
    """HR and NDCG of every tested shopper's held-out item.

    Args:
        scorer: of the fold's tested shoppers.
        fold: each truth is one item.
        negatives: what the item competes with, one entry a tested shopper; None for all items
            that she has not had in training.
        cutoffs: the k.

    Returns:
        "hr@10", "ndcg@10" and so on to float64, shape (tested,).

    Raises:
        InvalidInputError: a score that is not a number: it would pass for the worst.
    """
    above, tied = both_ranks(scorer, fold, (negatives,))[0]
    return at_cutoffs(above, tied, cutoffs)


def both_ranks(
    scorer: Scorer, fold: Fold, competitions: Sequence[Sequence[IndexArray] | None]
) -> list[tuple[IndexArray, IndexArray]]:
    """Per competition: how many score above the held-out item, and how many others the same.

    Scores every shopper once, whatever the number of competitions.
    """
    truth = np.array([int(items[0]) for items in fold.truth])
    above = np.zeros((len(competitions), truth.size), dtype=np.int64)
    tied = np.zeros_like(above)
    for start in range(0, truth.size, SHOPPERS_AT_ONCE):
        rows = slice(start, min(start + SHOPPERS_AT_ONCE, truth.size))
        scores = checked(scorer(rows))
        own = np.take_along_axis(scores, truth[rows, None], axis=1)
        for number, given in enumerate(competitions):
            rivals = _rivals(fold, rows, given)
            above[number, rows] = (rivals & (scores > own)).sum(axis=1)
            tied[number, rows] = (rivals & (scores == own)).sum(axis=1)
    return list(zip(above, tied, strict=True))


def at_cutoffs(
    above: IndexArray, tied: IndexArray, cutoffs: Sequence[int] = CUTOFFS
) -> dict[str, FloatArray]:
    """HR and NDCG from the number of better and of equal competitors, each shape (tested,)."""
    places = int((above + tied).max(initial=0)) + 1
    metrics: dict[str, FloatArray] = {}
    for k in cutoffs:
        gain = np.where(np.arange(places) < k, 1.0 / np.log2(np.arange(2, places + 2)), 0.0)
        hit = (np.arange(places) < k).astype(np.float64)
        for name, value in (("hr", hit), ("ndcg", gain)):
            summed = np.append(0.0, np.cumsum(value))
            metrics[f"{name}@{k}"] = (summed[above + tied + 1] - summed[above]) / (tied + 1)
    return metrics


def _rivals(fold: Fold, rows: slice, given: Sequence[IndexArray] | None) -> BoolArray:
    """Which items the held-out one competes with, shape (shoppers, items); never with itself."""
    bought: BoolArray = fold.counts[rows].toarray() > 0
    rivals = ~bought if given is None else np.zeros_like(bought)
    for row, shopper in enumerate(range(rows.start, rows.stop)):
        if given is not None:
            rivals[row, given[shopper]] = True
        rivals[row, fold.truth[shopper]] = False
    return rivals
