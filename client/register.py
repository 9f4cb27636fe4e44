"""The client's own register of rounds: written before anything is computed for one.

A client joins a round of a task under one manifest only, and seals at most ``MAX_SENDS`` vectors
for it: a second one replaces the first when a shopper of a store withdrew meanwhile, or may not be
used any more. It is also its shoppers' ledger: what each round may cost each shopper is charged
here first, and a shopper whose cap would be passed takes no part. A charge is never given back; a
failed round keeps it.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crypto.dp.accounting import Release, release_from_json, release_to_json
from crypto.dp.budget import admit
from crypto.dp.conversion import device_epsilon
from crypto.dp.correlated import may_take_part
from crypto.errors import BudgetError, RoundError

MAX_SENDS: Final = 2
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS joined (
        population TEXT NOT NULL, task TEXT NOT NULL, round TEXT NOT NULL,
        context TEXT NOT NULL, epsilon REAL, sends INTEGER NOT NULL,
        PRIMARY KEY (population, task, round)
    ) STRICT""",
    """CREATE TABLE IF NOT EXISTS charged (
        shopper TEXT NOT NULL, context TEXT NOT NULL, release TEXT NOT NULL,
        run TEXT NOT NULL, number INTEGER NOT NULL,
        PRIMARY KEY (shopper, context)
    ) STRICT""",
    "CREATE INDEX IF NOT EXISTS charged_by_context ON charged (context)",
    """CREATE TABLE IF NOT EXISTS left_out (
        context TEXT NOT NULL, shopper TEXT NOT NULL,
        PRIMARY KEY (context, shopper)
    ) STRICT""",
)


@dataclass(frozen=True, kw_only=True)
class Cap:
    """What all rounds together may cost one shopper: ε at δ; None sets no cap."""

    epsilon: float | None
    delta: float


def enter_round(
    path: Path, *, population: str, task: str, round_id: str, context: str, epsilon: float | None
) -> int:
    """Enter a round on disk and return how often it was entered, this time included.

    Raises:
        RoundError: joined before under another manifest, sealed for ``MAX_SENDS`` times already,
            or the disk says no: what can't be written down is not sent.
    """
    with _writing(path) as db:
        return _enter(db, (population, task, round_id), context, epsilon)


def _enter(
    db: sqlite3.Connection, key: tuple[str, str, str], context: str, epsilon: float | None
) -> int:
    db.execute("INSERT OR IGNORE INTO joined VALUES (?, ?, ?, ?, ?, 0)", (*key, context, epsilon))
    found, sends = db.execute(
        "SELECT context, sends FROM joined WHERE population = ? AND task = ? AND round = ?", key
    ).fetchone()
    if found != context:
        raise RoundError(f"Round {key[2]!r} was joined under another manifest; refused.")
    if sends >= MAX_SENDS:
        raise RoundError(f"Round {key[2]!r} was answered {sends} times already; refused.")
    db.execute(
        "UPDATE joined SET sends = sends + 1 WHERE population = ? AND task = ? AND round = ?", key
    )
    return int(sends) + 1


@dataclass(frozen=True, kw_only=True)
class Charge:
    """What a round costs each shopper, and where it stands.

    Attributes:
        context: the round's.
        release: what it releases about one who takes part.
        run, number: its run (unique among populations and tasks) and its place there.
        separation: a shopper takes part at most once in so many rounds of the run.
    """

    context: str
    release: Release
    run: str
    number: int
    separation: int


def charge(path: Path, shoppers: Sequence[str], entry: Charge, *, cap: Cap) -> list[str]:
    """Charge a round to shoppers, and return those who may take part, in the same order.

    Left out is whose cap it would pass, and who took part in this run too few rounds before. One
    who is charged for this round already is not charged again.

    Raises:
        RoundError: the disk says no; nothing is sent then.
    """
    text = json.dumps(release_to_json(entry.release), sort_keys=True)
    within: list[str] = []
    allowed: dict[tuple[str, ...], bool] = {}  # a store's shoppers share most histories
    with _writing(path) as db:
        for shopper in shoppers:
            spent = _charges(db, shopper)
            if entry.context not in spent:
                history = tuple(sorted(spent.values()))
                if history not in allowed:
                    allowed[history] = _admits(history, entry.release, cap)
                if not allowed[history] or not _separated(db, shopper, entry):
                    continue
                row = (shopper, entry.context, text, entry.run, entry.number)
                db.execute("INSERT INTO charged VALUES (?, ?, ?, ?, ?)", row)
            within.append(shopper)
        # What is sealed next may be of all of them, so they count as in it from now on.
        rows = [(entry.context, shopper) for shopper in within]
        db.executemany("DELETE FROM left_out WHERE context = ? AND shopper = ?", rows)
    return within


