"""Carrying out what a shopper asked for: fetch signed instructions, do them once, report.

Works for a device and for a store. Every step can be cut off: what was done is not done again, and
what was not reported is reported the next time. Only instructions that the pinned key signed for
this client are looked at (``consent.client``).

Erasing overwrites purchases in their file, compacts it and deletes it. That is best effort: what a
file system, a solid-state disk or somebody's backup has kept is out of its reach.
"""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from client.erasing import copies_of, derived_files, erase_purchases
from client.events import EventStore
from client.holds import ERASED, OBJECTED, RESTRICTED, STOPPED, scope_of
from client.home import ClientHome, ClientKind
from client.journal import Finished, HoldChange, Journal
from client.personal_export import write_export
from client.register import joined_rounds
from consent.client import ConsentClient
from consent.instruction import Instruction, InstructionKind
from consent.instruction_report import Count, Outcome, Report, ReportStatus
from crypto.errors import FedcartError

_ALL: Final[Mapping[InstructionKind, str]] = {
    InstructionKind.STOP: STOPPED,
    InstructionKind.RESTRICT: RESTRICTED,
    InstructionKind.OBJECT: OBJECTED,
}
_HELD: Final[Mapping[InstructionKind, Outcome]] = {
    InstructionKind.STOP: Outcome.STOPPED,
    InstructionKind.RESTRICT: Outcome.RESTRICTED,
    InstructionKind.OBJECT: Outcome.OBJECTION_NOTED,
    InstructionKind.RESUME: Outcome.RESUMED,
}
# What must not be lost by an erasure that she asked for after it.
_BEFORE_ERASING: Final = frozenset({InstructionKind.EXPORT})


@dataclass(frozen=True, kw_only=True)
class Carried:
    """One instruction that was carried out, or not, in this run."""

    instruction: Instruction
    finished: Finished

    def to_json(self) -> dict[str, Any]:
        """What was asked and what came of it."""
        return {
            "instruction": self.instruction.id,
            "kind": self.instruction.kind,
            "shopper": self.instruction.shopper,
            "cells": [list(cell) for cell in self.instruction.cells],
            "status": self.finished.status,
            "outcome": self.finished.outcome,
            "counts": dict(self.finished.counts),
        }


@dataclass(frozen=True, kw_only=True)
class Synced:
    """What one run did, and how many reports arrived."""

    carried: tuple[Carried, ...]
    reported: int

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        done = [each.to_json() for each in self.carried]
        return {"instructions": done, "reported": self.reported}


def sync(
    home: ClientHome, consent: ConsentClient, *, clock: Callable[[], float] = time.time
) -> Synced:
    """Fetch this client's instructions, carry them out in their order, and report.

    Raises:
        ConsentError: the consent service can't be asked, or sent what does not hold.
        FedcartError: the journal can't be written; nothing was carried out without it.
    """
    with Journal(home.journal) as journal:
        run = _Run(home=home, journal=journal, clock=clock)
        carried = tuple(run.carry_out(consent.instructions(home.identity)))
        reports: list[Report] = journal.reports(home.identity.public_key())
        if reports:
            known = consent.report(home.identity, reports)
            journal.mark_reported(list(known))
    return Synced(carried=carried, reported=len(reports))


