"""The operations that Alembic lacks: making a table append-only.

A migration says ``op.invoke(AppendOnly("round_commit"))``, or for a table that holds something of
one shopper ``op.invoke(AppendOnlyUntilErased("consent_event", "OLD.shopper_id"))``; comparing a
database with the models finds a table whose triggers are missing or left over. What an operation
does is part of every migration that uses it, so it never changes; a new rule is a new operation.
"""

from collections.abc import Callable, Iterable
from typing import Final

from alembic.autogenerate import comparators, renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations
from alembic.operations.ops import UpgradeOps
from alembic.util import DispatchPriority
from sqlalchemy import Connection, text

from consent.service.tables import APPEND_ONLY, ERASABLE, PRUNABLE, Owner

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


def _erased(owner: Owner) -> str:
    started = "" if owner.at_once else " AND erasure.purge_started_at IS NOT NULL"
    return f"EXISTS (SELECT 1 FROM erasure WHERE erasure.shopper_id = {owner.sql}{started})"  # noqa: S608 - our own names


def _sqlite_until_erased(table: str, owner: Owner) -> dict[str, str]:
    return _sqlite_until(table, _erased(owner), f"{table}_until_erased{_SUFFIX}")


def _sqlite_until_over(table: str, over: str) -> dict[str, str]:
    return _sqlite_until(table, over, f"{table}_until_over{_SUFFIX}")


def _sqlite_until(table: str, condition: str, name: str) -> dict[str, str]:
    update = f"{table}_update{_SUFFIX}"
    return {
        update: _sqlite(table)[update],
        name: (
            f"CREATE TRIGGER {name} BEFORE DELETE ON {table} WHEN NOT {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        ),
    }


def _postgresql_until_erased(table: str, owner: Owner) -> dict[str, str]:
    return _postgresql_until(table, _erased(owner), f"{table}_until_erased{_SUFFIX}")


def _postgresql_until_over(table: str, over: str) -> dict[str, str]:
    return _postgresql_until(table, over, f"{table}_until_over{_SUFFIX}")


def _postgresql_until(table: str, condition: str, name: str) -> dict[str, str]:
    whole = f"{table}{_SUFFIX}"
    return {
        whole: (
            f"CREATE TRIGGER {whole} BEFORE UPDATE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        ),
        name: (
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF NOT {condition} THEN "
            "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME "
            "USING ERRCODE = 'restrict_violation'; END IF; RETURN OLD; END $$; "
            f"CREATE TRIGGER {name} BEFORE DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {name}()"
        ),
    }


_UNTIL_ERASED: Final[dict[str, Callable[[str, Owner], dict[str, str]]]] = {
    "sqlite": _sqlite_until_erased,
    "postgresql": _postgresql_until_erased,
}

_UNTIL_OVER: Final[dict[str, Callable[[str, str], dict[str, str]]]] = {
    "sqlite": _sqlite_until_over,
    "postgresql": _postgresql_until_over,
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


class AppendOnlyUntilErased(MigrateOperation):
    """Refuse, by trigger, every change of a table's rows, and each deletion but an erasure's.

    A row can be deleted once its shopper has a row in ``erasure``, and, unless ``at_once``, once
    her purge has begun, which a check of that table allows only after the time of proof.
    """

    def __init__(self, table: str, owner: str, *, at_once: bool = False) -> None:
        self.table = table
        self.owner = Owner(owner, at_once)

    def reverse(self) -> "AppendOnlyNoMore":
        """What undoes it."""
        return AppendOnlyNoMore(self.table)

    def to_diff_tuple(self) -> tuple[str, str]:
        """The operation as a difference."""
        return ("append_only", self.table)


class AppendOnlyUntilOver(MigrateOperation):
    """Refuse, by trigger, every change of a table's rows, and deletion before their time is over.

    ``over`` is the condition on a row ``OLD`` under which the retention schedule has ended it.
    """

    def __init__(self, table: str, over: str) -> None:
        self.table = table
        self.over = over

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


@Operations.implementation_for(AppendOnlyUntilErased)
def _add_until_erased(operations: Operations, operation: AppendOnlyUntilErased) -> None:
    dialect = operations.get_bind().dialect.name
    if dialect == "postgresql":
        operations.execute(_POSTGRESQL_FUNCTION)
    for statement in _UNTIL_ERASED[dialect](operation.table, operation.owner).values():
        operations.execute(statement)


@Operations.implementation_for(AppendOnlyUntilOver)
def _add_until_over(operations: Operations, operation: AppendOnlyUntilOver) -> None:
    dialect = operations.get_bind().dialect.name
    if dialect == "postgresql":
        operations.execute(_POSTGRESQL_FUNCTION)
    for statement in _UNTIL_OVER[dialect](operation.table, operation.over).values():
        operations.execute(statement)


@Operations.implementation_for(AppendOnlyNoMore)
def _drop(operations: Operations, operation: AppendOnlyNoMore) -> None:
    dialect = operations.get_bind().dialect.name
    of_table = f" ON {operation.table}" if dialect == "postgresql" else ""
    for name in _TRIGGERS[dialect](operation.table):
        operations.execute(f"DROP TRIGGER {name}{of_table}")


@renderers.dispatch_for(AppendOnlyUntilErased)
def _render_until_erased(context: AutogenContext, operation: AppendOnlyUntilErased) -> str:
    name, owner = type(operation).__name__, operation.owner
    context.imports.add(f"from {__name__} import {name}")
    at_once = ", at_once=True" if owner.at_once else ""
    return f"op.invoke({name}({operation.table!r}, {owner.sql!r}{at_once}))"


@renderers.dispatch_for(AppendOnlyUntilOver)
def _render_until_over(context: AutogenContext, operation: AppendOnlyUntilOver) -> str:
    name = type(operation).__name__
    context.imports.add(f"from {__name__} import {name}")
    return f"op.invoke({name}({operation.table!r}, {operation.over!r}))"


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
    operations.ops.extend(_operation(table) for table in sorted(tables))


def _operation(table: str) -> MigrateOperation:
    if table not in APPEND_ONLY:
        return AppendOnlyNoMore(table)
    if table in PRUNABLE:
        return AppendOnlyUntilOver(table, PRUNABLE[table])
    owner = ERASABLE.get(table)
    return (
        AppendOnly(table)
        if owner is None
        else AppendOnlyUntilErased(table, owner.sql, at_once=owner.at_once)
    )


def _triggers(dialect: str, tables: Iterable[str]) -> set[tuple[str, str]]:
    return {(table, name) for table in tables for name in _names(dialect, table)}


def _names(dialect: str, table: str) -> Iterable[str]:
    if table in PRUNABLE:
        return _UNTIL_OVER[dialect](table, PRUNABLE[table])
    owner = ERASABLE.get(table)
    return _UNTIL_ERASED[dialect](table, owner) if owner else _TRIGGERS[dialect](table)


def append_only_triggers(connection: Connection) -> set[tuple[str, str]]:
    """The (table, trigger) pairs of a database that make tables append-only."""
    sqlite = connection.dialect.name == "sqlite"
    rows = connection.execute(_SQLITE_TRIGGERS if sqlite else _POSTGRESQL_TRIGGERS)
    return {(table, name) for table, name in rows if name.endswith(_SUFFIX)}
