"""Adding and changing very many rows of a consent database at once, on SQLite and PostgreSQL.

Rows go to the driver itself: ``executemany`` on SQLite, ``COPY`` on PostgreSQL. Constraints and
triggers stay on, so what the service would refuse is refused here, too.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from sqlalchemy.orm import Session

Row = Sequence[Any]
_STAGED: Final = "bench_staged"
_CACHE_KIB: Final = 2 * 1024 * 1024


class Bulk(Protocol):
    """Writes many rows in the transaction that it was made for."""

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Add rows."""

    def update(
        self, table: str, key: Sequence[str], columns: Sequence[str], rows: Sequence[Row]
    ) -> None:
        """Change the columns of the rows with these keys; a row is its key, then its values."""

    def finish(self) -> None:
        """Bring the planner's statistics up to date where the database would do so by itself."""


def bulk(session: Session) -> Bulk:
    """The writer of a session's database."""
    connection = session.connection()
    driver = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        return _Sqlite(driver)
    return _Postgresql(driver)


class _Sqlite:
    def __init__(self, connection: Any) -> None:
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")  # indexes are filled at random
        self._connection = connection

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - names of ours
        self._connection.executemany(sql, rows)

    def update(
        self, table: str, key: Sequence[str], columns: Sequence[str], rows: Sequence[Row]
    ) -> None:
        values = [f"{name} = ?{number}" for number, name in enumerate(columns, len(key) + 1)]
        keys = [f"{name} = ?{number}" for number, name in enumerate(key, 1)]
        sql = f"UPDATE {table} SET {', '.join(values)} WHERE {' AND '.join(keys)}"  # noqa: S608 - names of ours
        self._connection.executemany(sql, rows)

    def finish(self) -> None:
        """SQLite gathers statistics only when it is told to, and the service doesn't tell it."""


class _Postgresql:
    def __init__(self, connection: Any) -> None:
        self._cursor = connection.cursor()

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        with self._cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def update(
        self, table: str, key: Sequence[str], columns: Sequence[str], rows: Sequence[Row]
    ) -> None:
        names = [*key, *columns]
        self._cursor.execute(
            f"CREATE TEMPORARY TABLE {_STAGED} ON COMMIT DROP AS "  # noqa: S608 - names of ours
            f"SELECT {', '.join(names)} FROM {table} LIMIT 0"
        )
        self.insert(_STAGED, names, rows)
        values = ", ".join(f"{name} = {_STAGED}.{name}" for name in columns)
        keys = " AND ".join(f"{table}.{name} = {_STAGED}.{name}" for name in key)
        self._cursor.execute(f"UPDATE {table} SET {values} FROM {_STAGED} WHERE {keys}")  # noqa: S608
        self._cursor.execute(f"DROP TABLE {_STAGED}")

    def finish(self) -> None:
        self._cursor.execute("ANALYZE")
