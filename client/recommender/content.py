"""Public content: which items are like what a shopper has, from the item list alone.

An item is described by values: its category, its department and those of every further attribute,
one or several each. A shopper's leaning towards a value is how much oftener her items have it than
the crowd's do,

    leaning = log (own + a · share) / (lines · share + a · share)

so nothing about it is set by hand but a, after how many lines she outweighs the crowd: a value
that everything has says nothing, and a rare one that she comes back to says a lot. What an
attribute says of an item is the mean leaning over the item's values, and the attributes add up.
It is computed on the device, costs no privacy, and knows items that nobody has bought yet.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Self

import numpy as np

from client.contributions.history import FloatArray, History, IndexArray
from consent.tasks.catalogue import Catalogue
from consent.tasks.described import described
from consent.tasks.entries import Entries

# After how many lines a shopper's own share of a value outweighs the crowd's.
LINES_TO_OUTWEIGH = 30.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ContentKernel:
    """What the item list says of its items, ready for any shopper.

    Attributes:
        names: the attributes that are used, "category" and "department" among them.
        values: shape (items, values): an item's values, each attribute's adding up to 1
            where the item has any.
        attribute: int64, shape (values,): which of ``names`` a value belongs to.
        share: float64, shape (values,): how much of the crowd's choice has a value; an attribute's
            add up to 1.
    """

    names: tuple[str, ...]
    values: Entries
    attribute: IndexArray
    share: FloatArray

    @classmethod
    def of(cls, catalogue: Catalogue, popularity: FloatArray | None = None) -> Self:
        """The kernel of a catalogue.

        Args:
            catalogue: the public list.
            popularity: of its items, non-negative, shape (items,), from a released artefact; every
                item counts alike where there is none.
        """
        columns = described(catalogue)
        weight = np.ones(len(catalogue))
        if popularity is not None and popularity.sum() > 0:
            # A little of the even spread, so that no value is unheard of.
            weight = popularity / popularity.mean() + 0.01
        blocks = [_evenly(column.members) for column in columns]
        shares = [block.times_rows(weight) for block in blocks]
        return cls(
            names=tuple(column.name for column in columns),
            values=Entries.beside(blocks, rows=len(catalogue)),
            attribute=np.repeat(np.arange(len(blocks)), [block.shape[1] for block in blocks]),
            share=np.concatenate([np.empty(0), *(part / part.sum() for part in shares)]),
        )

    def similarity(self, history: History, weights: FloatArray | None = None) -> FloatArray:
        """How well each item fits what the shopper has: the leanings of its values, added up.

        Args:
            history: hers.
            weights: of its entries, shape (n,), such as ``recency(history)``; 1 each without.

        Returns:
            float64, shape (items,), finite: 0 for an item that the list does not describe, for a
            shopper without history, and for what she takes exactly as often as the crowd.
        """
        parts: FloatArray = np.sum(self.by_attribute(history, weights), axis=0)
        return parts

    def by_attribute(self, history: History, weights: FloatArray | None = None) -> FloatArray:
        """``similarity`` attribute by attribute, shape (attributes, items)."""
        leaning = self._leaning(self._own(history, weights))
        rows = [block.times(leaning[places]) for places, block in self._blocks]
        return np.array(rows).reshape(len(self.names), self.values.shape[0])

    def speakers(self, history: History, item: int, count: int = 2) -> tuple[int, ...]:
        """The shopper's own items that ``item`` resembles most, most alike first; not itself."""
        own = np.flatnonzero(history.counts > 0)
        own = own[own != item]
        alike = self.alike(item)[own]
        best = np.argsort(-alike, kind="stable")[:count]
        return tuple(int(own[place]) for place in best if alike[place] > 0)

    def alike(self, item: int) -> FloatArray:
        """How alike each item is to one item: from 0 to 1, shape (items,).

        The cosine over values, rare ones counting for more (the logarithm of one over how many of
        the items have them). Symmetric, and 1 between items of the same values.
        """
        return np.clip(self._directions.times(self._directions.dense_row(item)), 0.0, 1.0)

    def _own(self, history: History, weights: FloatArray | None) -> FloatArray:
        """The lines that have each value, shape (values,)."""
        lines = np.bincount(history.item, weights, minlength=history.items)
        return self.values.times_rows(lines.astype(np.float64))

    def _leaning(self, own: FloatArray) -> FloatArray:
        lines = np.zeros(len(self.names))
        np.add.at(lines, self.attribute, own)
        expected = self.share * lines[self.attribute]
        prior = self.share * LINES_TO_OUTWEIGH
        leaning: FloatArray = np.log((own + prior) / (expected + prior))
        return leaning

    @cached_property
    def _blocks(self) -> list[tuple[slice, Entries]]:
        """Each attribute's places among the values, and its columns of ``values``."""
        edges = np.searchsorted(self.attribute, np.arange(len(self.names) + 1)).tolist()
        return [(slice(low, high), self.values.columns(low, high)) for low, high in pairwise(edges)]

    @cached_property
    def _directions(self) -> Entries:
        """Each item's values by rarity, scaled to length 1; shape (items, values)."""
        items, values = self.values.shape
        having = np.maximum(np.bincount(self.values.column, minlength=values), 1)
        weighed = self.values.scaled_columns(np.log1p(items / having))
        squares = np.bincount(weighed.row, weighed.value**2, minlength=items)
        return weighed.scaled(1.0 / np.maximum(np.sqrt(squares), 1e-12))


def recency(history: History, half_life: float) -> FloatArray:
    """A weight for each entry, shape (n,): halved with every ``half_life`` entries after it."""
    weight: FloatArray = 0.5 ** (history.since / half_life)
    return weight


def _evenly(members: Entries) -> Entries:
    """Memberships of one attribute, an item's values adding up to 1 where it has any."""
    return members.scaled(1.0 / np.maximum(members.row_sums, 1.0))
