"""What a week of lists and baskets comes to."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from simulations.drift.town import Bools, Floats, Ints

# Weeks over which "different items" are counted.
SPAN: Final = 4

TITLES: Mapping[str, str] = {
    "repeat_share": "Repeats in the list",
    "diversity": "Different categories in a list",
    "coverage": "Shelf that appears in some list",
    "gini_lists": "Inequality of what lists show (Gini)",
    "new_recall": "New purchases that the list held",
    "new_share": "New items in the basket",
    "variety": "Different items bought in four weeks",
    "gini_bought": "Inequality of what is bought (Gini)",
    "satisfaction": "Satisfaction with what was bought",
}
# What each is counted in.
UNITS: Mapping[str, str] = {
    "repeat_share": "share of the list's places",
    "diversity": "share of the pairs in a list",
    "coverage": "share of the items on the shelf",
    "gini_lists": "0: all items alike, 1: one has all",
    "new_recall": "share of the lines that were new to her",
    "new_share": "share of all lines",
    "variety": "items a shopper",
    "gini_bought": "0: all items alike, 1: one has all",
    "satisfaction": "share of the shelf that she likes less",
}


def of_lists(listed: Ints, known: Bools, kind: Ints, sold: Bools) -> dict[str, float]:
    """Figures of one week's lists, shape (shoppers, places); places of -1 are empty.

    ``repeat_share`` of the filled places; ``diversity``: share of pairs within a list that are of
    different categories; ``coverage``: share of the items on the shelf that some list shows;
    ``gini_lists``: of how often each item on the shelf is shown, 0 for all alike.
    """
    row, place = np.nonzero(listed >= 0)
    items = listed[row, place]
    return {
        "repeat_share": float(known[row, items].mean()),
        "diversity": float(np.mean([_different(kind[mine[mine >= 0]]) for mine in listed])),
        "coverage": float(np.unique(items).size / sold.sum()),
        "gini_lists": gini(np.bincount(items, minlength=sold.size)[sold].astype(np.float64)),
    }


def of_baskets(
    bought: Bools, known: Bools, listed: Ints | None, sold: Bools, last: Sequence[Bools]
) -> dict[str, float]:
    """Figures of one week's baskets, shape (shoppers, items); ``known`` is as it was before.

    ``new_share``: of all lines, those new to their shopper; ``new_recall``: of those, the ones her
    list held; ``variety``: different items a shopper in the weeks ``last``.
    """
    fresh = bought & ~known
    found = {
        "new_share": float(fresh.sum() / max(bought.sum(), 1)),
        "variety": float(np.any(np.stack(last), axis=0).sum(axis=1).mean()),
        "gini_bought": gini(bought.sum(axis=0)[sold].astype(np.float64)),
    }
    if listed is not None:
        shown = np.zeros(bought.shape, dtype=bool)
        row, place = np.nonzero(listed >= 0)
        shown[row, listed[row, place]] = True
        found["new_recall"] = float((fresh & shown).sum() / max(fresh.sum(), 1))
    return found


def satisfaction(utility: Floats, bought: Bools) -> float:
    """How well shoppers did: mean over all lines, in [0, 1]; both of shape (shoppers, items).

    Of a line: the share of the items on the shelf that its shopper would truly have liked less.
    """
    rank = np.argsort(np.argsort(utility, axis=1), axis=1) / max(utility.shape[1] - 1, 1)
    return float(rank[bought].mean()) if bought.any() else 0.0


def gini(amounts: Floats) -> float:
    """Gini coefficient of non-negative amounts: 0 where all are equal, near 1 where one has all."""
    ordered = np.sort(amounts)
    if not ordered.sum():
        return 0.0
    rank = np.arange(1, ordered.size + 1)
    return float(((2 * rank - ordered.size - 1) @ ordered) / (ordered.size * ordered.sum()))


def _different(kinds: Ints) -> float:
    count = kinds.size
    if count < 2:
        return 0.0
    same = np.unique(kinds, return_counts=True)[1]
    return 1.0 - float((same * (same - 1)).sum()) / (count * (count - 1))
