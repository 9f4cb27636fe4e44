"""The budget ledger: ε is reserved on disk before a release, or there is no release.

It stores what each release *is* (noise variance and sensitivities), not a running ε, so the
composed bound is recomputed from the full list each time, by the one rule that every party's ledger
has (``crypto.dp.budget``). SQLite in WAL mode,
fully synchronised. A reservation is never given back: a failed round keeps its charge.
"""

import json
import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from crypto.dp.accounting import Release, release_from_json, release_to_json
from crypto.dp.budget import admit
from crypto.dp.conversion import device_epsilon
from crypto.errors import BudgetError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS reserved (
    task TEXT NOT NULL, round TEXT NOT NULL, context TEXT NOT NULL,
    releases TEXT NOT NULL, reserved_at INTEGER NOT NULL,
    PRIMARY KEY (task, round)
) STRICT
"""
# Where a round of a run with several rounds stands; what was skipped is charged with the next one.
_PLACES = """
CREATE TABLE IF NOT EXISTS placed (
    task TEXT NOT NULL, round TEXT NOT NULL, run TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (task, round)
) STRICT
"""


class Ledger:
    """The ledger of one population, safe between processes.

    Args:
        path: the SQLite file.
        budget: ε that all releases together may cost; infinity for runs with privacy off.
        delta: at which ε is stated.
    """

    def __init__(self, path: Path, *, budget: float, delta: float) -> None:
        if not budget > 0 or not 0 < delta < 1:
            raise BudgetError(f"Expected budget > 0 and 0 < delta < 1, got {budget}, {delta}.")
        self._path, self._budget, self._delta = path, budget, delta
        with self._open() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(_SCHEMA)
            db.execute(_PLACES)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            db = sqlite3.connect(self._path, timeout=30, isolation_level=None)
            try:
                db.execute("PRAGMA synchronous = FULL")
                yield db
            finally:
                db.close()
        except sqlite3.Error as error:
            raise BudgetError(
                f"The budget ledger {self._path} can't be written ({error}); nothing is released. "
                "Free the disk or fix its permissions, then run the round again."
            ) from error

    def reserve(
        self,
        *,
        task: str,
        round_id: str,
        context: str,
        releases: Sequence[Release],
        now: int,
        place: tuple[str, int] | None = None,
    ) -> float:
        """Reserve a round's releases and return the ε spent by all reservations with it.

        Reserving the same round for the same context again costs nothing. ``place`` is its run and
        its number there, in a run of several rounds.

        Raises:
            BudgetError: the budget would be exceeded, the round was reserved for another
                manifest, or the disk says no. Nothing was reserved then.
        """
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            rows = db.execute("SELECT task, round, context, releases FROM reserved").fetchall()
            known = {(row[0], row[1]): row[2] for row in rows}
            spent = [release for row in rows for release in _decode(row[3])]
            if (task, round_id) in known:
                if known[task, round_id] != context:
                    raise BudgetError(
                        f"Round {round_id!r} of {task!r} is reserved for another manifest; plan a "
                        "new round."
                    )
                return device_epsilon(spent, delta=self._delta)
            whose = f"the coordinator's budget, {task!r} included,"
            total = admit(spent, releases, cap=self._budget, delta=self._delta, whose=whose)
            row = (task, round_id, context, json.dumps([release_to_json(r) for r in releases]), now)
            db.execute("INSERT INTO reserved VALUES (?, ?, ?, ?, ?)", row)
            if place is not None:
                db.execute("INSERT INTO placed VALUES (?, ?, ?, ?)", (task, round_id, *place))
            db.execute("COMMIT")
        return total

    def last_number(self, task: str, run: str, *, before: int) -> int:
        """The last number below ``before`` that a run was charged up to; -1 for none."""
        query = "SELECT max(number) FROM placed WHERE task = ? AND run = ? AND number < ?"
        with self._open() as db:
            (found,) = db.execute(query, (task, run, before)).fetchone()
        return -1 if found is None else int(found)

    def spent(self) -> float:
        """ε of all reservations so far."""
        with self._open() as db:
            rows = db.execute("SELECT releases FROM reserved").fetchall()
        releases = [release for (text,) in rows for release in _decode(text)]
        return device_epsilon(releases, delta=self._delta)

    @property
    def remaining(self) -> float:
        """Budget minus spent; composition is not additive, so this is a lower bound on use."""
        return math.inf if math.isinf(self._budget) else max(0.0, self._budget - self.spent())


def _decode(text: str) -> list[Release]:
    return [release_from_json(fields) for fields in json.loads(text)]
