"""The database and its two kinds of transaction.

Writing transactions take the write lock before they read (``BEGIN IMMEDIATE``), so a withdrawal
and a commit never interleave: one of them happens wholly before the other. Within one process a
fair lock keeps writers from polling the file; between processes SQLite's own lock decides.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import Session

from consent.service.tables import METADATA
from crypto.errors import ConsentError, InvalidInputError

BUSY_TIMEOUT_S: Final = 10.0
_CHUNK: Final = 900


class DatabaseBusyError(ConsentError):
    """The write lock was not free in time; nothing was changed, so the call may be repeated."""


class Database:
    """One SQLite file with write-ahead log, foreign keys and serialised writers."""

    def __init__(self, url: str, *, durable: bool) -> None:
        """Open the database and create the tables that are missing.

        Raises:
            InvalidInputError: not the URL of an SQLite file.
        """
        _check(url)
        self._synchronous = "FULL" if durable else "NORMAL"
        self._lock = threading.Lock()
        self._engine = create_engine(
            url,
            connect_args={"timeout": BUSY_TIMEOUT_S},
            pool_size=8,
            max_overflow=56,
            hide_parameters=True,  # error messages may reach a log; shoppers' rows must not
        )
        event.listen(self._engine, "connect", self._configure)
        event.listen(self._engine, "begin", _begin)
        self._writer = self._engine.execution_options(begin="BEGIN IMMEDIATE")
        with self._writer.begin() as connection:
            METADATA.create_all(connection)

    def _configure(self, connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver starts no transactions of its own
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA synchronous = {self._synchronous}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction that holds the write lock from its start; all or nothing.

        Raises:
            DatabaseBusyError: another writer held the lock for BUSY_TIMEOUT_S seconds.
        """
        if not self._lock.acquire(timeout=BUSY_TIMEOUT_S):
            raise DatabaseBusyError("The consent database is busy; try again.")
        try:
            with _busy_as_error(), self._session(self._writer) as session, session.begin():
                session.connection()  # begins now, so that nothing is read before the lock
                yield session
        finally:
            self._lock.release()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One transaction that sees a single state and changes nothing."""
        with _busy_as_error(), self._session(self._engine) as session:
            yield session

    @staticmethod
    def _session(engine: Engine) -> Session:
        return Session(engine, expire_on_commit=False)  # rows may be read after the transaction

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def chunks(values: Iterable[str]) -> Iterator[list[str]]:
    """Split values into lists short enough for one SQL ``IN``."""
    rest = iter(values)
    while part := list(islice(rest, _CHUNK)):
        yield part


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


@contextmanager
def _busy_as_error() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if "locked" in str(error.orig):
            raise DatabaseBusyError("The consent database is busy; try again.") from error
        raise


def _check(url: str) -> None:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InvalidInputError(
            "The consent database is not given as an SQLAlchemy URL."
        ) from error
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise InvalidInputError("The consent database is a file: sqlite:///PATH.")
