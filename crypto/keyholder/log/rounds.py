"""Rounds in the log: one row each, from the round key to the answer.

    keyed -> accepted -> voted -> released
    keyed, accepted, voted -> aborted

States only go forward: a round that was aborted is never opened again.
"""

import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from crypto.wire import SignedRecord

SCHEMA: Final = (
    """
    CREATE TABLE IF NOT EXISTS rounds (
        population TEXT NOT NULL, task TEXT NOT NULL, round TEXT NOT NULL,
        identity TEXT NOT NULL, request TEXT NOT NULL,
        key_hash TEXT NOT NULL UNIQUE, key BLOB NOT NULL,
        opens INTEGER NOT NULL, closes INTEGER NOT NULL, deadline INTEGER NOT NULL,
        state TEXT NOT NULL,
        context TEXT UNIQUE, previous TEXT, run TEXT, number INTEGER, plan TEXT,
        manifest BLOB, accept BLOB, entry TEXT, entry_file TEXT,
        accepted_order INTEGER,
        PRIMARY KEY (population, task, round),
        UNIQUE (population, task, previous)
    ) STRICT
    """,
)


class State(StrEnum):
    """How far a round is."""

    KEYED = "keyed"
    ACCEPTED = "accepted"
    VOTED = "voted"
    RELEASED = "released"
    ABORTED = "aborted"

    @property
    def open(self) -> bool:
        """Whether its secret still exists."""
        return self not in {State.RELEASED, State.ABORTED}


@dataclass(frozen=True, kw_only=True)
class RoundRow:
    """One round as it stands in the log. Times are Unix seconds; hashes are hex.

    Attributes:
        identity: the key holder's own identity (base64url) when it made the round key.
        request: hash of the signed request for the round key.
        key_hash, key: of the signed round key, and its bytes.
        opens, closes: what the round key holds for; after ``accept``, when the round is open.
        deadline: until when there must be an answer.
        context, previous, manifest, accept: of the accepted manifest.
        run, number, plan: the run that it belongs to, its place there, and the hash of its plan.
        entry, entry_file: hashes of this key holder's own noise entry: its header's, and all its
            bytes'.
    """

    population: str
    task: str
    round: str
    identity: str
    request: str
    key_hash: str
    key: bytes
    opens: int
    closes: int
    deadline: int
    state: State
    context: str | None = None
    previous: str | None = None
    run: str | None = None
    number: int | None = None
    plan: str | None = None
    manifest: bytes | None = None
    accept: bytes | None = None
    entry: str | None = None
    entry_file: str | None = None

    @property
    def manifest_record(self) -> SignedRecord:
        """The accepted manifest."""
        if self.manifest is None:
            raise ValueError("No manifest was accepted for this round.")
        return SignedRecord.from_bytes(self.manifest)


def add(db: sqlite3.Connection, row: RoundRow) -> None:
    """Enter a round that has a key and nothing else."""
    fields = vars(row)
    names, marks = ", ".join(fields), ", ".join("?" * len(fields))
    db.execute(f"INSERT INTO rounds ({names}) VALUES ({marks})", tuple(fields.values()))  # noqa: S608 - names of our own fields


def find(db: sqlite3.Connection, population: str, task: str, round_id: str) -> RoundRow | None:
    """The round of this name."""
    where = "population = ? AND task = ? AND round = ?"
    return _one(db, where, population, task, round_id)


def of_context(db: sqlite3.Connection, context: str) -> RoundRow | None:
    """The round whose accepted manifest has this hash."""
    return _one(db, "context = ?", context)


def is_accepted(db: sqlite3.Connection, population: str, task: str, context: str) -> bool:
    """Whether this manifest of a task was accepted."""
    where = "population = ? AND task = ? AND context = ?"
    return _one(db, where, population, task, context) is not None


def is_followed(db: sqlite3.Connection, population: str, task: str, previous: str) -> bool:
    """Whether a manifest that follows this one was accepted."""
    where = "population = ? AND task = ? AND previous = ?"
    return _one(db, where, population, task, previous) is not None


def latest_accepted(db: sqlite3.Connection, population: str, task: str) -> RoundRow | None:
    """The round of a task that was accepted last."""
    row = db.execute(
        "SELECT * FROM rounds WHERE population = ? AND task = ? AND context IS NOT NULL "
        "ORDER BY accepted_order DESC LIMIT 1",
        (population, task),
    ).fetchone()
    return None if row is None else _parse(row)


def of_run(db: sqlite3.Connection, row: RoundRow) -> list[RoundRow]:
    """All accepted rounds of a round's run, by number."""
    query = (
        "SELECT * FROM rounds WHERE population = ? AND task = ? AND run = ? "
        "AND context IS NOT NULL ORDER BY number"
    )
    return [_parse(found) for found in db.execute(query, (row.population, row.task, row.run))]


def accept(db: sqlite3.Connection, row: RoundRow) -> None:
    """Enter the manifest that a round accepted."""
    db.execute(
        "UPDATE rounds SET state = ?, context = ?, previous = ?, run = ?, number = ?, plan = ?, "
        "manifest = ?, accept = ?, "
        "opens = ?, closes = ?, deadline = ?, "
        "accepted_order = (SELECT COALESCE(MAX(accepted_order), 0) + 1 FROM rounds) "
        "WHERE key_hash = ? AND context IS NULL",
        (
            State.ACCEPTED,
            row.context,
            row.previous,
            row.run,
            row.number,
            row.plan,
            row.manifest,
            row.accept,
            row.opens,
            row.closes,
            row.deadline,
            row.key_hash,
        ),
    )


def set_entry(db: sqlite3.Connection, key_hash: str, *, upload: str, file: str) -> None:
    """Enter the hashes of the own noise entry, once."""
    db.execute(
        "UPDATE rounds SET entry = ?, entry_file = ? WHERE key_hash = ? AND entry IS NULL",
        (upload, file, key_hash),
    )


def set_state(db: sqlite3.Connection, key_hash: str, state: State) -> None:
    """Go on to a later state."""
    db.execute("UPDATE rounds SET state = ? WHERE key_hash = ?", (state, key_hash))


def still_open(db: sqlite3.Connection) -> list[RoundRow]:
    """Rounds whose secret still exists, the oldest first."""
    states = [state for state in State if state.open]
    marks = ", ".join("?" * len(states))
    query = f"SELECT * FROM rounds WHERE state IN ({marks}) ORDER BY rowid"  # noqa: S608 - marks
    return [_parse(row) for row in db.execute(query, states)]


def every(db: sqlite3.Connection) -> list[RoundRow]:
    """All rounds, the oldest first."""
    return [_parse(row) for row in db.execute("SELECT * FROM rounds ORDER BY rowid")]


def _one(db: sqlite3.Connection, where: str, *values: str) -> RoundRow | None:
    query = f"SELECT * FROM rounds WHERE {where}"  # noqa: S608 - our own conditions
    row = db.execute(query, values).fetchone()
    return None if row is None else _parse(row)


def _parse(row: sqlite3.Row) -> RoundRow:
    fields = {name: row[name] for name in RoundRow.__dataclass_fields__}
    return RoundRow(**(fields | {"state": State(row["state"])}))
