"""The client's journal of instructions: what it was told, what it did, and what it may not use.

One SQLite file of its own. An instruction is finished here in the same transaction as the hold that
it sets or lifts, so after a crash both are there or neither; what it did elsewhere can be done
again without another effect. A hold remembers the number of the instruction that set it: an older
instruction that comes later, or comes again, changes nothing.
"""

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from consent.instruction import Instruction
from consent.instruction_report import Count, Outcome, Report, ReportStatus
from crypto.errors import FedcartError

_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS instruction (
        id TEXT PRIMARY KEY, number INTEGER NOT NULL, kind TEXT NOT NULL,
        planned TEXT, status TEXT, outcome TEXT, counts TEXT, at INTEGER,
        reported INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    """CREATE TABLE IF NOT EXISTS hold (
        shopper TEXT NOT NULL, scope TEXT NOT NULL, number INTEGER NOT NULL, held INTEGER NOT NULL,
        PRIMARY KEY (shopper, scope)
    ) STRICT""",
)
_HOLD: Final = (
    "INSERT INTO hold VALUES (?, ?, ?, ?) ON CONFLICT (shopper, scope) DO UPDATE"
    " SET number = excluded.number, held = excluded.held WHERE excluded.number > number"
)
_FINISH: Final = (
    "UPDATE instruction SET status = ?, outcome = ?, counts = ?, at = ?, reported = 0 WHERE id = ?"
)


@dataclass(frozen=True, kw_only=True)
class HoldChange:
    """Scopes of one shopper that may not be used any more, or may again."""

    scopes: Sequence[str]
    held: bool


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What came of an instruction."""

    status: ReportStatus
    outcome: Outcome
    counts: Mapping[Count, int]


class Journal:
    """The journal on disk, best used in a ``with`` block; readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        """Open the journal, or begin one.

        Raises:
            FedcartError: the disk refused, or the file is something else.
        """
        self._path = path
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise self._error(error) from error
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        try:
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA secure_delete = ON")
        except sqlite3.Error as error:
            raise self._error(error) from error
        with self._transaction():
            for statement in _SCHEMA:
                self._db.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def begin(self, instruction: Instruction) -> bool:
        """Write an instruction down; whether there is anything left to do for it.

        One that is done or refused is only to be reported again.
        """
        with self._transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO instruction (id, number, kind) VALUES (?, ?, ?)",
                (instruction.id, instruction.number, instruction.kind),
            )
            (status,) = self._db.execute(
                "SELECT status FROM instruction WHERE id = ?", (instruction.id,)
            ).fetchone()
            if status in (ReportStatus.DONE, ReportStatus.REFUSED):
                self._db.execute(
                    "UPDATE instruction SET reported = 0 WHERE id = ?", (instruction.id,)
                )
                return False
        return True

    def plan(self, instruction: Instruction, counts: Mapping[Count, int]) -> dict[Count, int]:
        """Write down what is about to be done; after a crash the first plan stays.

        So a report counts what there was, also if it is written by the process after the crash.
        """
        with self._transaction():
            self._db.execute(
                "UPDATE instruction SET planned = ? WHERE id = ? AND planned IS NULL",
                (json.dumps(counts), instruction.id),
            )
            (planned,) = self._db.execute(
                "SELECT planned FROM instruction WHERE id = ?", (instruction.id,)
            ).fetchone()
        return {Count(name): value for name, value in json.loads(planned).items()}

    def hold(self, instruction: Instruction, change: HoldChange) -> None:
        """Set or lift holds, unless a later instruction has said otherwise."""
        with self._transaction():
            self._hold(instruction, change)

    def finish(
        self,
        instruction: Instruction,
        finished: Finished,
        *,
        at: int,
        change: HoldChange | None = None,
    ) -> None:
        """Write down what came of an instruction, with the holds that it sets: both or neither."""
        values = (finished.status, finished.outcome, json.dumps(dict(finished.counts)), at)
        with self._transaction():
            if change is not None:
                self._hold(instruction, change)
            self._db.execute(_FINISH, (*values, instruction.id))

    def reports(self, key: Ed25519PublicKey) -> list[Report]:
        """What was not reported yet, by number, as reports of the client of this key."""
        rows = self._rows(
            "SELECT id, status, outcome, counts, at FROM instruction"
            " WHERE status IS NOT NULL AND NOT reported ORDER BY number"
        )
        return [
            Report(
                instruction=name,
                client_key=key,
                status=ReportStatus(status),
                outcome=Outcome(outcome),
                counts={Count(count): value for count, value in json.loads(counts).items()},
                at=at,
            )
            for name, status, outcome, counts, at in rows
        ]

    def mark_reported(self, ids: Sequence[str]) -> None:
        """Remember that some reports arrived."""
        with self._transaction():
            self._db.executemany(
                "UPDATE instruction SET reported = 1 WHERE id = ?", [(name,) for name in ids]
            )

    def holds(self) -> dict[str, frozenset[str]]:
        """The scopes that are held, by shopper."""
        found: dict[str, set[str]] = {}
        for shopper, scope in self._rows("SELECT shopper, scope FROM hold WHERE held"):
            found.setdefault(shopper, set()).add(scope)
        return {shopper: frozenset(scopes) for shopper, scopes in found.items()}

    def _hold(self, instruction: Instruction, change: HoldChange) -> None:
        self._db.executemany(
            _HOLD,
            [
                (instruction.shopper, scope, instruction.number, int(change.held))
                for scope in change.scopes
            ],
        )

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(query).fetchall()
        except sqlite3.Error as error:
            raise self._error(error) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            with self._db:
                yield
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _error(self, error: Exception) -> FedcartError:
        return FedcartError(f"The journal {self._path} can't be used ({error}).")
