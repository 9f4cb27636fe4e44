"""Baskets that stand in a row each, their items in columns side by side: a row an item instead.

``--item 3..`` means the third column and all that follow, however many a row has; ``--item
item1..item9`` the columns between two. Empty cells are no items.
"""

from collections.abc import Iterator

from client.importers.columns import explain_missing
from client.importers.tables import Table
from crypto.errors import InvalidInputError

BETWEEN = ".."


def is_wide(item: str, header: tuple[str, ...]) -> bool:
    """Whether an item column is several, which it isn't if one is called just so."""
    return BETWEEN in item and item not in header


def narrow(table: Table, item: str, *, file: str) -> Table:
    """The table with one column ``item`` in the place of several, a row for each of their cells.

    A row that is too short or too long stays so, for the reader to refuse.

    Raises:
        InvalidInputError: a column is missing, or the last stands before the first.
    """
    first, _, last = (word.strip() for word in item.partition(BETWEEN))
    missing = [name for name in (first, last) if name and name not in table.header]
    if missing or not first:
        raise InvalidInputError(explain_missing(missing or [item], table.header, file=file))
    start = table.header.index(first)
    end = table.header.index(last) + 1 if last else None
    if end is not None and end <= start:
        raise InvalidInputError(
            f"{file}: column {last!r} stands before {first!r}; name the first first."
        )
    tail = () if end is None else table.header[end:]
    header = (*table.header[:start], item, *tail)
    return Table(header=header, rows=_rows(table, start, end, len(header)))


def _rows(table: Table, start: int, end: int | None, width: int) -> Iterator[tuple[int, list[str]]]:
    for line, row in table.rows:
        if len(row) <= start or (end is not None and len(row) != len(table.header)):
            yield line, row if len(row) != width else []
            continue
        stop = len(row) if end is None else end
        items = [cell for cell in row[start:stop] if cell.strip()]
        for cell in items or [""]:
            yield line, [*row[:start], cell, *row[stop:]]
