"""What the public item list says of its items, as columns that can be computed with.

A column is one attribute: category, department, and whatever else the list holds. An attribute of
numbers, such as a year, becomes bands of about equally many items where the numbers are many,
because a band tells more than a year that only a few items share. Categories and departments are
names, even where they are written as numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consent.tasks.catalogue import SENSITIVE, Catalogue
from consent.tasks.entries import Entries

# Numbers with more different values than this are put in so many bands.
BANDS = 12
# A value that only one item has says nothing about any other.
LEAST_ITEMS = 2
NAMES = frozenset({"category", "department"})


@dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """One attribute.

    Attributes:
        name: of the attribute.
        members: shape (items, values): 1 where an item has a value. Only values
            that several items have, and at least two of them.
    """

    name: str
    members: Entries


def described(catalogue: Catalogue) -> tuple[Column, ...]:
    """The columns of a catalogue; attributes that tell no items apart are left out.

    An attribute that holds the categories or departments and more besides takes their place. That
    an item is of a sensitive class makes it like no other.
    """
    several = {name: each for name, each in catalogue.attributes.items() if name != SENSITIVE}
    for name, labels in (("category", catalogue.categories), ("department", catalogue.departments)):
        several.setdefault(name, tuple((label,) if label else () for label in labels))
    columns = (
        Column(name=name, members=_members(values, named=name in NAMES))
        for name, values in several.items()
    )
    return tuple(column for column in columns if column.members.shape[1] > 1)


def _members(values: Sequence[tuple[str, ...]], *, named: bool) -> Entries:
    item = np.repeat(np.arange(len(values)), [len(each) for each in values])
    text = np.array([value for each in values for value in each], dtype=str)
    numbers = None if named else _numbers(text)
    if numbers is None:
        kind = np.unique(text, return_inverse=True)[1]
    else:
        edges = np.unique(np.quantile(numbers, np.arange(1, BANDS) / BANDS))
        kind = np.searchsorted(edges, numbers, side="right")
    kinds = int(kind.max(initial=-1)) + 1
    # A value named twice is named once.
    item, kind = np.divmod(np.unique(item * max(kinds, 1) + kind), max(kinds, 1))
    wide = np.bincount(kind, minlength=kinds) >= LEAST_ITEMS
    item, kind = item[wide[kind]], (np.cumsum(wide) - 1)[kind[wide[kind]]]
    return Entries(
        shape=(len(values), int(wide.sum())), row=item, column=kind, value=np.ones(item.size)
    )


def _numbers(text: npt.NDArray[np.str_]) -> npt.NDArray[np.float64] | None:
    """The values as numbers where all are, and there are more of them than bands."""
    if np.unique(text).size <= BANDS:
        return None
    try:
        numbers = text.astype(np.float64)
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None
