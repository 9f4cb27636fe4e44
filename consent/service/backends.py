"""What differs between SQLite and PostgreSQL: opening, taking the write lock, what means busy.

Both give the same two kinds of transaction. A writing one holds the one write lock of the database
from before it reads until it is committed; a reading one sees a single state. Why it is done so
stands in docs/decisions/0007-two-databases.md.
"""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
)

from crypto.errors import InvalidInputError

_SQLITE: Final = "sqlite"
_POSTGRESQL: Final = "postgresql+psycopg"
# The name of the write lock among a PostgreSQL database's advisory locks: "fedcart" in ASCII.
_WRITE_LOCK: Final = int.from_bytes(b"fedcart")
# SQLSTATEs after which nothing was changed and the same call may well succeed: a lock or statement
# that took too long, a deadlock, a server that starts, stops or has no connection left.
_PASSING: Final = {"55P03", "57014", "40001", "40P01", "57P01", "57P02", "57P03", "25P03", "53300"}
# Errors whose words name tables and constraints and, as engines are opened here, no values.
FREE_OF_VALUES: Final = (IntegrityError, OperationalError, ProgrammingError)
# A check of thousands of grants reads pages all over the file: mapped, they are not copied each
# time. Beyond what is mapped (SQLite's own limit is 2 GiB) every connection has a cache.
_MAPPED_BYTES: Final = 2**40
_CACHE_KIB: Final = 16 * 1024
_STATEMENT_S: Final = 60.0
_IDLE_S: Final = 30.0
# A server that is gone is noticed within about 30 s.
_NETWORK: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "application_name": "fedcart consent",
}


@dataclass(frozen=True, kw_only=True)
class Engines:
    """One pool of connections, with the two ways to begin a transaction on it."""

    reader: Engine
    writer: Engine


class Backend(Protocol):
    """One kind of database."""

    where: str

    def open(self) -> Engines:
        """Make the pool; no connection is opened yet."""

    def is_passing(self, error: DBAPIError) -> bool:
        """Whether the database was only busy or away, so that the call may be repeated."""


@dataclass(frozen=True, kw_only=True)
class Opening:
    """How a database is opened: wait for the disk, and seconds to wait for a lock."""

    durable: bool
    busy_s: float


class Sqlite:
    """One file with write-ahead log; a writer's ``BEGIN IMMEDIATE`` takes the lock of the file."""

    def __init__(self, url: URL, opening: Opening) -> None:
        if url.database in (None, "", ":memory:"):
            raise InvalidInputError("The embedded consent database is a file: sqlite:///PATH.")
        self.where = str(url.database)
        self._url = url
        self._opening = opening

    def open(self) -> Engines:
        """Make the pool."""
        engine = create_engine(
            self._url,
            connect_args={"timeout": self._opening.busy_s},
            pool_size=8,
            max_overflow=56,
            hide_parameters=True,  # error messages may reach a log; shoppers' rows must not
        )
        event.listen(engine, "connect", self._configure)
        event.listen(engine, "begin", _begin)
        return Engines(reader=engine, writer=engine.execution_options(begin="BEGIN IMMEDIATE"))

    def _configure(self, connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver starts no transactions of its own
        cursor = connection.cursor()
        self._use_write_ahead_log(cursor)
        cursor.execute(f"PRAGMA synchronous = {'FULL' if self._opening.durable else 'NORMAL'}")
        cursor.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
        cursor.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA recursive_triggers = ON")  # else REPLACE deletes unseen
        cursor.close()

    def _use_write_ahead_log(self, cursor: sqlite3.Cursor) -> None:
        """Switch a new file over; SQLite doesn't wait by itself for others who are opening it."""
        deadline = time.monotonic() + self._opening.busy_s
        while True:
            try:
                cursor.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def is_passing(self, error: DBAPIError) -> bool:
        """Whether another process held the lock for too long."""
        return "locked" in str(error.orig)


class Postgresql:
    """A server; a writer takes an advisory lock first, in any process on any machine.

    Writers read at READ COMMITTED, so that each statement sees what the lock's last holder
    committed; readers get one REPEATABLE READ snapshot.
    """

    def __init__(self, url: URL, opening: Opening) -> None:
        if "@" in (url.host or ""):
            raise InvalidInputError("Write the password in the database URL with %40 for @.")
        self.where = f"{url.host or 'local server'}, database {url.database}"
        self._url = url
        self._opening = opening

    def open(self) -> Engines:
        """Make the pool."""
        engine = create_engine(
            self._url,
            connect_args=_NETWORK | self._url.query,
            pool_size=8,
            max_overflow=8,
            pool_timeout=self._opening.busy_s,
            pool_pre_ping=True,  # a restarted server costs a caller nothing
            hide_parameters=True,
        )
        event.listen(engine, "connect", self._configure)
        event.listen(engine, "begin", _take_turns)
        event.listen(engine, "handle_error", _forget_values)
        reader = engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        writer = engine.execution_options(isolation_level="READ COMMITTED", takes_turns=True)
        return Engines(reader=reader, writer=writer)

    def _configure(self, connection: Any, _record: object) -> None:
        values = {
            "lock_timeout": self._opening.busy_s,
            "statement_timeout": _STATEMENT_S,
            "idle_in_transaction_session_timeout": _IDLE_S,  # a stopped process frees the lock
        }
        for name, seconds in values.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, f"{seconds * 1000:.0f}"))
        if not self._opening.durable:
            connection.execute("SET synchronous_commit = off")
        else:  # whatever else the server was told, also that standbys must have it, stays
            connection.execute(
                "SELECT set_config('synchronous_commit', 'on', false) "
                "WHERE current_setting('synchronous_commit') = 'off'"
            )
        connection.commit()

    def is_passing(self, error: DBAPIError) -> bool:
        """Whether a lock or statement took too long, or the server was away."""
        state = getattr(error.orig, "sqlstate", None)
        away = error.connection_invalidated or (state is None and _is_connection_error(error))
        return away or state in _PASSING


_BACKENDS: Final[dict[str, Callable[[URL, Opening], Backend]]] = {
    _SQLITE: Sqlite,
    _POSTGRESQL: Postgresql,
}


def parse(url: str, opening: Opening) -> Backend:
    """The backend of a URL. Nothing of a URL that can't be read is repeated: it may hold secrets.

    Raises:
        InvalidInputError: not the URL of an SQLite file or a PostgreSQL database.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername not in _BACKENDS:
        raise InvalidInputError(
            "The consent database is sqlite:///PATH or "
            f"{_POSTGRESQL}://USER@HOST/DATABASE; another URL was given."
        )
    return _BACKENDS[parsed.drivername](parsed, opening)


def check_url(url: str) -> None:
    """Refuse a URL that no backend opens, without opening anything.

    Raises:
        InvalidInputError: not the URL of an SQLite file or a PostgreSQL database.
    """
    parse(url, Opening(durable=True, busy_s=0))


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def _take_turns(connection: Connection) -> None:
    if connection.get_execution_options().get("takes_turns"):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})")


def _forget_values(context: ExceptionContext) -> None:
    """Keep a server's first line only: the ones after it quote rows."""
    diagnosis = getattr(context.original_exception, "diag", None)
    first = getattr(diagnosis, "message_primary", None)
    if first and context.sqlalchemy_exception is not None:
        kind = type(context.original_exception)
        context.original_exception.args = (first,)
        context.sqlalchemy_exception.args = (f"({kind.__module__}.{kind.__name__}) {first}",)


def _is_connection_error(error: DBAPIError) -> bool:
    return type(error.orig).__name__ in ("OperationalError", "ConnectionTimeout")
