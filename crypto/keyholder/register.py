"""The register of answered rounds: one answer per (population, task, round), for ever.

SQLite with full synchronisation; an entry is on disk before the answer leaves. A repeated request
for the same list gets the same answer; another list for an answered round is refused.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crypto.errors import RoundError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answered (
    population TEXT NOT NULL,
    task TEXT NOT NULL,
    round TEXT NOT NULL,
    request TEXT NOT NULL,
    clients INTEGER NOT NULL,
    answered_at INTEGER NOT NULL,
    PRIMARY KEY (population, task, round)
) STRICT
"""
_FIND: Final = "SELECT request FROM answered WHERE population = ? AND task = ? AND round = ?"


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One entry. ``request`` is the hash of manifest, commit and sum; times in Unix seconds."""

    population: str
    task: str
    round_id: str
    request: str
    clients: int
    answered_at: int


class Register:
    """The register of one key holder, safe between threads and processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        with self._connect() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(_SCHEMA)

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        try:
            db.execute("PRAGMA synchronous = FULL")
            yield db
        finally:
            db.close()

    def check(self, entry: Answered) -> None:
        """Refuse what ``enter`` would refuse.

        Raises:
            RoundError: the round was answered for another request.
        """
        key = (entry.population, entry.task, entry.round_id)
        with self._connect() as db:
            _require_same(db.execute(_FIND, key).fetchone(), entry)

    def enter(self, entry: Answered) -> None:
        """Enter a round before it is answered.

        Raises:
            RoundError: the round was answered for another request.
        """
        with self._lock, self._connect() as db:
            db.execute("BEGIN IMMEDIATE")
            key = (entry.population, entry.task, entry.round_id)
            found = db.execute(_FIND, key).fetchone()
            if found is None:
                db.execute(
                    "INSERT INTO answered VALUES (?, ?, ?, ?, ?, ?)",
                    (*key, entry.request, entry.clients, entry.answered_at),
                )
            db.execute("COMMIT")
        _require_same(found, entry)

    def answered(self) -> list[Answered]:
        """All entries, oldest first."""
        with self._connect() as db:
            rows = db.execute("SELECT * FROM answered ORDER BY answered_at, rowid").fetchall()
        names = ("population", "task", "round_id", "request", "clients", "answered_at")
        return [Answered(**dict(zip(names, row, strict=True))) for row in rows]


def _require_same(found: tuple[str] | None, entry: Answered) -> None:
    if found is not None and found[0] != entry.request:
        raise RoundError(
            f"Round {entry.round_id!r} of {entry.task!r} was answered for another sum; a key "
            "holder answers once. Plan a new round."
        )
