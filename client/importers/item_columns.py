"""Which columns of a table of items play which part, and how a cell becomes values.

item=movieId                  the id, which there must be
genre=genres                  the values of a cell, several between bars
genre=6..24                   a column for each value, with 1 where an item has it
genre=6..24:Action|Comedy|…   the same with the values' names, in the columns' order
year=year(title)              the year of "Heat (1995)", of 15-Dec-1995 or of 1995
decade=decade(title)          its decade, such as 1990s
price=bands(unit_price)       a number as one of five bands of as many items each
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from client.importers.columns import check_header, explain_missing, listed
from client.importers.tables import Table
from client.importers.values import parse_label
from consent.tasks.catalogue import SENSITIVE
from crypto.errors import InvalidInputError

BAR = "|"
ITEM, CATEGORY, DEPARTMENT = "item", "category", "department"
YEAR, DECADE, BANDS = "year", "decade", "bands"
BETWEEN = ".."
_MADE = re.compile(rf"^({YEAR}|{DECADE}|{BANDS})\((.+)\)$")
_YES, _NO = frozenset({"1", "1.0", "true", "yes", "x"}), frozenset({"0", "0.0", "false", "no", ""})


@dataclass(frozen=True, kw_only=True)
class ItemColumn:
    """Where a part comes from.

    Attributes:
        first: name of the column, or of the first of several.
        last: name of the last of several, each for one value; None for one column.
        names: of those values; empty for the columns' own.
        made: "year", "decade" or "bands" where the values are made from the cell; else None.
    """

    first: str
    last: str | None = None
    names: tuple[str, ...] = ()
    made: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what stands behind ``PART=``; see the module."""
        found = _MADE.match(text)
        if found:
            return cls(first=found[2].strip(), made=found[1])
        columns, _, names = text.partition(":") if BETWEEN in text else (text, "", "")
        first, between, last = (word.strip() for word in columns.partition(BETWEEN))
        if not between:
            return cls(first=text)
        told = tuple(filter(None, map(str.strip, names.split(BAR))))
        return cls(first=first, last=last, names=told)

    def wanted(self) -> tuple[str, ...]:
        """The columns named."""
        return (self.first,) if self.last is None else (self.first, self.last)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A part located in a header.

    Attributes:
        position: of its column, or of the first of several.
        names: of the values of several columns, from that position on; None for one column.
        made: as in ``ItemColumn``.
    """

    position: int
    names: tuple[str, ...] | None = None
    made: str | None = None

    def values(self, row: list[str]) -> tuple[str, ...]:
        """The values that a row has for the part.

        Raises:
            ValueError: a cell that is none; the message says what was expected.
        """
        if self.names is None:
            cell = row[self.position]
            cells = [cell] if self.made else cell.split(BAR)
            return tuple(dict.fromkeys(filter(None, map(parse_label, cells))))
        cells = row[self.position : self.position + len(self.names)]
        return tuple(name for name, cell in zip(self.names, cells, strict=True) if _has(cell))


def _has(cell: str) -> bool:
    told = cell.strip().lower()
    if told in _YES:
        return True
    if told in _NO:
        return False
    raise ValueError(f"1 or 0, as in a column for each value, not {told[:40]!r}")


@dataclass(frozen=True, kw_only=True)
class ItemColumns:
    """Which column of the table plays which part.

    Attributes:
        parts: part to column: "item", which there must be, "category", "department", and free
            names of attributes. Empty for the header's own names, the first column the item.
    """

    parts: Mapping[str, ItemColumn]

    @classmethod
    def parse(cls, text: str | None, *, option: str = "--item-columns", key: str = ITEM) -> Self:
        """Read ``item=movieId,genre=genres,decade=decade(title)``; None for the header's own names.

        Args:
            text: as given.
            option: by which, for messages.
            key: what the part is called that identifies a row; "item" once it is read.

        Raises:
            InvalidInputError: not of that form, a part named twice, or no column of the key.
        """
        if text is None:
            return cls(parts={})
        parts: dict[str, ItemColumn] = {}
        for pair in text.split(","):
            part, mark, column = (word.strip() for word in pair.partition("="))
            if not (part and mark and column) or part in parts:
                raise InvalidInputError(
                    f"{option} has {pair!r}; expected each part once, as in "
                    f"{key}=id,genre=genres,decade=decade(title)."
                )
            parts[part] = ItemColumn.parse(column)
        if key not in parts:
            raise InvalidInputError(f"{option} {text!r} does not say {key}=COLUMN.")
        if parts[key].last is not None or parts[key].made is not None:
            raise InvalidInputError(f"{option} {text!r}: the {key} is one column as it is.")
        return cls(parts={ITEM: parts.pop(key), **parts})

    def located(self, table: Table, *, file: str) -> dict[str, Place]:
        """Part to its place in the table's header.

        Raises:
            InvalidInputError: a column is missing or named twice, or names of values don't fit.
        """
        header = table.header
        wanted = [name for column in self.parts.values() for name in column.wanted()]
        check_header(header, wanted or header, file=file)
        if not self.parts:
            return {ITEM: Place(position=0), **_own(header, file)}
        missing = [name for name in dict.fromkeys(wanted) if name not in header]
        if missing:
            raise InvalidInputError(explain_missing(missing, header, file=file))
        return {part: _located(column, header, file) for part, column in self.parts.items()}


def _located(column: ItemColumn, header: tuple[str, ...], file: str) -> Place:
    first = header.index(column.first)
    if column.last is None:
        return Place(position=first, made=column.made)
    own = header[first : header.index(column.last) + 1]
    if not own:
        raise InvalidInputError(
            f"{file}: column {column.last!r} stands before {column.first!r}; name the first first."
        )
    if column.names and len(column.names) != len(own):
        raise InvalidInputError(
            f"{file}: {len(column.names)} names of values for {len(own)} columns, from "
            f"{listed([column.first, column.last])} on."
        )
    return Place(position=first, names=column.names or tuple(map(_worded, own)))


def _worded(name: str) -> str:
    """A column's name as a value; a number alone would be taken for one, as of years or prices."""
    return f"column {name}" if name.isdigit() else name


def _own(header: tuple[str, ...], file: str) -> dict[str, Place]:
    """Every column but the first, by its name in the header.

    Raises:
        InvalidInputError: two of them have one name; which of them counts is not for us to guess.
    """
    named: dict[str, Place] = {}
    for position, name in enumerate(header[1:], start=1):
        if (part := _plain(name)) in named:
            other = header[named[part].position]
            raise InvalidInputError(
                f"{file}: columns {listed([other, name])} are both read as {part!r}; rename one."
            )
        named[part] = Place(position=position)
    return named


def _plain(name: str) -> str:
    """A header's name; one that means something by its plain name, whatever the case."""
    folded = name.strip().casefold()
    return folded if folded in {CATEGORY, DEPARTMENT, SENSITIVE} else name