def note_sealed(path: Path, context: str, shoppers: Iterable[str]) -> None:
    """Note that what lies in the outbox for a round is now of these shoppers and of nobody else.

    Raises:
        RoundError: the disk says no.
    """
    with _writing(path) as db:
        left_out = _charged_for(db, context).difference(shoppers)
        rows = [(context, shopper) for shopper in left_out]
        db.executemany("INSERT OR IGNORE INTO left_out VALUES (?, ?)", rows)


def sealed_of(path: Path, context: str) -> frozenset[str]:
    """Of whom what lies in the outbox for a round may be: who was charged, but for those left out.

    Guarantee: never too few, since one who is left out is noted when it is on disk without her.

    Raises:
        RoundError: the disk says no.
    """
    with _writing(path) as db:
        query = "SELECT shopper FROM left_out WHERE context = ?"
        left_out = {shopper for (shopper,) in db.execute(query, (context,))}
        return _charged_for(db, context) - left_out


def _charged_for(db: sqlite3.Connection, context: str) -> frozenset[str]:
    query = "SELECT shopper FROM charged WHERE context = ?"
    return frozenset(shopper for (shopper,) in db.execute(query, (context,)))


def _admits(history: Sequence[str], release: Release, cap: Cap) -> bool:
    if cap.epsilon is None:
        return True
    try:
        admit(_parsed(history), [release], cap=cap.epsilon, delta=cap.delta)
    except BudgetError:
        return False
    return True


def _separated(db: sqlite3.Connection, shopper: str, entry: Charge) -> bool:
    (last,) = db.execute(
        "SELECT max(number) FROM charged WHERE shopper = ? AND run = ?", (shopper, entry.run)
    ).fetchone()
    return may_take_part(separation=entry.separation, number=entry.number, previous=last)


def spent_by(path: Path, shopper: str, *, delta: float) -> float:
    """ε of all rounds that a shopper was charged for, at ``delta``; 0 without any."""
    if not path.is_file():
        return 0.0
    with _writing(path) as db:
        history = tuple(_charges(db, shopper).values())
    return device_epsilon(_parsed(history), delta=delta)


def most_spent(path: Path, *, delta: float) -> float:
    """``spent_by`` of whoever was charged most; 0 where nobody was."""
    if not path.is_file():
        return 0.0
    with _writing(path) as db:
        rows = db.execute("SELECT shopper, release FROM charged").fetchall()
    charged: dict[str, list[str]] = {}
    for shopper, release in rows:
        charged.setdefault(shopper, []).append(release)
    histories = {tuple(sorted(each)) for each in charged.values()}  # most shoppers share one
    return max((device_epsilon(_parsed(each), delta=delta) for each in histories), default=0.0)


def _charges(db: sqlite3.Connection, shopper: str) -> dict[str, str]:
    query = "SELECT context, release FROM charged WHERE shopper = ?"
    return dict(db.execute(query, (shopper,)).fetchall())


def _parsed(history: Sequence[str]) -> list[Release]:
    return [release_from_json(json.loads(text)) for text in history]


@contextmanager
def _writing(path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction, on disk when the block ends."""
    try:
        db = sqlite3.connect(path, timeout=30, isolation_level=None)
        try:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA:
                db.execute(statement)
            yield db
            db.execute("COMMIT")
        finally:
            db.close()
    except sqlite3.Error as error:
        raise RoundError(f"The register {path} can't be written ({error}); not joining.") from error


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


def joined_contexts(path: Path) -> dict[tuple[str, str], str]:
    """The context under which each round was joined, by (task, round)."""
    if not path.is_file():
        return {}
    db = sqlite3.connect(path, timeout=30)
    try:
        rows = db.execute("SELECT task, round, context FROM joined").fetchall()
    finally:
        db.close()
    return {(str(task), str(round_id)): str(context) for task, round_id, context in rows}


def charged_contexts(path: Path, shopper: str) -> frozenset[str]:
    """The contexts of the rounds that a shopper was charged for: those she took part in."""
    if not path.is_file():
        return frozenset()
    with _writing(path) as db:
        return frozenset(_charges(db, shopper))
