"""Acknowledged uploads, the grants that they used, and whom this key holder blames.

What is unique within a round (clients, commitments, envelopes, grants, shoppers) stands under the
database's own uniqueness: two uploads that share any of it can't both be entered. A grant is bound
to one round by its signature, so it is unique for ever. ``Seen`` is the same in memory, to say
beforehand what would clash.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from crypto.upload import Role, Upload

SCHEMA: Final = (
    """
    CREATE TABLE IF NOT EXISTS uploads (
        context TEXT NOT NULL, upload TEXT NOT NULL, client TEXT NOT NULL, sender BLOB NOT NULL,
        role TEXT NOT NULL, shoppers INTEGER NOT NULL, commitments TEXT NOT NULL,
        start INTEGER NOT NULL, length INTEGER NOT NULL, listed INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (context, upload), UNIQUE (context, client)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS marks (
        context TEXT NOT NULL, mark TEXT NOT NULL, PRIMARY KEY (context, mark)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS grants (
        context TEXT NOT NULL, token_id TEXT NOT NULL, subject TEXT NOT NULL,
        upload TEXT NOT NULL, PRIMARY KEY (context, token_id), UNIQUE (context, subject)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS exclusions (
        context TEXT NOT NULL, reason TEXT NOT NULL, uploads INTEGER NOT NULL,
        PRIMARY KEY (context, reason)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS blames (
        context TEXT NOT NULL, upload TEXT NOT NULL, client TEXT NOT NULL, role TEXT NOT NULL,
        reason TEXT NOT NULL, header BLOB NOT NULL, blamed_at INTEGER NOT NULL,
        PRIMARY KEY (context, upload)
    ) STRICT, WITHOUT ROWID
    """,
)


@dataclass(frozen=True, kw_only=True)
class Used:
    """A grant that an upload uses: its id, and the shopper's pseudonym in this round."""

    token_id: str
    subject: str


@dataclass(frozen=True, kw_only=True)
class Acknowledged:
    """An upload that this key holder took.

    Its envelope has ``length`` bytes from ``start`` in the round's file of envelopes.
    """

    context: str
    upload: str
    client: str
    sender: bytes
    role: Role
    shoppers: int
    commitments: tuple[str, ...]
    start: int
    length: int


@dataclass(frozen=True, kw_only=True)
class Blame:
    """A sender whose commitment did not hold, with the header that it signed."""

    context: str
    upload: str
    client: str
    role: str
    reason: str
    header: bytes
    blamed_at: int


@dataclass(frozen=True, kw_only=True)
class Taken:
    """An upload to be acknowledged, with the grants that it uses and its place on disk."""

    upload: Upload
    grants: tuple[Used, ...]
    start: int
    length: int


@dataclass
class Seen:
    """What no other upload of a round may show again, in memory.

    ``marks`` are commitments and hashes of envelopes; ``used`` are ids of grants, ``subjects`` the
    shoppers' pseudonyms.
    """

    uploads: set[str] = field(default_factory=set)
    clients: set[str] = field(default_factory=set)
    marks: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    subjects: set[str] = field(default_factory=set)
    blamed: set[str] = field(default_factory=set)

    def add(self, upload: Upload, grants: Sequence[Used]) -> None:
        """Remember an upload."""
        self.uploads.add(upload.hash)
        self.clients.add(upload.client)
        self.marks.update(marks_of(upload))
        self.used.update(grant.token_id for grant in grants)
        self.subjects.update(grant.subject for grant in grants)


def marks_of(upload: Upload) -> tuple[str, ...]:
    """An upload's commitments and the hashes of its envelopes."""
    return (*upload.commitments, *upload.shares)


def seen(db: sqlite3.Connection, context: str) -> Seen:
    """Everything of a round that may not be shown again."""
    found = Seen()
    for row in db.execute("SELECT upload, client FROM uploads WHERE context = ?", (context,)):
        found.uploads.add(row["upload"])
        found.clients.add(row["client"])
    for row in db.execute("SELECT token_id, subject FROM grants WHERE context = ?", (context,)):
        found.used.add(row["token_id"])
        found.subjects.add(row["subject"])
    for row in db.execute("SELECT mark FROM marks WHERE context = ?", (context,)):
        found.marks.add(row["mark"])
    for row in db.execute("SELECT upload FROM blames WHERE context = ?", (context,)):
        found.blamed.add(row["upload"])
    return found


def enter(db: sqlite3.Connection, taken: Sequence[Taken]) -> None:
    """Acknowledge uploads: their grants are used now.

    Raises:
        sqlite3.IntegrityError: something of them was used before (``seen`` tells it first).
    """
    db.executemany(
        "INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
        [
            (
                each.upload.context,
                each.upload.hash,
                each.upload.client,
                each.upload.sender,
                each.upload.role,
                each.upload.grant_count,
                " ".join(each.upload.commitments),
                each.start,
                each.length,
            )
            for each in taken
        ],
    )
    db.executemany(
        "INSERT INTO marks VALUES (?, ?)",
        [(each.upload.context, mark) for each in taken for mark in marks_of(each.upload)],
    )
    db.executemany(
        "INSERT INTO grants VALUES (?, ?, ?, ?)",
        [
            (each.upload.context, grant.token_id, grant.subject, each.upload.hash)
            for each in taken
            for grant in each.grants
        ],
    )


def end_of(db: sqlite3.Connection, context: str) -> int:
    """Where the file of envelopes ends, as far as the log knows."""
    query = "SELECT COALESCE(MAX(start + length), 0) FROM uploads WHERE context = ?"
    (end,) = db.execute(query, (context,)).fetchone()
    return int(end)


def acknowledged(
    db: sqlite3.Connection, context: str, *, listed: bool = False
) -> dict[str, Acknowledged]:
    """The acknowledged uploads of a round by hash; only those that it voted for, if ``listed``."""
    query = "SELECT * FROM uploads WHERE context = ? AND listed >= ?"
    names = Acknowledged.__dataclass_fields__
    found = {}
    for row in db.execute(query, (context, int(listed))):
        fields = {name: row[name] for name in names}
        fields |= {"role": Role(row["role"]), "commitments": tuple(row["commitments"].split())}
        found[row["upload"]] = Acknowledged(**fields)
    return found


def counts(db: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """Clients and shoppers acknowledged by context; key holders' entries don't count."""
    query = (
        "SELECT context, COUNT(*) AS clients, SUM(shoppers) AS shoppers FROM uploads "
        "WHERE role = ? GROUP BY context"
    )
    rows = db.execute(query, (Role.CLIENT,))
    return {row["context"]: (row["clients"], row["shoppers"]) for row in rows}


def list_uploads(db: sqlite3.Connection, context: str, uploads: Sequence[str]) -> None:
    """Remember which uploads the vote is for."""
    rows = [(context, upload) for upload in uploads]
    db.executemany("UPDATE uploads SET listed = 1 WHERE context = ? AND upload = ?", rows)


def count_exclusion(db: sqlite3.Connection, context: str, reason: str) -> None:
    """Count an exclusion; who it was is not kept."""
    db.execute(
        "INSERT INTO exclusions VALUES (?, ?, 1) "
        "ON CONFLICT (context, reason) DO UPDATE SET uploads = uploads + 1",
        (context, reason),
    )


def exclusions(db: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """How many uploads were excluded, by context and reason."""
    found: dict[str, dict[str, int]] = {}
    for row in db.execute("SELECT * FROM exclusions ORDER BY context, reason"):
        found.setdefault(row["context"], {})[row["reason"]] = row["uploads"]
    return found


def blame(db: sqlite3.Connection, record: Blame) -> None:
    """Keep who is to blame, with the signed header; once an upload."""
    db.execute(
        "INSERT OR IGNORE INTO blames VALUES (?, ?, ?, ?, ?, ?, ?)", tuple(vars(record).values())
    )


def blames(db: sqlite3.Connection) -> list[Blame]:
    """All blame records, the oldest first."""
    rows = db.execute("SELECT * FROM blames ORDER BY blamed_at, upload")
    return [Blame(**{name: row[name] for name in Blame.__dataclass_fields__}) for row in rows]


def forget(db: sqlite3.Connection, context: str) -> None:
    """Delete what only an open round needs; blame records and counts stay."""
    for table in ("uploads", "marks", "grants"):
        db.execute(f"DELETE FROM {table} WHERE context = ?", (context,))  # noqa: S608 - our tables


def of_finished(db: sqlite3.Connection, now: int) -> list[str]:
    """Contexts of rounds that are over and whose uploads are still here."""
    query = (
        "SELECT context FROM rounds WHERE state IN ('released', 'aborted') AND deadline <= ? "
        "AND EXISTS (SELECT 1 FROM uploads WHERE uploads.context = rounds.context)"
    )
    return [row["context"] for row in db.execute(query, (now,))]
