"""The write-ahead log of a key holder: one SQLite file, in WAL mode, fully synchronised.

It is the only truth about what this key holder has promised. A transaction is on disk when it
ends; if the disk says no, the step fails and nothing is answered. The tables live in the modules
beside this one, one concept each.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from crypto.errors import BudgetError
from crypto.keyholder.log import charges, rounds, uploads, votes
from crypto.keyholder.log.points import PersistPoint, Reached, go_on

VERSION: Final = 1
_SCHEMA: Final = (*rounds.SCHEMA, *uploads.SCHEMA, *votes.SCHEMA, *charges.SCHEMA)


class Log:
    """The log of one key holder, safe between threads; readers never wait for a writer.

    Args:
        path: the SQLite file; made if it is not there.
        reached: told of every persist point (tests crash there).
    """

    def __init__(self, path: Path, *, reached: Reached = go_on) -> None:
        self._path, self._reached = path, reached
        self._lock = threading.RLock()
        with _disk(path):
            self._writer = _connect(path)
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._prepare()

    def _prepare(self) -> None:
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise BudgetError(
                f"{self._path} was written by a later version ({version} > {VERSION}); update "
                "fedcart."
            )
        if version == VERSION:
            return
        with self.transaction() as db:
            for statement in _SCHEMA:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction: on disk as a whole when it ends, or not at all.

        Raises:
            BudgetError: the disk says no; nothing was written.
        """
        with self._lock, _disk(self._path):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own to read from, which no transaction holds up.

        Raises:
            BudgetError: the log can't be read.
        """
        with _disk(self._path):
            db = _connect(self._path)
            try:
                yield db
            finally:
                db.close()

    def reached(self, point: PersistPoint) -> None:
        """Say that something is on disk."""
        self._reached(point)

    def close(self) -> None:
        """Close the file; the log can't be used after that."""
        with self._lock:
            self._writer.close()


def copy_database(source: Path, target: Path) -> None:
    """A consistent copy of an SQLite file, as one file, while it may be in use.

    Raises:
        BudgetError: it can't be read or written.
    """
    with _disk(source), closing(_connect(source)) as found, closing(_connect(target)) as made:
        found.backup(made)
        made.execute("PRAGMA journal_mode = DELETE")


def _connect(path: Path) -> sqlite3.Connection:
    # Threads share the writer behind a lock.
    db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA synchronous = FULL")
    db.row_factory = sqlite3.Row
    return db


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise BudgetError(
            f"The key holder's log {path.name} can't be written or read "
            f"({type(error).__name__}); nothing is answered. Free the disk or mend its "
            "permissions, then ask again."
        ) from error
