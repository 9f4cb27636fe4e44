"""A retailer's table of items: what is publicly known of each, beside what was bought.

It describes items by category, department and any further attributes. An attribute may have
several values an item, between bars as in ``Comedy|Drama``, or as a list in JSON. Nothing in it
comes from shoppers, so it may stand on every device and be used without any privacy cost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from client.importers.problems import Problems
from client.importers.tables import Table, open_table
from client.importers.values import parse_id, parse_label
from consent.tasks.catalogue import Attributes, Catalogue
from crypto.errors import InvalidInputError

BAR = "|"
ITEM, CATEGORY, DEPARTMENT = "item", "category", "department"


@dataclass(frozen=True, kw_only=True)
class ItemTable:
    """What the table says.

    Attributes:
        name: of the file.
        values: item id to attribute to its values; "category" and "department" among them where
            the table has them. An attribute that an item lacks has no values there.
    """

    name: str
    values: Mapping[str, Mapping[str, tuple[str, ...]]]

    def describe(self, catalogue: Catalogue, *, listed: bool) -> Catalogue:
        """A catalogue with what the table says of its items.

        The first value is an item's category or department; where the table says nothing, what
        the catalogue had stays. Where any item has several, all of them are an attribute of that
        name as well.

        Args:
            catalogue: whose items are the finest level.
            listed: also take up the items that the table names and the catalogue doesn't, in text
                order with the others: then the list doesn't depend on what anybody bought.

        Raises:
            InvalidInputError: the table names none of the catalogue's items.
        """
        known = self.values.keys() & set(catalogue.items)
        if not known:
            raise InvalidInputError(
                f"{self.name} names none of the {len(catalogue)} items that were bought, such as "
                f"{catalogue.items[0]!r}: is the item column the right one?"
            )
        items = catalogue.items
        if listed:
            items = tuple(sorted({*items, *self.values}))
        return Catalogue(
            name=catalogue.name,
            level=catalogue.level,
            items=items,
            categories=self._labels(items, CATEGORY, catalogue.items, catalogue.categories),
            departments=self._labels(items, DEPARTMENT, catalogue.items, catalogue.departments),
            products={},
            attributes=self._attributes(items),
        )

    def coverage(self, catalogue: Catalogue) -> int:
        """How many items of a catalogue the table describes."""
        return len(self.values.keys() & set(catalogue.items))

    def _labels(
        self, items: tuple[str, ...], part: str, old: tuple[str, ...], labels: tuple[str, ...]
    ) -> tuple[str, ...]:
        before = dict(zip(old, labels, strict=True))
        found = []
        for item in items:
            values = self.values.get(item, {}).get(part, ())
            found.append(values[0] if values else before.get(item, ""))
        return tuple(found)

    def _attributes(self, items: tuple[str, ...]) -> Attributes:
        names: dict[str, None] = {}
        for values in self.values.values():
            for name, several in values.items():
                if name not in {CATEGORY, DEPARTMENT} or len(several) > 1:
                    names.setdefault(name)
        return {
            name: tuple(self.values.get(item, {}).get(name, ()) for item in items) for name in names
        }


@dataclass(frozen=True, kw_only=True)
class ItemColumns:
    """Which column of the table plays which part.

    Attributes:
        parts: part to column: "item", which there must be, "category", "department", and free
            names of attributes. Empty for the header's own names, the first column the item.
    """

    parts: Mapping[str, str]

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """Read ``item=movieId,category=genre,year=released``; None for the header's own names.

        Raises:
            InvalidInputError: not of that form, a part named twice, or no item column.
        """
        if text is None:
            return cls(parts={})
        parts: dict[str, str] = {}
        for pair in text.split(","):
            part, mark, column = (word.strip() for word in pair.partition("="))
            if not (part and mark and column) or part in parts:
                raise InvalidInputError(
                    f"--item-columns has {pair!r}; expected each part once, as in "
                    "item=movieId,category=genre,year=released."
                )
            parts[part] = column
        if ITEM not in parts:
            raise InvalidInputError(f"--item-columns {text!r} does not say item=COLUMN.")
        return cls(parts=parts)

    def located(self, table: Table, *, file: str) -> dict[str, int]:
        """Part to position in the table's header.

        Raises:
            InvalidInputError: a column is missing or named twice.
        """
        header = table.header
        if len(set(header)) != len(header):
            raise InvalidInputError(f"{file}: the header names a column twice.")
        if not self.parts:
            return {
                ITEM: 0,
                **{_plain(name): place for place, name in enumerate(header) if place},
            }
        missing = [column for column in self.parts.values() if column not in header]
        if missing:
            raise InvalidInputError(
                f"{file} has no column {missing[0]!r}; it has {', '.join(map(repr, header))}."
            )
        return {part: header.index(column) for part, column in self.parts.items()}


def read_item_table(
    path: Path, columns: ItemColumns | None = None, *, delimiter: str | None = None
) -> ItemTable:
    """Read a table of items.

    Args:
        path: .csv, .tsv or .txt (UTF-8), .json, .jsonl or .ndjson, .parquet or .pq.
        columns: which column plays which part; None for the header's own names.
        delimiter: of a CSV file; None for a comma, or a tab where the suffix is .tsv.

    Raises:
        InvalidInputError: the file or its header is not what it must be, an item has no id, or
            an item is described twice in a table that isn't JSON.
    """
    wanted = columns or ItemColumns(parts={})
    table = _opened(path, wanted, delimiter)
    places = wanted.located(table, file=path.name)
    problems = Problems(path.name, skip=False)
    values: dict[str, dict[str, tuple[str, ...]]] = {}
    lines: dict[str, int] = {}
    for line, row in table.rows:
        if len(row) != len(table.header):
            problems.ragged(line, len(row), len(table.header))
            continue
        try:
            item = parse_id(row[places[ITEM]])
            told = {part: _values(row[place]) for part, place in places.items() if part != ITEM}
        except ValueError as error:
            problems.value(line, ITEM, row[places[ITEM]], str(error))
            continue
        # A JSON record with a list makes several rows; two records of one item contradict.
        if lines.setdefault(item, line) != line:
            problems.value(line, ITEM, item, f"each item once; line {lines[item]} has it already")
        before = values.setdefault(item, {})
        for part, several in told.items():
            before[part] = tuple(dict.fromkeys((*before.get(part, ()), *several)))
    problems.raise_if_any()
    if not values:
        raise InvalidInputError(f"{path.name} has a header but describes no item.")
    return ItemTable(name=path.name, values=values)


def _opened(path: Path, columns: ItemColumns, delimiter: str | None) -> Table:
    """The table; without named columns all of them are wanted, which the header has to say."""
    names = tuple(columns.parts.values())
    if not names:
        names = open_table(path, (), delimiter=delimiter, progress=_silent).header
    return open_table(path, names, delimiter=delimiter, progress=_silent)


def _silent(_done: int, _total: int) -> None:
    """A table of items is short beside the purchases: no bar."""


def _plain(name: str) -> str:
    """A header's category and department by their plain names, whatever the case."""
    lowered = name.strip().lower()
    return lowered if lowered in {CATEGORY, DEPARTMENT} else name


def _values(cell: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(parse_label, cell.split(BAR)))))
