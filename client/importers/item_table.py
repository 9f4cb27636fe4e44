"""A retailer's table of items: what is publicly known of each, beside what was bought.

It describes items by category, department and any further attributes. An attribute may have
several values an item, between bars as in ``Comedy|Drama``, in a column for each value, or as a
list in JSON. Nothing in it comes from shoppers, so it may stand on every device and be used without
any privacy cost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from client.importers.item_columns import CATEGORY, DEPARTMENT, ITEM, ItemColumns, Place
from client.importers.made_values import made_values
from client.importers.problems import Problems
from client.importers.tables import Table, open_table
from client.importers.text_form import TextForm
from client.importers.values import parse_id
from consent.tasks.catalogue import Attributes, Catalogue
from crypto.errors import InvalidInputError


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


def read_item_table(
    path: Path, columns: ItemColumns | None = None, *, form: TextForm | None = None
) -> ItemTable:
    """Read a table of items.

    Args:
        path: a text, JSON or Parquet file.
        columns: which column plays which part; None for the header's own names.
        form: how a text file is written; None for what its suffix says.

    Raises:
        InvalidInputError: the file or its header is not what it must be, an item has no id, an
            item is described twice in a table that isn't JSON, or no item has a value to be made.
    """
    wanted = columns or ItemColumns(parts={})
    table = _opened(path, wanted, form or TextForm())
    places = wanted.located(table, file=path.name)
    values = _read(table, places, Problems(path.name, skip=False))
    if not values:
        raise InvalidInputError(f"{path.name} has a header but describes no item.")
    for part, place in places.items():
        if place.made is not None:
            _make(values, part, place.made, file=path.name)
    return ItemTable(name=path.name, values=values)


def _read(
    table: Table, places: Mapping[str, Place], problems: Problems
) -> dict[str, dict[str, tuple[str, ...]]]:
    values: dict[str, dict[str, tuple[str, ...]]] = {}
    lines: dict[str, int] = {}
    for line, row in table.rows:
        if len(row) != len(table.header):
            problems.ragged(line, len(row), len(table.header))
            continue
        cell = row[places[ITEM].position]
        try:
            item = parse_id(cell)
        except ValueError as error:
            problems.value(line, ITEM, cell, str(error))
            continue
        # A JSON record with a list makes several rows; two records of one item contradict.
        if lines.setdefault(item, line) != line:
            problems.value(line, ITEM, item, f"each item once; line {lines[item]} has it already")
        before = values.setdefault(item, {})
        for part, place in places.items():
            if part != ITEM:
                _tell(before, part, place, line, row, problems)
    problems.raise_if_any()
    return values


def _tell(
    before: dict[str, tuple[str, ...]],
    part: str,
    place: Place,
    line: int,
    row: list[str],
    problems: Problems,
) -> None:
    """Add what a row says of a part to what was said of the item before."""
    try:
        several = place.values(row)
    except ValueError as error:
        problems.value(line, part, row[place.position], str(error))
        return
    before[part] = tuple(dict.fromkeys((*before.get(part, ()), *several)))


def _make(
    values: dict[str, dict[str, tuple[str, ...]]], part: str, made: str, *, file: str
) -> None:
    """Replace the cells of a part by what is made from them.

    Raises:
        InvalidInputError: no item has anything that it could be made from.
    """
    cells = {item: told.get(part, ()) for item, told in values.items()}
    found = made_values(cells, made)
    if not any(found.values()):
        shown = next((text for several in cells.values() for text in several), "")
        raise InvalidInputError(
            f"{file}: no item has a {made} for {part!r}; the first is {shown[:60]!r}. Is it the "
            "right column?"
        )
    for item, several in found.items():
        values[item][part] = several


def _opened(path: Path, columns: ItemColumns, form: TextForm) -> Table:
    """The table, with all columns where any is wanted by its place or the header has to say."""
    spans = any(column.last is not None for column in columns.parts.values())
    names = [name for column in columns.parts.values() for name in column.wanted()]
    if spans or not names:
        names = list(open_table(path, (), form=form, progress=_silent).header)
    return open_table(path, names, form=form, progress=_silent)


def _silent(_done: int, _total: int) -> None:
    """A table of items is short beside the purchases: no bar."""
