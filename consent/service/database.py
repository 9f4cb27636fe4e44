"""The database and its two kinds of transaction.

Writing transactions take the write lock before they read, so a withdrawal and a commit never
interleave: one of them happens wholly before the other. Within one process a fair lock keeps
writers from crowding the database; between processes the database's own lock decides.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, TimeoutError  # noqa: A004 - the pool's own word
from sqlalchemy.orm import Session

from consent.service import schema
from consent.service.backends import Opening, parse
from crypto.errors import ConsentError, InvalidInputError

BUSY_TIMEOUT_S: Final = 10.0
_CHUNK: Final = 900


class DatabaseBusyError(ConsentError):
    """The database was not free, or away; nothing was changed, so the call may be repeated."""


class DatabaseLostError(ConsentError):
    """The connection broke while a change was being saved: it may or may not be there."""


class Database:
    """One SQLite file or PostgreSQL database with serialised writers."""

    def __init__(self, url: str, *, durable: bool, migrate: bool = False) -> None:
        """Open the database; an empty one gets its tables.

        Args:
            url: ``sqlite:///PATH`` or ``postgresql+psycopg://...``.
            durable: wait for the disk before a change is acknowledged.
            migrate: bring an older schema to this version's, too.

        Raises:
            InvalidInputError: not such a URL, a database that can't be opened, one with tables
                that fedcart did not make, or one whose schema is not this version's.
        """
        self._backend = parse(url, Opening(durable=durable, busy_s=BUSY_TIMEOUT_S))
        self._lock = threading.Lock()
        engines = self._backend.open()
        self._reader, self._writer = engines.reader, engines.writer
        try:
            self._prepare(migrate=migrate)
        except DBAPIError as error:
            self.close()
            raise InvalidInputError(
                f"The consent database ({self._backend.where}) can't be opened: {error.orig}"
            ) from error
        except BaseException:
            self.close()
            raise

    def _prepare(self, *, migrate: bool) -> None:
        if not migrate:
            with self._reader.connect() as connection:
                if not schema.is_new(connection):
                    return
        with self._writer.begin() as connection:  # only one of many processes makes the tables
            schema.migrate(connection)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction that holds the write lock from its start; all or nothing.

        Raises:
            DatabaseBusyError: another writer held the lock for BUSY_TIMEOUT_S seconds, or the
                database was away; nothing was changed.
            DatabaseLostError: the connection broke during the commit.
        """
        if not self._lock.acquire(timeout=BUSY_TIMEOUT_S):
            raise DatabaseBusyError("The consent database is busy; try again.")
        try:
            with self._busy_as_error(), self._session(self._writer) as session:
                session.connection()  # begins now, so that nothing is read before the lock
                yield session
                session.flush()  # whatever fails up to here has changed nothing
                self._commit(session)
        finally:
            self._lock.release()

    @staticmethod
    def _commit(session: Session) -> None:
        try:
            session.commit()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            raise DatabaseLostError(
                "The consent database went away while this change was being saved; "
                "look whether it was before you repeat it."
            ) from error

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One transaction that sees a single state and changes nothing.

        Raises:
            DatabaseBusyError: the database was away.
        """
        with self._busy_as_error(), self._session(self._reader) as session:
            yield session

    @contextmanager
    def _busy_as_error(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise DatabaseBusyError("The consent database is busy; try again.") from error
        except DBAPIError as error:
            if self._backend.is_passing(error):
                raise DatabaseBusyError("The consent database is busy; try again.") from error
            raise

    @staticmethod
    def _session(engine: Engine) -> Session:
        return Session(engine, expire_on_commit=False)  # rows may be read after the transaction

    def close(self) -> None:
        """Close all connections."""
        self._reader.dispose()


def chunks(values: Iterable[str]) -> Iterator[list[str]]:
    """Split values into lists short enough for one SQL ``IN``."""
    rest = iter(values)
    while part := list(islice(rest, _CHUNK)):
        yield part
