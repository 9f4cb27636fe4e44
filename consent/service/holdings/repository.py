"""What the tables hold of one shopper, found by following foreign keys.

Every table from which foreign keys lead to ``shopper``, directly or through others, holds something
of a shopper. Nobody has to list them: a table that is added tomorrow is found too, and whoever
exports or erases has to say what becomes of it.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Table, delete, false, or_, select
from sqlalchemy.orm import Session

from consent.service.tables import METADATA

ROOT: Final = "shopper"
_BATCH: Final = 500


@lru_cache(maxsize=1)
def held_tables() -> tuple[str, ...]:
    """Every table that holds something of a shopper, those that refer to others first."""
    names = {table.name for table in METADATA.sorted_tables if _leads(table)}
    return tuple(table.name for table in reversed(METADATA.sorted_tables) if table.name in names)


def columns(table: str) -> list[str]:
    """The names of a table's columns, in their order."""
    return [column.name for column in METADATA.tables[table].columns]


class HoldingsRepository:
    """The rows of one shopper, as one transaction sees and deletes them."""

    def __init__(self, session: Session, shopper_id: str) -> None:
        self._session = session
        self._shopper = shopper_id

    def rows(self, table: str) -> Iterator[Mapping[str, Any]]:
        """Her rows of a table in the order of its key, some at a time."""
        source = METADATA.tables[table]
        query = select(source).where(self._hers(table)).order_by(*source.primary_key.columns)
        found = self._session.execute(query.execution_options(yield_per=_BATCH))
        for row in found.mappings():
            yield dict(row)

    def delete(self, table: str, *, unless_in: str | None = None) -> None:
        """Delete her rows of a table; with ``unless_in`` those that no row of that one refers to.

        Rows that refer to them are deleted before. The triggers still refuse what is to stay.
        """
        source = METADATA.tables[table]
        statement = delete(source).where(self._hers(table))
        if unless_in is not None:
            statement = statement.where(~_referred(source, METADATA.tables[unless_in]))
        self._session.execute(statement)

    def _hers(self, table: str) -> ColumnElement[bool]:
        return _belongs(METADATA.tables[table], self._shopper, ())


def _links(table: Table) -> list[tuple[Column[Any], Column[Any]]]:
    """The foreign keys of a table as (own column, foreign column)."""
    return [(key.parent, key.column) for key in sorted(table.foreign_keys, key=str)]


def _leads(table: Table, seen: tuple[str, ...] = ()) -> bool:
    if table.name == ROOT:
        return True
    return any(
        target.table.name not in seen and _leads(target.table, (*seen, table.name))
        for _, target in _links(table)
    )


def _belongs(table: Table, shopper: str, seen: tuple[str, ...]) -> ColumnElement[bool]:
    """Whether a row is hers by any of its foreign keys."""
    if table.name == ROOT:
        return table.c.id == shopper
    ways: list[ColumnElement[bool]] = []
    for own, target in _links(table):
        if target.table.name == ROOT:
            ways.append(own == shopper)
        elif target.table.name not in (*seen, table.name) and _leads(target.table):
            inner = _belongs(target.table, shopper, (*seen, table.name))
            ways.append(own.in_(select(target).where(inner)))
    return or_(false(), *ways)


def _referred(table: Table, by: Table) -> ColumnElement[bool]:
    (own,) = table.primary_key.columns
    (foreign,) = (column for column, target in _links(by) if target.table is table)
    return own.in_(select(foreign))
