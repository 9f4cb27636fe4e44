"""Inserting a row, or changing the one that is already there, on both databases."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Executable
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from consent.service.tables import Base

_INSERTS: Final[dict[str, Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Upsert:
    """An ``INSERT`` into one table that, on a known key, changes some columns instead."""

    def __init__(self, table: type[Base], *, key: Sequence[str], change: Sequence[str]) -> None:
        self._statements = {
            dialect: _statement(insert(table), key, change) for dialect, insert in _INSERTS.items()
        }

    def execute(self, session: Session, rows: Sequence[Mapping[str, object]]) -> None:
        """Store some rows, each a mapping of column to value; a key may occur once among them."""
        statement = self._statements[session.get_bind().dialect.name]
        session.execute(statement, [dict(row) for row in rows])


def _statement(insert: Any, key: Sequence[str], change: Sequence[str]) -> Executable:
    made: Executable = insert.on_conflict_do_update(
        index_elements=list(key), set_={name: insert.excluded[name] for name in change}
    )
    return made
