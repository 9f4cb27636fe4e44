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
import scipy.sparse as sp

from client.contributions.history import FloatArray, History, IndexArray
from consent.tasks.catalogue import Catalogue
from consent.tasks.described import described

# After how many lines a shopper's own share of a value outweighs the crowd's.
LINES_TO_OUTWEIGH = 30.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ContentKernel:
    """What the item list says of its items, ready for any shopper.

    Attributes:
        names: the attributes that are used, "category" and "department" among them.
        values: shape (items, values), sparse: an item's values, each attribute's adding up to 1
            where the item has any.
        attribute: int64, shape (values,): which of ``names`` a value belongs to.
        share: float64, shape (values,): how much of the crowd's choice has a value; an attribute's
            add up to 1.
    """

    names: tuple[str, ...]
    values: sp.csr_array
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
        shares = [block.T @ weight for block in blocks]
        return cls(
            names=tuple(column.name for column in columns),
            values=sp.csr_array(sp.hstack([sp.csr_array((len(catalogue), 0)), *blocks])),
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
        rows = [block @ leaning[places] for places, block in self._blocks]
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
        found: FloatArray = (self._directions @ self._directions[[item]].T).toarray().ravel()
        return np.clip(found, 0.0, 1.0)

    def _own(self, history: History, weights: FloatArray | None) -> FloatArray:
        """The lines that have each value, shape (values,)."""
        lines = np.bincount(history.item, weights, minlength=history.items)
        own: FloatArray = self.values.T @ lines.astype(np.float64)
        return own

    def _leaning(self, own: FloatArray) -> FloatArray:
        lines = np.zeros(len(self.names))
        np.add.at(lines, self.attribute, own)
        expected = self.share * lines[self.attribute]
        prior = self.share * LINES_TO_OUTWEIGH
        leaning: FloatArray = np.log((own + prior) / (expected + prior))
        return leaning

    @cached_property
    def _blocks(self) -> list[tuple[slice, sp.csr_array]]:
        """Each attribute's places among the values, and its columns of ``values``."""
        edges = np.searchsorted(self.attribute, np.arange(len(self.names) + 1)).tolist()
        return [
            (slice(low, high), sp.csr_array(self.values[:, low:high]))
            for low, high in pairwise(edges)
        ]

    @cached_property
    def _directions(self) -> sp.csr_array:
        """Each item's values by rarity, scaled to length 1; shape (items, values)."""
        items = self.values.shape[0]
        having = np.maximum(np.asarray((self.values > 0).sum(axis=0)), 1)
        weighed = sp.csr_array(self.values * np.log1p(items / having)[None, :])
        length = np.sqrt(np.asarray((weighed * weighed).sum(axis=1)))
        return sp.csr_array(sp.diags_array(1.0 / np.maximum(length, 1e-12)) @ weighed)


def recency(history: History, half_life: float) -> FloatArray:
    """A weight for each entry, shape (n,): halved with every ``half_life`` entries after it."""
    weight: FloatArray = 0.5 ** (history.since / half_life)
    return weight


def _evenly(members: sp.csr_array) -> sp.csr_array:
    """Memberships of one attribute, an item's values adding up to 1 where it has any."""
    several = np.maximum(np.asarray(members.sum(axis=1)), 1.0)
    return sp.csr_array(sp.diags_array(1.0 / several) @ members)
