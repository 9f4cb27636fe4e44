"""Votes and answers: one vote a round, chained; the latest votes of the peers; the part sums.

A vote follows the one before it by hash and number. Peers keep each other's latest, so a key
holder whose disk was set back can be told that it has voted since.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

from crypto.ballot import NO_VOTE
from crypto.wire import SignedRecord

SCHEMA: Final = (
    """
    CREATE TABLE IF NOT EXISTS votes (
        identity TEXT NOT NULL, sequence INTEGER NOT NULL, context TEXT NOT NULL UNIQUE,
        list_hash TEXT NOT NULL, record BLOB NOT NULL, record_hash TEXT NOT NULL,
        voted_at INTEGER NOT NULL,
        PRIMARY KEY (identity, sequence)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS peer_votes (
        identity TEXT NOT NULL PRIMARY KEY, sequence INTEGER NOT NULL, record BLOB NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS answers (
        context TEXT NOT NULL PRIMARY KEY, request TEXT NOT NULL, data BLOB NOT NULL,
        answered_at INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE IF NOT EXISTS stops (
        identity TEXT NOT NULL PRIMARY KEY, reason TEXT NOT NULL, stopped_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
)


@dataclass(frozen=True, kw_only=True)
class CastVote:
    """A vote of this key holder. ``identity`` is the base64url key that signed it."""

    identity: str
    sequence: int
    context: str
    list_hash: str
    record: bytes
    record_hash: str
    voted_at: int


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A part sum as it was sent; ``request`` is the hash of the three votes that asked for it."""

    context: str
    request: str
    data: bytes
    answered_at: int


def cast(db: sqlite3.Connection, vote: CastVote) -> None:
    """Enter a vote.

    Raises:
        sqlite3.IntegrityError: there is a vote for this round, or with this number.
    """
    db.execute("INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?)", tuple(vars(vote).values()))


def in_round(db: sqlite3.Connection, context: str) -> CastVote | None:
    """This key holder's vote in a round."""
    return _vote(db.execute("SELECT * FROM votes WHERE context = ?", (context,)).fetchone())


def numbered(db: sqlite3.Connection, identity: str, sequence: int) -> CastVote | None:
    """An identity's vote of this number."""
    query = "SELECT * FROM votes WHERE identity = ? AND sequence = ?"
    return _vote(db.execute(query, (identity, sequence)).fetchone())


def latest(db: sqlite3.Connection, identity: str) -> CastVote | None:
    """An identity's last vote."""
    query = "SELECT * FROM votes WHERE identity = ? ORDER BY sequence DESC LIMIT 1"
    return _vote(db.execute(query, (identity,)).fetchone())


def next_place(db: sqlite3.Connection, identity: str) -> tuple[int, str]:
    """Number and predecessor of an identity's next vote."""
    last = latest(db, identity)
    return (1, NO_VOTE) if last is None else (last.sequence + 1, last.record_hash)


def see_peer(db: sqlite3.Connection, identity: str, sequence: int, record: SignedRecord) -> None:
    """Remember a peer's vote if it is later than what was seen of that identity."""
    db.execute(
        "INSERT INTO peer_votes VALUES (?, ?, ?) ON CONFLICT (identity) DO UPDATE SET "
        "sequence = excluded.sequence, record = excluded.record "
        "WHERE excluded.sequence > peer_votes.sequence",
        (identity, sequence, record.to_bytes()),
    )


def of_peer(db: sqlite3.Connection, identity: str) -> bytes | None:
    """The latest vote seen of a peer's identity, as a signed record's bytes."""
    query = "SELECT record FROM peer_votes WHERE identity = ?"
    row = db.execute(query, (identity,)).fetchone()
    return None if row is None else bytes(row["record"])


def answer(db: sqlite3.Connection, entry: Answer) -> None:
    """Enter an answer.

    Raises:
        sqlite3.IntegrityError: the round was answered.
    """
    db.execute("INSERT INTO answers VALUES (?, ?, ?, ?)", tuple(vars(entry).values()))


def answered(db: sqlite3.Connection, context: str) -> Answer | None:
    """The answer of a round."""
    row = db.execute("SELECT * FROM answers WHERE context = ?", (context,)).fetchone()
    return None if row is None else Answer(**dict(row))


def stop(db: sqlite3.Connection, identity: str, reason: str, now: int) -> None:
    """Write down that an identity must not act any more, and why."""
    db.execute("INSERT OR IGNORE INTO stops VALUES (?, ?, ?)", (identity, reason, now))


def stopped(db: sqlite3.Connection, identity: str) -> str | None:
    """Why this identity must not act any more."""
    row = db.execute("SELECT reason FROM stops WHERE identity = ?", (identity,)).fetchone()
    return None if row is None else str(row["reason"])


def _vote(row: sqlite3.Row | None) -> CastVote | None:
    return None if row is None else CastVote(**dict(row))
