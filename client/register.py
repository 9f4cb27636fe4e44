"""The client's own register of rounds: written before anything is computed for one.

A client joins a round of a task under one manifest only, and seals at most ``MAX_SENDS`` vectors
for it: a second one replaces the first when a shopper of a store withdrew meanwhile. It is also its
shoppers' ledger: what each round may cost each shopper is charged here first, and a shopper whose
cap would be passed takes no part. A charge is never given back; a failed round keeps it.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crypto.dp.accounting import Release, release_from_json, release_to_json
from crypto.dp.conversion import device_epsilon
from crypto.errors import RoundError

MAX_SENDS: Final = 2
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS joined (
        population TEXT NOT NULL, task TEXT NOT NULL, round TEXT NOT NULL,
        context TEXT NOT NULL, epsilon REAL, sends INTEGER NOT NULL,
        PRIMARY KEY (population, task, round)
    ) STRICT""",
    """CREATE TABLE IF NOT EXISTS charged (
        shopper TEXT NOT NULL, context TEXT NOT NULL, release TEXT NOT NULL,
        PRIMARY KEY (shopper, context)
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


def charge(
    path: Path, shoppers: Sequence[str], *, context: str, release: Release, cap: Cap
) -> list[str]:
    """Charge a round to shoppers, and return those whose caps allow it, in the same order.

    One who is charged for this round already is not charged again.

    Raises:
        RoundError: the disk says no; nothing is sent then.
    """
    text = json.dumps(release_to_json(release), sort_keys=True)
    within = []
    costs: dict[tuple[str, ...], float] = {}
    with _writing(path) as db:
        for shopper in shoppers:
            spent = _charges(db, shopper)
            if context not in spent:
                history = (*sorted(spent.values()), text)
                if history not in costs:
                    costs[history] = _cost(history, cap)
                if cap.epsilon is not None and costs[history] > cap.epsilon * (1 + 1e-9):
                    continue
                db.execute("INSERT INTO charged VALUES (?, ?, ?)", (shopper, context, text))
            within.append(shopper)
    return within


def spent_by(path: Path, shopper: str, *, delta: float) -> float:
    """ε of all rounds that a shopper was charged for, at ``delta``; 0 without any."""
    if not path.is_file():
        return 0.0
    with _writing(path) as db:
        history = tuple(sorted(_charges(db, shopper).values()))
    return _cost(history, Cap(epsilon=None, delta=delta)) if history else 0.0


def _charges(db: sqlite3.Connection, shopper: str) -> dict[str, str]:
    query = "SELECT context, release FROM charged WHERE shopper = ?"
    return dict(db.execute(query, (shopper,)).fetchall())


def _cost(history: Sequence[str], cap: Cap) -> float:
    releases = [release_from_json(json.loads(text)) for text in history]
    return device_epsilon(releases, delta=cap.delta)


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
