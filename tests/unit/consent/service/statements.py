"""The SQL that a service sends, and which tables it reads from end to end."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, event

from tests.unit.consent.harness import Stage


@dataclass(frozen=True)
class Statement:
    """One statement as the driver got it; ``writing``: under the write lock."""

    sql: str
    parameters: Any
    writing: bool


@contextmanager
def recorded(stage: Stage) -> Iterator[list[Statement]]:
    """Every statement that the service sends within the block."""
    database, found = stage.context.database, list[Statement]()

    def note(connection: Connection, _cursor: Any, sql: str, parameters: Any, *_: Any) -> None:
        if connection.engine.pool is database._reader.pool:
            writing = connection.get_execution_options() == dict(
                database._writer.get_execution_options()
            )
            found.append(Statement(sql, parameters, writing))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def read_wholly(stage: Stage, statements: Iterable[Statement]) -> set[str]:
    """The tables that some of these statements read from end to end, by the database's own plan."""
    plans = {"sqlite": _scans, "postgresql": _unconditional}
    whole: set[str] = set()
    with stage.context.database.reading() as session:
        connection = session.connection()
        find = plans[connection.dialect.name]
        for each in statements:
            if each.sql.lstrip().startswith("SELECT"):
                whole |= set(find(connection, each))
    return whole


def _scans(connection: Connection, statement: Statement) -> Iterator[str]:
    asked = f"EXPLAIN QUERY PLAN {statement.sql}"
    for row in connection.exec_driver_sql(asked, statement.parameters):
        words = str(row[-1]).split()
        if words[0] == "SCAN":
            yield words[1]


def _unconditional(connection: Connection, statement: Statement) -> Iterator[str]:
    for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):  # a test's tables are small
        connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
    asked = f"EXPLAIN (FORMAT JSON) {statement.sql}"
    [plan] = connection.exec_driver_sql(asked, statement.parameters).scalar_one()
    yield from _nodes(plan["Plan"])


def _nodes(node: dict[str, Any]) -> Iterator[str]:
    kind = node["Node Type"]
    if kind == "Seq Scan" or (kind.startswith("Index") and "Index Cond" not in node):
        yield node["Relation Name"]
    for part in node.get("Plans", ()):
        yield from _nodes(part)