@dataclass(frozen=True, kw_only=True)
class _Run:
    home: ClientHome
    journal: Journal
    clock: Callable[[], float]

    def carry_out(self, instructions: Iterable[Instruction]) -> Iterable[Carried]:
        waiting: set[str] = set()  # shoppers whose export failed: their erasure comes after it
        for each in list(instructions):
            if each.kind is InstructionKind.ERASE and each.shopper in waiting:
                continue
            if not self.journal.begin(each):
                continue
            finished = self._do(each)
            if finished.status is ReportStatus.FAILED and each.kind in _BEFORE_ERASING:
                waiting.add(each.shopper)
            yield Carried(instruction=each, finished=finished)

    def _do(self, instruction: Instruction) -> Finished:
        refusal = self._refusal(instruction)
        if refusal is not None:
            return self._finish(instruction, ReportStatus.REFUSED, refusal)
        try:
            return self._execute(instruction)
        except (OSError, sqlite3.Error, FedcartError):
            return self._finish(instruction, ReportStatus.FAILED, Outcome.STORAGE_FAILED)

    def _refusal(self, instruction: Instruction) -> Outcome | None:
        if instruction.shopper not in self.home.shoppers.values():
            return Outcome.UNKNOWN_SHOPPER
        if instruction.expires_at <= self._now():
            return Outcome.TOO_LATE
        return None

    def _execute(self, instruction: Instruction) -> Finished:
        match instruction.kind:
            case InstructionKind.EXPORT:
                return self._export(instruction)
            case InstructionKind.CORRECT:
                return self._correct(instruction)
            case InstructionKind.ERASE:
                return self._erase(instruction)
            case _:
                return self._hold(instruction)

    def _hold(self, instruction: Instruction) -> Finished:
        resumes = instruction.kind is InstructionKind.RESUME
        counts = {Count.CELLS: len(instruction.cells)}
        if not resumes:
            counts[Count.FILES_DELETED] = len(derived_files(self.home, instruction.shopper))
            counts = self.journal.plan(instruction, counts)
            derived = self.home.derived / instruction.shopper
            if derived.exists():
                shutil.rmtree(derived)
        if instruction.cells:
            scopes = [scope_of(cell) for cell in instruction.cells]
        elif resumes:
            scopes = [_ALL[kind] for kind in sorted(instruction.lifts)]
        else:
            scopes = [_ALL[instruction.kind]]
        change = HoldChange(scopes=scopes, held=not resumes)
        outcome = _HELD[instruction.kind]
        return self._finish(instruction, ReportStatus.DONE, outcome, counts, change=change)

    def _export(self, instruction: Instruction) -> Finished:
        shopper = self._name(instruction)
        held = sorted(self.journal.holds().get(instruction.shopper, ()))
        lines = write_export(
            self.home, shopper, _export_name(instruction), at=self._now(), held=held
        )
        counts = {Count.LINES_EXPORTED: lines, Count.FILES_WRITTEN: 1}
        return self._finish(instruction, ReportStatus.DONE, Outcome.EXPORTED, counts)

    def _correct(self, instruction: Instruction) -> Finished:
        if not self.home.events.exists():
            return self._finish(instruction, ReportStatus.DONE, Outcome.NOTHING_THERE)
        with EventStore.open(self.home.events) as store:
            corrected, deleted = store.correct(
                instruction.id, self._name(instruction), instruction.corrections
            )
        counts = {Count.LINES_CORRECTED: corrected, Count.LINES_DELETED: deleted}
        outcome = Outcome.CORRECTED if corrected + deleted else Outcome.NOTHING_THERE
        return self._finish(instruction, ReportStatus.DONE, outcome, counts)

    def _erase(self, instruction: Instruction) -> Finished:
        """Everything of a device; of a store, everything of the shopper that is hers alone."""
        self.journal.hold(instruction, HoldChange(scopes=[ERASED], held=True))
        shopper, device = self._name(instruction), self.home.kind is ClientKind.DEVICE
        files = copies_of(self.home, instruction.shopper)
        rounds = len(joined_rounds(self.home.register)) if device else 0
        counts = self.journal.plan(
            instruction,
            {
                Count.LINES_DELETED: _lines(self.home, shopper),
                Count.FILES_DELETED: len(files),
                Count.ROUNDS_DELETED: rounds,
            },
        )
        for file in files:
            file.unlink(missing_ok=True)
        if device:
            erase_purchases(self.home)
            for file in (self.home.register, self.home.token_file):
                file.unlink(missing_ok=True)
        elif self.home.events.exists():
            with EventStore.open(self.home.events) as store:
                store.forget(shopper)
                store.compact()
        return self._finish(instruction, ReportStatus.DONE, Outcome.ERASED, counts)

    def _finish(
        self,
        instruction: Instruction,
        status: ReportStatus,
        outcome: Outcome,
        counts: Mapping[Count, int] | None = None,
        *,
        change: HoldChange | None = None,
    ) -> Finished:
        finished = Finished(status=status, outcome=outcome, counts=counts or {})
        self.journal.finish(instruction, finished, at=self._now(), change=change)
        return finished

    def _name(self, instruction: Instruction) -> str:
        return next(
            name for name, ident in self.home.shoppers.items() if ident == instruction.shopper
        )

    def _now(self) -> int:
        return int(self.clock() * 1000)


def _export_name(instruction: Instruction) -> str:
    return f"{instruction.shopper}-{instruction.id}"


def _lines(home: ClientHome, shopper: str) -> int:
    if not home.events.exists():
        return 0
    with EventStore.open(home.events) as store:
        return len(store.of(shopper))
