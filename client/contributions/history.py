"""A shopper's history as every contribution and the recommender read it: baskets of item indices.

Made from ``ConsentedEvents`` alone, so whatever is computed from it used only what was granted.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from consent.admit import ConsentedEvents
from consent.purpose import Category
from consent.tasks.catalogue import Catalogue

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, repr=False)
class History:
    """Which items were in which of one shopper's baskets; one entry a (basket, item) pair.

    How often an item was in a basket is its count everywhere: quantities and prices are not used.

    Attributes:
        items: size of the catalogue.
        basket: int64, shape (n,), ascending: 0 is the oldest basket.
        item: int64, shape (n,): catalogue indices, each at most once a basket.
        line: int64, shape (n,): place of each entry among her lines, 0 the oldest, where the order
            within a basket is known; of an item that a basket has twice, the later place.
        sensitive: whether she granted sensitive product classes for this purpose. Without it no
            item of one is in her history, and none is recommended.
        time: int64, shape (baskets,): seconds of each basket's first line, where known; the
            beginning of its day unless ``hour``.
        hour: whether she granted the time of day.
        store: where each basket was bought, one entry a basket, empty where unknown; None unless
            she granted places.
    """

    items: int
    basket: IndexArray
    item: IndexArray
    line: IndexArray | None = None
    sensitive: bool = False
    time: IndexArray | None = None
    hour: bool = False
    store: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        return f"History({self.baskets} baskets)"

    def __reduce__(self) -> str:
        raise TypeError("A History must not leave the client: contribute a sealed update.")

    @classmethod
    def of(cls, events: ConsentedEvents, catalogue: Catalogue) -> Self:
        """Read the history out of one shopper's events, which are ordered oldest first.

        Items that the catalogue does not know are left out, and so are baskets of nothing else;
        items of sensitive classes too, unless those were granted.
        Baskets count in the order of their first line, so that times rounded to the day (no grant
        for the hour) keep the order of the visits.
        """
        index = catalogue.indices(events.events.item)
        sensitive = Category.SENSITIVE in events.categories
        known = index >= 0
        if not sensitive:
            known[known] = ~catalogue.sensitive[index[known]]
        basket = basket_numbers(events.events.basket[known])
        entries = basket * len(catalogue) + index[known]
        pairs, last = np.unique(entries[::-1], return_index=True)
        _, first = np.unique(basket, return_index=True)
        places = Category.LOCATION in events.categories
        return cls(
            items=len(catalogue),
            basket=pairs // len(catalogue),
            item=pairs % len(catalogue),
            line=entries.size - 1 - last.astype(np.int64),
            sensitive=sensitive,
            time=events.events.time[known][first],
            hour=Category.TIME_CONTEXT in events.categories,
            store=tuple(map(str, events.events.store[known][first])) if places else None,
        )

    @property
    def baskets(self) -> int:
        """Number of baskets."""
        return int(self.basket[-1]) + 1 if self.basket.size else 0

    @cached_property
    def age(self) -> IndexArray:
        """Baskets since each entry, shape (n,): 0 in the latest basket."""
        return self.baskets - 1 - self.basket

    @cached_property
    def since(self) -> IndexArray:
        """How many of her entries came after each, shape (n,): 0 for the latest.

        Entries of one basket count as one moment where their order is not known.
        """
        place = self.basket if self.line is None else self.line
        return place.size - np.searchsorted(np.sort(place), place, side="right")

    @cached_property
    def sizes(self) -> IndexArray:
        """Number of different items in each basket, shape (baskets,)."""
        return np.bincount(self.basket, minlength=self.baskets)

    @cached_property
    def counts(self) -> FloatArray:
        """In how many baskets each catalogue item was, shape (items,)."""
        return np.bincount(self.item, minlength=self.items).astype(np.float64)

    def latest(self, baskets: int) -> "History":
        """The history reduced to its last so many baskets."""
        return self._between(max(self.baskets - baskets, 0), self.baskets)

    def without_latest(self, baskets: int) -> "History":
        """The history as it was before its last so many baskets."""
        return self._between(0, max(self.baskets - baskets, 0))

    def without_lines(self, entries: int) -> "History":
        """The history as it was before its last so many entries; her baskets keep their numbers."""
        keep = self.since >= entries
        baskets = int(self.basket[keep].max(initial=-1)) + 1
        return replace(
            self,
            basket=self.basket[keep],
            item=self.item[keep],
            line=None if self.line is None else self.line[keep],
            time=None if self.time is None else self.time[:baskets],
            store=None if self.store is None else self.store[:baskets],
        )

    def _between(self, first: int, end: int) -> "History":
        keep = (self.basket >= first) & (self.basket < end)
        return replace(
            self,
            basket=self.basket[keep] - first,
            item=self.item[keep],
            line=None if self.line is None else self.line[keep],
            time=None if self.time is None else self.time[first:end],
            store=None if self.store is None else self.store[first:end],
        )


def basket_numbers(names: npt.NDArray[np.object_]) -> IndexArray:
    """Number each line's basket, shape (n,), by the order in which basket ids first appear."""
    seen: dict[str, int] = {}
    return np.fromiter((seen.setdefault(name, len(seen)) for name in names), np.int64, len(names))
