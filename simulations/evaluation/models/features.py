"""What a device knows about an item for its shopper, as numbers for a ranker that sees everyone.

All that the on-device ranker weighs is here, by the very code of the device, and beside it the raw
counts, days and popularities that it is made of: trees find their own bounds. A ranker given these
and everyone's data in one place is what a federation has to be measured against: it knows no less
than the device, and learns without any noise.
"""

from collections.abc import Iterable

import numpy as np

from client.contributions.history import FloatArray, History, IndexArray
from client.recommender.features import Knowledge
from client.recommender.moment import UNKNOWN, Moment
from client.recommender.shared import Shared
from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.ranker import Feature

RAW = (
    "decayed frequency",
    "share of baskets",
    "baskets",
    "baskets since",
    "mean gap in baskets",
    "overdue in baskets",
    "days since",
    "mean gap in days",
    "overdue in days",
    "in the last three",
    "recent popularity",
    "overall popularity",
    "item-item lift",
    "different items of the category",
    "category affinity",
    "closed form",
    "her baskets",
    "her mean basket size",
    "her different items",
)
NAMES = (*(f"device {feature}" for feature in Feature), *RAW)


class Features:
    """Turns a shopper and candidate items into rows of ``NAMES``."""

    def __init__(self, catalogue: Catalogue, artefacts: Iterable[Artefact]) -> None:
        self._shared = Shared.of(catalogue, artefacts)

    def rows(self, history: History, items: IndexArray, moment: Moment = UNKNOWN) -> FloatArray:
        """float64, shape (items, len(NAMES)); NaN where a rhythm is not known yet."""
        know = Knowledge(shared=self._shared, history=history, moment=moment)
        counts = history.counts
        columns = [
            know.closed.habit,
            counts / max(history.baskets, 1),
            counts,
            *_in_baskets(history),
            *_in_days(know),
            history.latest(3).counts,
            self._shared.lately,
            self._shared.overall,
            know.lift,
            *_affinity(know),
            know.closed.total,
        ]
        own = (history.baskets, history.item.size / max(history.baskets, 1), (counts > 0).sum())
        table = np.column_stack([know.table(tuple(Feature)), *columns])[items]
        return np.column_stack([table, np.broadcast_to(own, (items.size, len(own)))])


def _in_baskets(history: History) -> list[FloatArray]:
    """Baskets since the last purchase, mean gap in baskets and their ratio."""
    last, first = np.full(history.items, np.nan), np.full(history.items, np.nan)
    last[history.item] = history.basket  # entries ascend by basket, so the last one stays
    first[history.item[::-1]] = history.basket[::-1]
    times = np.where(history.counts > 1, history.counts - 1, np.nan)
    gap, since = (last - first) / times, history.baskets - 1 - last
    return [since, gap, since / np.maximum(gap, 0.5)]


def _in_days(know: Knowledge) -> list[FloatArray]:
    """The same in days."""
    counts = know.history.counts
    since = np.where(counts > 0, know.rhythm.since, np.nan)
    gap = np.where(counts > 1, know.rhythm.gap, np.nan)
    return [since, gap, since / np.maximum(gap, 0.5)]


def _affinity(know: Knowledge) -> list[FloatArray]:
    """Her different items of an item's category, and how many more than popularity says."""
    category, overall = know.shared.category, know.shared.overall
    size = int(category.max()) + 1
    owned = np.bincount(category[know.bought], minlength=size).astype(np.float64)
    shelf = np.bincount(category, overall, minlength=size) / max(float(overall.sum()), 1e-12)
    ratio = (owned + 1.0) / (owned.sum() * shelf + 1.0)
    return [owned[category], ratio[category]]
