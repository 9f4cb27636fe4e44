"""The database and its two kinds of transaction.

Writing transactions take the write lock before they read, so a withdrawal and a commit never
interleave: one of them happens wholly before the other. Within one process a fair lock keeps
writers from crowding the database; between processes the database's own lock decides.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import Final, Protocol, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, TimeoutError  # noqa: A004 - the pool's own word
from sqlalchemy.orm import Session

from consent.service import schema
from consent.service.backends import Opening, parse
from crypto.errors import ConsentError, InvalidInputError

BUSY_TIMEOUT_S: Final = 10.0
# What a request writes in the same transaction as its change, whatever that is.
BEFORE_COMMIT: Final[ContextVar[Callable[[Session], None] | None]] = ContextVar(
    "BEFORE_COMMIT", default=None
)
_CHUNK: Final = 900
_T = TypeVar("_T")
_AROUND: Final = "around_commit"
_AFTER: Final = "after_commit"


class DatabaseBusyError(ConsentError):
    """The database was not free, or away; nothing was changed, so the call may be repeated."""


class DatabaseLostError(ConsentError):
    """The connection broke while a change was being saved: it may or may not be there."""


class Watcher(Protocol):
    """Is told how long changes wait, and that the database was not free."""

    def waited(self, seconds: float) -> None:
        """A change got the write lock after that long."""

    def was_busy(self) -> None:
        """A call was given up because the database was busy or away."""


class Database:
    """One SQLite file or PostgreSQL database with serialised writers."""

    def __init__(
        self, url: str, *, durable: bool, migrate: bool = False, watcher: Watcher | None = None
    ) -> None:
        """Open the database; an empty one gets its tables.

        Args:
            url: ``sqlite:///PATH`` or ``postgresql+psycopg://...``.
            durable: wait for the disk before a change is acknowledged.
            migrate: bring an older schema to this version's, too.
            watcher: is told of waiting, for metrics.

        Raises:
            InvalidInputError: not such a URL, a database that can't be opened, one with tables
                that fedcart did not make, or one whose schema is not this version's.
        """
        self._backend = parse(url, Opening(durable=durable, busy_s=BUSY_TIMEOUT_S))
        self._lock = threading.Lock()
        self._watcher = watcher
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
        began = time.perf_counter()
        if not self._lock.acquire(timeout=BUSY_TIMEOUT_S):
            raise self._busy()
        try:
            with self._busy_as_error(), self._session(self._writer) as session:
                session.connection()  # begins now, so that nothing is read before the lock
                if self._watcher is not None:
                    self._watcher.waited(time.perf_counter() - began)
                yield session
                if (mark := BEFORE_COMMIT.get()) is not None:
                    mark(session)
                session.flush()  # whatever fails up to here has changed nothing
                with ExitStack() as around:
                    for each in session.info.pop(_AROUND, ()):
                        around.enter_context(each)
                    self._commit(session)
                for done in session.info.pop(_AFTER, ()):
                    done()
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
            raise self._busy() from error
        except DBAPIError as error:
            if self._backend.is_passing(error):
                raise self._busy() from error
            raise

    def _busy(self) -> DatabaseBusyError:
        if self._watcher is not None:
            self._watcher.was_busy()
        return DatabaseBusyError("The consent database is busy; try again.")

    @staticmethod
    def _session(engine: Engine) -> Session:
        return Session(engine, expire_on_commit=False)  # rows may be read after the transaction

    def close(self) -> None:
        """Close all connections."""
        self._reader.dispose()


@contextmanager
def alone() -> Iterator[None]:
    """Within it, a transaction is no part of what the request changes."""
    mark = BEFORE_COMMIT.set(None)
    try:
        yield
    finally:
        BEFORE_COMMIT.reset(mark)


def around_commit(session: Session, block: AbstractContextManager[object]) -> None:
    """Enter a block when nothing of a writing transaction is left but to commit it.

    It is left with the error of the commit, if there is one; if it can't be entered, nothing is
    committed.
    """
    session.info.setdefault(_AROUND, []).append(block)


def after_commit(session: Session, done: Callable[[], object]) -> None:
    """Call something once a writing transaction is saved, and never if it is not."""
    session.info.setdefault(_AFTER, []).append(done)


def chunks(values: Iterable[_T]) -> Iterator[list[_T]]:
    """Split values into lists short enough for one SQL ``IN``."""
    rest = iter(values)
    while part := list(islice(rest, _CHUNK)):
        yield part
