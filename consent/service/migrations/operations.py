"""The one operation that Alembic lacks: making a table append-only.

A migration says ``op.invoke(AppendOnly("consent_event"))``; comparing a database with the models
finds a table whose triggers are missing or left over. What the operation does is part of every
migration that uses it, so it never changes; a new rule is a new operation.
"""

from collections.abc import Callable, Iterable
from typing import Final

from alembic.autogenerate import comparators, renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations
from alembic.operations.ops import UpgradeOps
from alembic.util import DispatchPriority
from sqlalchemy import Connection, text

from consent.service.tables import APPEND_ONLY

_SUFFIX: Final = "_append_only"
_SQLITE_TRIGGERS: Final = text("SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'")
_POSTGRESQL_TRIGGERS: Final = text(
    "SELECT relname, tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
    "WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace"
)
_POSTGRESQL_FUNCTION: Final = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""


def _sqlite(table: str) -> dict[str, str]:
    return {
        f"{table}_{action.lower()}{_SUFFIX}": (
            f"CREATE TRIGGER {table}_{action.lower()}{_SUFFIX} BEFORE {action} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
        for action in ("UPDATE", "DELETE")
    }


def _postgresql(table: str) -> dict[str, str]:
    return {
        f"{table}{_SUFFIX}": (
            f"CREATE TRIGGER {table}{_SUFFIX} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    }


_TRIGGERS: Final[dict[str, Callable[[str], dict[str, str]]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
}


class AppendOnly(MigrateOperation):
    """Refuse, by trigger, every change and deletion of a table's rows."""

    def __init__(self, table: str) -> None:
        self.table = table

    def reverse(self) -> "AppendOnlyNoMore":
        """What undoes it."""
        return AppendOnlyNoMore(self.table)

    def to_diff_tuple(self) -> tuple[str, str]:
        """The operation as a difference."""
        return ("append_only", self.table)


class AppendOnlyNoMore(MigrateOperation):
    """Drop the triggers of an append-only table."""

    def __init__(self, table: str) -> None:
        self.table = table

    def reverse(self) -> AppendOnly:
        """What undoes it."""
        return AppendOnly(self.table)

    def to_diff_tuple(self) -> tuple[str, str]:
        """The operation as a difference."""
        return ("append_only_no_more", self.table)


@Operations.implementation_for(AppendOnly)
def _add(operations: Operations, operation: AppendOnly) -> None:
    dialect = operations.get_bind().dialect.name
    if dialect == "postgresql":
        operations.execute(_POSTGRESQL_FUNCTION)
    for statement in _TRIGGERS[dialect](operation.table).values():
        operations.execute(statement)


@Operations.implementation_for(AppendOnlyNoMore)
def _drop(operations: Operations, operation: AppendOnlyNoMore) -> None:
    dialect = operations.get_bind().dialect.name
    of_table = f" ON {operation.table}" if dialect == "postgresql" else ""
    for name in _TRIGGERS[dialect](operation.table):
        operations.execute(f"DROP TRIGGER {name}{of_table}")


@renderers.dispatch_for(AppendOnly)
@renderers.dispatch_for(AppendOnlyNoMore)
def _render(context: AutogenContext, operation: AppendOnly | AppendOnlyNoMore) -> str:
    name = type(operation).__name__
    context.imports.add(f"from {__name__} import {name}")
    return f"op.invoke({name}({operation.table!r}))"


@comparators.dispatch_for("schema", priority=DispatchPriority.LAST)  # after the new tables
def _compare(context: AutogenContext, operations: UpgradeOps, _schemas: object) -> None:
    connection = context.connection
    if connection is None:
        raise RuntimeError("Triggers are compared on a live database only.")
    wanted, found = (
        _triggers(connection.dialect.name, APPEND_ONLY),
        append_only_triggers(connection),
    )
    tables = {table for table, _ in wanted ^ found}
    operations.ops.extend(
        AppendOnly(table) if table in APPEND_ONLY else AppendOnlyNoMore(table)
        for table in sorted(tables)
    )


def _triggers(dialect: str, tables: Iterable[str]) -> set[tuple[str, str]]:
    return {(table, name) for table in tables for name in _TRIGGERS[dialect](table)}


def append_only_triggers(connection: Connection) -> set[tuple[str, str]]:
    """The (table, trigger) pairs of a database that make tables append-only."""
    sqlite = connection.dialect.name == "sqlite"
    rows = connection.execute(_SQLITE_TRIGGERS if sqlite else _POSTGRESQL_TRIGGERS)
    return {(table, name) for table, name in rows if name.endswith(_SUFFIX)}
