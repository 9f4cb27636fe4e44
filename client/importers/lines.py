"""Purchase lines as they are read: a list of values a part, in the files' order."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from client.importers.columns import Columns
from client.importers.problems import Problems
from client.importers.times import time_parser
from client.importers.values import (
    parse_id,
    parse_label,
    parse_price,
    parse_quantity,
    parse_rating,
)

NO_ITEM = "-1"
# Beyond so many different texts a column is hardly one of ids; keeping them all would cost memory.
_MOST_KNOWN = 300_000

Row = tuple[int, list[str]]


@dataclass(kw_only=True)
class Part:
    """One part of each line: the column it is in, how it is read, and its values so far."""

    name: str
    parse: Callable[[str], Any]
    known: dict[str, Any] = field(default_factory=dict)
    values: list[Any] = field(default_factory=list)

    def read(self, text: str) -> Any:
        """The value of a text; texts that come back are parsed once and share one object."""
        value = self.known.get(text)
        if value is None:
            value = self.parse(text)
            if len(self.known) < _MOST_KNOWN:
                self.known[text] = value
        return value


class Lines:
    """What the files held so far.

    Attributes:
        parts: of each line that counts, by name; "rating" keeps no values.
        below: lines left out because their rating is below the least that counts.
        ignored: lines left out because their item stands for none.
        record: number of the row or JSON record that each line comes from; kept only where no
            column says when.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        parsers: dict[str, Callable[[str], Any]] = {
            "shopper": parse_id,
            "item": self._item,
            "time": time_parser(columns.time_format),
            "basket": parse_id,
            "quantity": parse_quantity,
            "price": parse_price,
            "store": parse_label,
            "category": parse_label,
            "rating": parse_rating,
        }
        self.parts = {
            part: Part(name=name, parse=parsers[part]) for part, name in columns.named().items()
        }
        self.below = self.ignored = 0
        self.record: list[int] = []

    def __len__(self) -> int:
        return len(self.parts["item"].values)

    def values(self, part: str) -> list[Any] | None:
        """One value a line; None where no column has that part."""
        return self.parts[part].values if part in self.parts else None

    def read(self, rows: Iterable[Row], header: tuple[str, ...], problems: Problems) -> None:
        """Add the rows of a file; a line with any bad value adds nothing.

        Raises:
            InvalidInputError: a column is missing; too many lines are bad.
        """
        places = self._columns.locate(header, file=problems.file)
        if self._columns.item_separator:
            rows = _apart(rows, places["item"], self._columns.item_separator)
        names = list(places)
        item, rating = names.index("item"), names.index("rating") if "rating" in names else None
        readers = [(self.parts[name].read, place) for name, place in places.items()]
        keep = [(self.parts[name].values.append, n) for n, name in enumerate(names) if n != rating]
        for line, row in rows:
            if len(row) != len(header):
                problems.ragged(line, len(row), len(header))
                continue
            try:
                values = [read(row[place]) for read, place in readers]
            except ValueError:
                self._explain(line, row, places, problems)
                continue
            if self._counts(values[item], None if rating is None else values[rating]):
                for append, n in keep:
                    append(values[n])
                if self._columns.time is None:
                    self.record.append(line)

    def _counts(self, item: str, rating: float | None) -> bool:
        """Whether a good line is a purchase; what isn't is counted."""
        if not item:
            self.ignored += 1
        elif rating is not None and rating < (self._columns.least or 0.0):
            self.below += 1
        else:
            return True
        return False

    def _explain(
        self, line: int, row: list[str], places: dict[str, int], problems: Problems
    ) -> None:
        """Note every bad value of a line, not just the first."""
        for part, place in places.items():
            try:
                self.parts[part].read(row[place])
            except ValueError as error:
                problems.value(line, self.parts[part].name, row[place], str(error))

    def _item(self, text: str) -> str:
        """An item's id; empty for one that stands for none, which has to be said."""
        item = parse_id(text)
        if item in self._columns.ignored:
            return ""
        if item == NO_ITEM:
            raise ValueError(
                f"an item; in some layouts {NO_ITEM} stands for none: leave such lines out with "
                f"--ignore-item {NO_ITEM}"
            )
        return item


def _apart(rows: Iterable[Row], position: int, separator: str) -> Iterator[Row]:
    """A row for each item of a cell that holds several; empty places between them are skipped."""
    for line, row in rows:
        cell = row[position] if position < len(row) else ""
        items = [item for item in cell.split(separator) if item.strip()]
        for item in items or [""]:
            yield line, [*row[:position], item, *row[position + 1 :]]
