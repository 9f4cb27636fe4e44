"""The client's own register of rounds: written before anything is computed for one.

A client joins a round of a task under one manifest only, and sends at most ``MAX_SENDS`` sealed
vectors for it: a second one replaces the first when a shopper of a store withdrew meanwhile.
"""

import sqlite3
from pathlib import Path
from typing import Final

from crypto.errors import RoundError

MAX_SENDS: Final = 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS joined (
    population TEXT NOT NULL, task TEXT NOT NULL, round TEXT NOT NULL,
    context TEXT NOT NULL, epsilon REAL, sends INTEGER NOT NULL,
    PRIMARY KEY (population, task, round)
) STRICT
"""


def enter_round(
    path: Path, *, population: str, task: str, round_id: str, context: str, epsilon: float | None
) -> int:
    """Enter a round on disk and return how often it was entered, this time included.

    Raises:
        RoundError: joined before under another manifest, sent ``MAX_SENDS`` times already, or the
            disk says no: what can't be written down is not sent.
    """
    try:
        return _enter(path, (population, task, round_id), context, epsilon)
    except sqlite3.Error as error:
        raise RoundError(f"The register {path} can't be written ({error}); not joining.") from error


def _enter(path: Path, key: tuple[str, str, str], context: str, epsilon: float | None) -> int:
    db = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        db.execute(_SCHEMA)
        db.execute(
            "INSERT OR IGNORE INTO joined VALUES (?, ?, ?, ?, ?, 0)", (*key, context, epsilon)
        )
        found, sends = db.execute(
            "SELECT context, sends FROM joined WHERE population = ? AND task = ? AND round = ?", key
        ).fetchone()
        if found != context:
            raise RoundError(f"Round {key[2]!r} was joined under another manifest; refused.")
        if sends >= MAX_SENDS:
            raise RoundError(f"Round {key[2]!r} was answered {sends} times already; refused.")
        db.execute(
            "UPDATE joined SET sends = sends + 1 WHERE population = ? AND task = ? AND round = ?",
            key,
        )
        db.execute("COMMIT")
    finally:
        db.close()
    return int(sends) + 1


def joined_rounds(path: Path) -> list[tuple[str, str, float | None]]:
    """All joined rounds as (task, round, charged ε), oldest first."""
    if not path.is_file():
        return []
    db = sqlite3.connect(path, timeout=30)
    try:
        rows = db.execute("SELECT task, round, epsilon FROM joined ORDER BY rowid").fetchall()
    finally:
        db.close()
    return [(str(task), str(round_id), epsilon) for task, round_id, epsilon in rows]
