"""Negatives: what a held-out item competes with, and what a model may be trained against.

The two must not be mixed up. What is *evaluated* against excludes everything the shopper ever had,
the held-out items included. What is *trained* against excludes her training items and nothing
else: a sampler that spares the held-out item as well tells the model which item that is (see
``leak_probe``).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from client.contributions.history import FloatArray, IndexArray
from crypto.errors import InvalidInputError
from simulations.evaluation.leave_one_out import LeaveOneOut
from simulations.evaluation.protocol import Fold

GIVEN = 99


@dataclass(frozen=True, kw_only=True, eq=False)
class Negatives:
    """Per shopper, the items that her held-out item competes with.

    Attributes:
        items: shopper to catalogue indices, ascending, none of them hers.
        origin: where they come from, in words that stand in the results.
        named: shopper to her held-out item, where the same file says so.
        notes: what was left out on reading, a sentence each.
    """

    items: Mapping[str, IndexArray]
    origin: str
    named: Mapping[str, int]
    notes: tuple[str, ...] = ()

    def restricted(self, fold: Fold) -> tuple[Fold, tuple[IndexArray, ...]]:
        """The fold's shoppers who have any negatives, and those negatives in their order.

        Raises:
            InvalidInputError: nobody has any.
        """
        some = {shopper for shopper, items in self.items.items() if items.size}
        kept = [n for n, shopper in enumerate(fold.tested) if shopper in some]
        if not kept:
            raise InvalidInputError("No tested shopper has negatives: there is nothing to rank.")
        reduced = fold.only(kept)
        return reduced, tuple(self.items[shopper] for shopper in reduced.tested)


def drawn_negatives(
    split: LeaveOneOut, *, rng: np.random.Generator, count: int = GIVEN
) -> Negatives:
    """Uniform negatives without replacement from the items that a shopper never had.

    Training, validation and test items are all excluded, so that one draw serves both stages. Who
    has had so much that fewer than ``count`` items are left competes with all of those.
    """
    size = len(split.population.catalogue)
    items = {}
    for shopper, owned in split.owned.items():
        allowed = without(size, owned)
        if allowed.size:
            chosen = rng.choice(allowed, size=min(count, allowed.size), replace=False)
            items[shopper] = np.sort(chosen)
    return Negatives(items=items, origin="drawn uniformly from items she never had", named={})


def training_negatives(
    owned: IndexArray, *, items: int, count: int, rng: np.random.Generator
) -> IndexArray:
    """Uniform negatives with replacement to train against, shape (count,).

    Guarantee: never one of ``owned``. Pass the items of the *training* history: whoever passes
    more than that tells the model what the future holds.

    Raises:
        InvalidInputError: the shopper has every item.
    """
    allowed = without(items, owned)
    if not allowed.size:
        raise InvalidInputError(f"A shopper has all {items} items: nothing is left to draw.")
    return allowed[rng.integers(0, allowed.size, count)]


def without(items: int, owned: IndexArray) -> IndexArray:
    """The catalogue indices below ``items`` that are not among ``owned``, ascending."""
    free = np.ones(items, dtype=np.bool_)
    free[owned] = False
    return np.flatnonzero(free)


def times_drawn(
    owned: IndexArray, *, items: int, count: int, rng: np.random.Generator
) -> FloatArray:
    """How often each item came up in so many training negatives, shape (items,)."""
    drawn = training_negatives(owned, items=items, count=count, rng=rng)
    return np.bincount(drawn, minlength=items).astype(np.float64)
