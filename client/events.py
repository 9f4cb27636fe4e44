"""The device's own record of purchases: one SQLite file that never leaves it.

A file holds one shopper's lines on a device, or those of a silo's shoppers in a store. Every write
is one transaction with SQLite's rollback journal: after a crash it happened wholly or not at all.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np

from consent.correction import SECONDS_PER_DAY, Correction
from consent.events import Events, StringArray
from crypto.errors import FedcartError, InvalidInputError

SCHEMA_VERSION = 1
_APPLICATION_ID = 0x46434556  # "FCEV": tells an event store from any other SQLite file
_SCHEMA = (
    """CREATE TABLE events (
        shopper TEXT NOT NULL,
        time INTEGER NOT NULL,
        basket TEXT NOT NULL,
        item TEXT NOT NULL,
        quantity REAL NOT NULL,
        price REAL,
        store TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX events_by_shopper ON events (shopper)",
    f"PRAGMA application_id = {_APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)
_COLUMNS = ("shopper", "time", "basket", "item", "quantity", "price", "store")
_INSERT = (
    "INSERT INTO events (shopper, time, basket, item, quantity, price, store)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_SELECT = (
    "SELECT shopper, time, basket, item, quantity, price, store FROM events"
    " WHERE shopper = ? ORDER BY time, basket, rowid"
)
_APPLIED = (
    "CREATE TABLE IF NOT EXISTS applied"
    " (name TEXT PRIMARY KEY, changed INTEGER NOT NULL, deleted INTEGER NOT NULL) STRICT"
)
_TAKEN = (
    "CREATE TABLE IF NOT EXISTS taken (shopper TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT"
)
_TAKE = "INSERT INTO taken VALUES (?, ?) ON CONFLICT (shopper) DO UPDATE SET until = excluded.until"
_SET = {
    "item": "item = ?",
    "store": "store = ?",
    "quantity": "quantity = ?",
    "price": "price = ?",
    "day": "time = time + ?",
}


class EventStore:
    """Purchase lines on disk; made by ``create`` or ``open``, best used in a ``with`` block.

    Guarantee: the file is readable by its owner alone (mode 0600) from the moment it exists. What
    ``forget`` removes is overwritten in the file; copies that a backup made are out of its reach.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    def __repr__(self) -> str:
        return f"EventStore({str(self._path)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make an empty store.

        Raises:
            InvalidInputError: the file exists already, or its folder does not.
            FedcartError: the disk refused; no file is left behind.
        """
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            raise InvalidInputError(f"{path} exists already: open it, or name another.") from None
        except FileNotFoundError:
            raise InvalidInputError(f"The folder {path.parent} does not exist: make it.") from None
        try:
            store = cls(path, _connect(path))
            with store._transaction():
                for statement in _SCHEMA:
                    store._connection.execute(statement)
        except FedcartError:
            path.unlink()
            raise
        return store

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a store that ``create`` made.

        Raises:
            InvalidInputError: no such file, not an event store, or of a version this release does
                not know.
        """
        if not path.is_file():
            raise InvalidInputError(f"There is no event store at {path}: create one first.")
        connection = _connect(path)
        try:
            _check_version(path, connection)
        except InvalidInputError:
            connection.close()
            raise
        return cls(path, connection)

    def close(self) -> None:
        """Close the file; the store can't be used afterwards."""
        self._connection.close()

    def append(self, events: Events, *, until: Mapping[str, int] | None = None) -> None:
        """Add lines, all or none, in any order; a line that is already there is added again.

        Args:
            events: the lines.
            until: for whoever imports step by step: up to which moment (Unix seconds, exclusive)
                each shopper's lines are now here. Written in the same transaction, so that an
                import that was cut off can be repeated.

        Raises:
            InvalidInputError: a quantity is not finite, a price is infinite, or an id is not text
                that UTF-8 can hold.
            FedcartError: the disk refused; nothing was added.
        """
        self._write(events, clear=False, until=until or {})

    def taken_until(self) -> dict[str, int]:
        """Up to which moment (Unix seconds, exclusive) each shopper's lines were taken in."""
        with self._transaction():
            self._connection.execute(_TAKEN)
            rows = self._connection.execute("SELECT shopper, until FROM taken").fetchall()
        return {str(shopper): int(until) for shopper, until in rows}

    def replace(self, events: Events) -> int:
        """Put these lines in the place of everything that is there, wholly or not at all.

        Returns:
            How many lines were removed; they are overwritten in the file.

        Raises:
            InvalidInputError, FedcartError: as for ``append``; the store is unchanged.
        """
        return self._write(events, clear=True, until={})

    def _write(self, events: Events, *, clear: bool, until: Mapping[str, int]) -> int:
        _check_numbers(events)
        columns = [getattr(events, name).tolist() for name in _COLUMNS]
        removed = 0
        try:
            with self._transaction():
                if clear:
                    removed = self._connection.execute("DELETE FROM events").rowcount
                self._connection.executemany(_INSERT, zip(*columns, strict=True))
                if until:
                    self._connection.execute(_TAKEN)
                    self._connection.executemany(_TAKE, until.items())
        except (UnicodeEncodeError, sqlite3.IntegrityError) as error:
            raise InvalidInputError(
                "An id among the events is not text that UTF-8 can hold; nothing was changed."
            ) from error
        return removed

    def shoppers(self) -> tuple[str, ...]:
        """Everyone with at least one line, in text order."""
        rows = self._rows("SELECT DISTINCT shopper FROM events ORDER BY shopper")
        return tuple(shopper for (shopper,) in rows)

    def of(self, shopper: str) -> Events:
        """One shopper's lines, oldest first; none where the store doesn't know her."""
        rows = self._rows(_SELECT, shopper)
        if not rows:
            return Events.empty()
        shoppers, time, basket, item, quantity, price, store = zip(*rows, strict=True)
        return Events(
            shopper=_texts(shoppers),
            time=np.array(time, dtype=np.int64),
            basket=_texts(basket),
            item=_texts(item),
            quantity=np.array(quantity, dtype=np.float64),
            price=np.array(price, dtype=np.float64),
            store=_texts(store),
        )

    def forget(self, shopper: str) -> int:
        """Remove and overwrite a shopper's lines, and up to when they were taken in.

        Returns:
            How many lines there were.
        """
        with self._transaction():
            self._connection.execute(_TAKEN)
            self._connection.execute("DELETE FROM taken WHERE shopper = ?", (shopper,))
            return self._connection.execute(
                "DELETE FROM events WHERE shopper = ?", (shopper,)
            ).rowcount

    def correct(
        self, name: str, shopper: str, corrections: Sequence[Correction]
    ) -> tuple[int, int]:
        """Apply corrections to a shopper's lines in their order, all or none, and once.

        Returns:
            How many lines were changed and how many deleted. Corrections of a name that was
            applied before change nothing, and get the same answer.
        """
        with self._transaction():
            self._connection.execute(_APPLIED)
            known = self._connection.execute(
                "SELECT changed, deleted FROM applied WHERE name = ?", (name,)
            ).fetchone()
            if known is not None:
                return int(known[0]), int(known[1])
            changed = deleted = 0
            for each in corrections:
                lines = self._correct(shopper, each)
                changed, deleted = (
                    (changed, deleted + lines) if each.deletes else (changed + lines, deleted)
                )
            self._connection.execute(
                "INSERT INTO applied VALUES (?, ?, ?)", (name, changed, deleted)
            )
        return changed, deleted

    def _correct(self, shopper: str, correction: Correction) -> int:
        where = "WHERE shopper = ? AND item = ? AND time >= ? AND time < ?"
        named = (shopper, correction.item, correction.day, correction.day + SECONDS_PER_DAY)
        if correction.deletes:
            return self._connection.execute(f"DELETE FROM events {where}", named).rowcount  # noqa: S608 - no value is in the text
        columns = [_SET[column] for column in correction.values]
        shifted = {"day": int(correction.values.get("day", 0)) - correction.day}
        values = [shifted.get(column, value) for column, value in correction.values.items()]
        return self._connection.execute(
            f"UPDATE events SET {', '.join(columns)} {where}",  # noqa: S608 - columns of a fixed list
            (*values, *named),
        ).rowcount

    def compact(self) -> None:
        """Write the file anew without what was deleted.

        Raises:
            FedcartError: the disk refused; the file is unchanged.
        """
        try:
            self._connection.execute("VACUUM")
        except sqlite3.Error as error:
            raise FedcartError(
                f"The event store {self._path} could not be compacted ({error})."
            ) from error

    def count(self) -> int:
        """Number of lines of all shoppers."""
        [(total,)] = self._rows("SELECT count(*) FROM events")
        return int(total)

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        try:
            with closing(self._connection.execute(query, values)) as cursor:
                return cursor.fetchall()
        except sqlite3.Error as error:
            raise FedcartError(
                f"The event store {self._path} could not be read ({error}): restore it from a "
                "backup, or import the purchases anew."
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Run a block as one transaction."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            with self._connection:
                yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise FedcartError(
                f"The event store {self._path} could not be written ({error}); it is unchanged."
            ) from error


def _connect(path: Path) -> sqlite3.Connection:
    """Connect without creating a file; what is deleted is overwritten with zeros."""
    try:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None
        )
        connection.execute("PRAGMA secure_delete = ON")
    except sqlite3.Error as error:
        raise FedcartError(f"The event store {path} could not be opened ({error}).") from error
    return connection


def _check_version(path: Path, connection: sqlite3.Connection) -> None:
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise InvalidInputError(f"{path} is not an event store ({error}).") from error
    if application != _APPLICATION_ID:
        raise InvalidInputError(f"{path} is a database, but not an event store of fedcart.")
    if version != SCHEMA_VERSION:
        raise InvalidInputError(
            f"{path} is an event store of version {version}; this release reads version "
            f"{SCHEMA_VERSION}. Use the release that wrote it, or import the purchases anew."
        )


def _check_numbers(events: Events) -> None:
    if not np.isfinite(events.quantity).all():
        raise InvalidInputError("A quantity is NaN or infinite; expected finite numbers.")
    if np.isinf(events.price).any():
        raise InvalidInputError("A price is infinite; expected a finite number, NaN if unknown.")


def _texts(values: tuple[str, ...]) -> StringArray:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
