"""A table with one row a basket: whose it is and when, for lines that name a basket and an item.

Shops that keep orders and their lines apart export two files; joined by the basket's id they are
purchase lines.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from client.importers.columns import explain_missing
from client.importers.problems import Problems
from client.importers.tables import Table, open_table
from client.importers.text_form import TextForm
from crypto.errors import InvalidInputError


@dataclass(frozen=True, kw_only=True)
class BasketTable:
    """What to join.

    Attributes:
        path: of the table.
        key: the column of the basket's id, of the same name in the table and in the lines.
        form: how the table is written if it is text.
    """

    path: Path
    key: str
    form: TextForm = field(default_factory=TextForm)

    def join(self, table: Table, wanted: Sequence[str], *, file: str) -> Table:
        """The lines with the wanted columns that they lack, from the row of their basket.

        A line whose basket the table does not name gets nothing there, so it is a bad line.

        Raises:
            InvalidInputError: the table or the lines have no such key, the table lacks a wanted
                column that the lines lack too, or it names a basket twice.
        """
        lacking = [name for name in dict.fromkeys(wanted) if name not in table.header]
        if not lacking:
            raise InvalidInputError(
                f"{file} has every column itself; the table of baskets {self.path.name} adds none."
            )
        if self.key not in table.header:
            raise InvalidInputError(explain_missing([self.key], table.header, file=file))
        known = self._read(lacking)
        place, empty = table.header.index(self.key), [""] * len(lacking)
        width = len(table.header)

        def rows() -> Iterator[tuple[int, list[str]]]:
            for line, row in table.rows:
                more = known.get(row[place].strip(), empty) if len(row) == width else empty
                yield line, [*row, *more]

        return Table(header=(*table.header, *lacking), rows=rows())

    def _read(self, wanted: Sequence[str]) -> dict[str, list[str]]:
        """Basket id to the values of the wanted columns."""
        table = open_table(
            self.path, (self.key, *wanted), form=self.form, progress=lambda _done, _total: None
        )
        missing = [name for name in (self.key, *wanted) if name not in table.header]
        if missing:
            raise InvalidInputError(
                explain_missing(missing, table.header, file=self.path.name)
                + " What the lines lack must be in the table of baskets."
            )
        key, places = table.header.index(self.key), [table.header.index(n) for n in wanted]
        problems = Problems(self.path.name, skip=False)
        known: dict[str, list[str]] = {}
        shared: dict[str, str] = {}
        for line, row in table.rows:
            if len(row) != len(table.header):
                problems.ragged(line, len(row), len(table.header))
                continue
            basket = row[key].strip()
            if basket in known:
                problems.value(line, self.key, basket, "each basket once")
                continue
            known[basket] = [shared.setdefault(row[place], row[place]) for place in places]
        problems.raise_if_any()
        return known
