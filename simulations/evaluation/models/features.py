"""What a device knows about an item for its shopper, as numbers for a ranker.

The inputs are those of the on-device recommender: her own history with its rhythm, and the three
shared artefacts. A ranker given these and everyone's data in one place is what a federation has to
be measured against: it knows no more than the device, and learns without any noise.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from client.contributions.history import FloatArray, History, IndexArray, basket_numbers
from client.contributions.item_item import direction
from client.recommender.scores import Model
from consent.events import Events
from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import Catalogue

DAY_SECONDS = 86_400
NAMES = (
    "decayed frequency",
    "share of baskets",
    "baskets",
    "baskets since",
    "mean gap in baskets",
    "overdue in baskets",
    "days since",
    "mean gap in days",
    "overdue in days",
    "in the last basket",
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


@dataclass(frozen=True, kw_only=True)
class Visits:
    """One shopper's history with the day of each basket.

    Attributes:
        history: her baskets.
        day: float64, shape (baskets,): of each, in days since 1970, oldest first.
    """

    history: History
    day: FloatArray

    @classmethod
    def of(cls, history: History, events: Events, catalogue: Catalogue) -> "Visits":
        """From her history and the same events that it was read out of."""
        known = catalogue.indices(events.item) >= 0
        number = basket_numbers(events.basket[known])
        _, first = np.unique(number, return_index=True)
        return cls(history=history, day=events.time[known][first] / DAY_SECONDS)


class Features:
    """Turns a shopper and candidate items into rows of ``NAMES``."""

    def __init__(self, catalogue: Catalogue, artefacts: Iterable[Artefact]) -> None:
        self._model = Model.of(catalogue, artefacts)
        self._items = len(catalogue)
        names = np.array(catalogue.categories, dtype=str)
        self._category: IndexArray = np.unique(names, return_inverse=True)[1].astype(np.int64)

    def rows(self, visits: Visits, items: IndexArray) -> FloatArray:
        """float64, shape (items, len(NAMES)); NaN where a rhythm is not known yet."""
        history = visits.history
        scores = self._model.scores(history)
        counts = history.counts
        columns = [
            scores.habit,
            counts / max(history.baskets, 1),
            counts,
            *self._rhythm(visits),
            self._within(history, 1),
            self._within(history, 3),
            self._recent,
            self._overall,
            self._lift(history),
            *self._affinity(counts > 0),
            scores.total,
        ]
        own = (history.baskets, history.item.size / max(history.baskets, 1), (counts > 0).sum())
        table = np.column_stack([column[items] for column in columns])
        return np.column_stack([table, np.broadcast_to(own, (items.size, len(own)))])

    def _rhythm(self, visits: Visits) -> list[FloatArray]:
        """Since the last purchase, mean gap and their ratio, in baskets and in days."""
        history = visits.history
        found: list[FloatArray] = []
        if not history.baskets:
            return [np.full(self._items, np.nan)] * 6
        for moment in (np.arange(history.baskets, dtype=np.float64), visits.day):
            at = moment[history.basket]
            last, first = np.full(self._items, np.nan), np.full(self._items, np.nan)
            last[history.item] = at  # entries ascend by basket, so the last one stays
            first[history.item[::-1]] = at[::-1]
            times = np.where(history.counts > 1, history.counts - 1, np.nan)
            gap, since = (last - first) / times, moment[-1] - last
            found += [since, gap, since / np.maximum(gap, 0.5)]
        return found

    def _within(self, history: History, baskets: int) -> FloatArray:
        return history.latest(baskets).counts if history.baskets else np.zeros(self._items)

    @cached_property
    def _recent(self) -> FloatArray:
        artefact = self._model.recent or self._model.popularity
        return np.zeros(self._items) if artefact is None else artefact.scores

    @cached_property
    def _overall(self) -> FloatArray:
        artefact = self._model.popularity or self._model.recent
        return np.zeros(self._items) if artefact is None else artefact.scores

    def _lift(self, history: History) -> FloatArray:
        lift, model = np.zeros(self._items), self._model.item_item
        if model is not None:
            z = direction(history, model.indices, model.weights, model.mean)
            lift[model.indices] = z @ model.matrix
        return lift

    def _affinity(self, bought: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[FloatArray]:
        """Her different items of an item's category, and how many more than popularity says."""
        owned = np.bincount(self._category[bought], minlength=self._shelf.size).astype(np.float64)
        ratio = (owned + 1.0) / (owned.sum() * self._shelf + 1.0)
        return [owned[self._category], ratio[self._category]]

    @cached_property
    def _shelf(self) -> FloatArray:
        """Each category's share of overall popularity."""
        shelf = np.bincount(self._category, self._overall)
        return shelf / max(float(shelf.sum()), 1e-12)
