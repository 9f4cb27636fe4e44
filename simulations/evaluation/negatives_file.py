"""Given negatives from a file: who competes with whom, and which item is held out.

A layout may mark the held-out item (see ``negatives_layouts``). Where none does, but nearly every
row's first item is one of the shopper's own, that is the held-out item.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from client.contributions.history import IndexArray
from crypto.errors import InvalidInputError
from simulations.evaluation.leave_one_out import LeaveOneOut
from simulations.evaluation.negatives import Negatives
from simulations.evaluation.negatives_layouts import Given, given_by

# From this share of rows on, a first item that the shopper has had names the held-out one.
NAMING_SHARE = 0.9
# Fewer than this share of known ids means another data set's ids, not a few unsold items.
KNOWN_SHARE = 0.5


def read_negatives(path: Path, split: LeaveOneOut) -> Negatives:
    """Read a file of given negatives for the shoppers and items of a data set.

    A negative that the shopper has had is left out, and so is an item that the catalogue does not
    list, which no model could rank above anything. Where the file names the held-out items, a
    shopper whose held-out item is not among her lines is not tested: nothing else may take its
    place. ``notes`` counts all three, and the shoppers that the data set does not have.

    Raises:
        InvalidInputError: no such file, not text, or its ids are not those of the data set.
    """
    owned, catalogue = split.owned, split.population.catalogue
    lookup = {item: number for number, item in enumerate(catalogue.items)}
    merged = given_by(path, is_item=lookup.__contains__, is_shopper=owned.__contains__)
    known = {shopper: given for shopper, given in merged.items() if shopper in owned}
    if len(known) < KNOWN_SHARE * max(len(merged), 1) or not known:
        raise InvalidInputError(
            f"{path.name} has negatives for {len(merged)} shoppers, and {len(known)} of them are "
            "in the data set: are its ids the ones that were imported?"
        )
    told = _told(known, owned, lookup)
    if len(told.named) < KNOWN_SHARE * len(told.naming):
        raise InvalidInputError(
            f"{path.name} holds out an item of {len(told.naming)} shoppers, and the data set has "
            f"that line for {len(told.named)} of them: import the held-out lines together with "
            "the others, as in fedcart data import TRAIN TEST; they stay out of training."
        )
    indices = _indices(told.items, lookup, path.name)
    items, hers = {}, 0
    for shopper, given in indices.items():
        if shopper in told.naming and shopper not in told.named:
            continue
        items[shopper] = np.setdiff1d(given, owned[shopper])
        hers += np.unique(given).size - items[shopper].size
    unlisted = sum(map(len, told.items.values())) - sum(part.size for part in indices.values())
    counted = (
        (len(merged) - len(known), "shoppers of the file of negatives are not in the data set"),
        (
            len(told.naming) - len(told.named),
            "shoppers are not tested: the item that the file holds out is not among their lines",
        ),
        (
            unlisted,
            (
                "given negatives are not on the item list and were left out; an item table with "
                "--list-all lists what nobody had"
            ),
        ),
        (hers, "given negatives are items that their shopper had and were left out"),
    )
    return Negatives(
        items=items,
        origin=f"given by {path.name}",
        named=told.named,
        notes=tuple(f"{number:,} {what}." for number, what in counted if number),
    )


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What the file says of the data set's shoppers.

    Attributes:
        items: ids of each one's negatives.
        naming: those of whom it says which item is held out.
        named: the held-out items that are among their lines.
    """

    items: Mapping[str, list[str]]
    naming: frozenset[str]
    named: Mapping[str, int]


def _told(
    known: Mapping[str, Given], owned: Mapping[str, IndexArray], lookup: Mapping[str, int]
) -> _Told:
    """Negatives apart from held-out items, marked as such or by their place."""
    first = {
        shopper: given.items[0]
        for shopper, given in known.items()
        if given.items and _had(shopper, given.items[0], owned, lookup)
    }
    marked = {shopper: given.held for shopper, given in known.items() if given.held is not None}
    by_place = not marked and len(first) >= NAMING_SHARE * len(known)
    if by_place:
        held = {shopper: given.items[0] for shopper, given in known.items() if given.items}
    else:
        held = marked
    return _Told(
        items={
            shopper: given.items[1:] if by_place else given.items
            for shopper, given in known.items()
        },
        naming=frozenset(held),
        named={
            shopper: lookup[item]
            for shopper, item in held.items()
            if _had(shopper, item, owned, lookup)
        },
    )


def _had(
    shopper: str, item: str, owned: Mapping[str, IndexArray], lookup: Mapping[str, int]
) -> bool:
    return item in lookup and bool((owned[shopper] == lookup[item]).any())


def _indices(
    told: Mapping[str, list[str]], lookup: Mapping[str, int], file: str
) -> dict[str, IndexArray]:
    """Catalogue indices in the file's order, without what the catalogue doesn't list."""
    found = {
        shopper: np.array([lookup[item] for item in items if item in lookup], dtype=np.int64)
        for shopper, items in told.items()
    }
    total, listed = sum(map(len, told.values())), sum(part.size for part in found.values())
    if listed < KNOWN_SHARE * total or not listed:
        raise InvalidInputError(
            f"{file} names {total:,} negatives, and the item list has {listed:,} of them: are its "
            "ids the ones that were imported?"
        )
    return found
