"""The population's ledger in the log: what each round's release is, never a running ε.

A charge is never given back: a failed round keeps it.
"""

import sqlite3
from typing import Final

SCHEMA: Final = (
    """
    CREATE TABLE IF NOT EXISTS charges (
        context TEXT NOT NULL PRIMARY KEY, population TEXT NOT NULL, task TEXT NOT NULL,
        round TEXT NOT NULL, release TEXT NOT NULL, charged_at INTEGER NOT NULL
    ) STRICT
    """,
)


def described(db: sqlite3.Connection, population: str, *, but: str = "") -> list[str]:
    """The described releases of all charged rounds but one (``but``: its context), as JSON."""
    query = "SELECT release FROM charges WHERE population = ? AND context != ? ORDER BY rowid"
    return [row["release"] for row in db.execute(query, (population, but))]


def add(
    db: sqlite3.Connection, *, context: str, place: tuple[str, str, str], described: str, now: int
) -> None:
    """Charge a round (``place``: population, task, round); charging it again changes nothing."""
    db.execute(
        "INSERT OR IGNORE INTO charges VALUES (?, ?, ?, ?, ?, ?)",
        (context, *place, described, now),
    )
