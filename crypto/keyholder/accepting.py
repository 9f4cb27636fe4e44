"""Step 2: accepting the one manifest of a round.

A key holder accepts one manifest per (population, task, round), and manifests of a task form a
line: no two that it accepts follow the same one, and none follows one that has been followed or
overtaken. An honest coordinator can't be stuck by that. It keeps a manifest before it sends it, so
after a crash it asks again with the same one; if that round failed, its successor names the failed
round as the previous one, which key holders that never saw it allow too; and a refusal names the
manifest that the next one has to follow.
"""

import sqlite3
from dataclasses import replace

from crypto.acceptance import Accept
from crypto.errors import RoundError, WireError
from crypto.keyholder import ledger
from crypto.keyholder.desk import Desk
from crypto.keyholder.log import rounds
from crypto.keyholder.log.points import PersistPoint
from crypto.keyholder.log.rounds import RoundRow, State
from crypto.keyholder.pins import check_manifest
from crypto.manifest import NO_MANIFEST, Manifest, context_of
from crypto.round_times import deadline
from crypto.wire import SignedRecord


def accept_manifest(desk: Desk, record: SignedRecord, *, now: int) -> bytes:
    """The signed accept, as a record's bytes; the same manifest gets the same bytes.

    Raises:
        WireError: the coordinator did not sign it, or it is malformed.
        RoundError: a pin does not allow it, it names another round key, its time is over, the
            round has another manifest, it forks the task's line of manifests, or its run has
            another plan or a later round.
        BudgetError: the population's ε would not allow its release.
    """
    manifest = Manifest.verify(record, desk.holder.pins.coordinator)
    context = context_of(record)
    with desk.log.reading() as db:
        row = rounds.find(db, manifest.population, manifest.task, manifest.round_id)
        if row is not None and row.context == context and row.accept is not None:
            return _repeated(row, row.accept)
        check_manifest(manifest, desk.holder.pins)
        found = _check_round(row, manifest, desk, now)
        _check_line(db, manifest)
        ledger.check(db, manifest, context, desk.holder.pins)
        found = replace(
            found,
            run=ledger.run_of(manifest, context),
            number=manifest.number,
            plan=ledger.plan_hash(manifest),
        )
        _check_run(found, rounds.of_run(db, found))
    signed = Accept(holder=desk.holder.number, context=context).sign(desk.holder.identity)
    accepted = replace(
        found,
        context=context,
        previous=manifest.previous,
        manifest=record.to_bytes(),
        accept=signed.to_bytes(),
        opens=manifest.opens,
        closes=manifest.closes,
        deadline=deadline(manifest.closes),
    )
    with desk.log.transaction() as log:
        rounds.accept(log, accepted)
    desk.log.reached(PersistPoint.ACCEPT)
    return signed.to_bytes()


def _repeated(row: RoundRow, accept: bytes) -> bytes:
    if row.state is State.ABORTED:
        raise RoundError(f"Round {row.round!r} of {row.task!r} was aborted; plan a new one.")
    return accept


def _check_round(row: RoundRow | None, manifest: Manifest, desk: Desk, now: int) -> RoundRow:
    if not manifest.scheme.votes:
        raise WireError("A manifest of share sum is not accepted beforehand; open its sum.")
    desk.holder.parties()
    if row is None:
        raise RoundError("This round has no key here; ask for its round key first.")
    if row.state is not State.KEYED:
        raise RoundError(
            f"Round {row.round!r} of {row.task!r} has another manifest, or is over; a round has "
            "one. Plan a new round."
        )
    if manifest.key_hashes[desk.holder.number - 1] != row.key_hash:
        raise RoundError("The manifest names another round key in this key holder's place.")
    if not row.opens <= manifest.opens or not manifest.closes <= row.closes:
        raise RoundError("The manifest's round is open outside of the time of its round key.")
    if manifest.closes <= now:
        raise RoundError(f"Round {row.round!r} has closed ({now - manifest.closes} s ago).")
    return row


def _check_run(row: RoundRow, run: list[RoundRow]) -> None:
    """Numbers of a run rise, each belongs to one round for good, and all have one plan."""
    if any(each.plan != row.plan for each in run):
        raise RoundError(f"Run {row.run!r} of {row.task!r} has another plan; plan a new run.")
    last = run[-1].number if run else None
    if last is not None and (row.number or 0) <= last:
        raise RoundError(
            f"Round {last} of run {row.run!r} of {row.task!r} was accepted, so round {row.number} "
            f"can't be; go on with number {last + 1}."
        )


def _check_line(db: sqlite3.Connection, manifest: Manifest) -> None:
    """A manifest follows the one accepted last, or one that this key holder never saw."""
    place = (manifest.population, manifest.task)
    last = rounds.latest_accepted(db, *place)
    if last is None or manifest.previous == last.context:
        return
    known = manifest.previous == NO_MANIFEST or rounds.is_accepted(db, *place, manifest.previous)
    if known or rounds.is_followed(db, *place, manifest.previous):
        raise RoundError(
            f"This manifest of {manifest.task!r} follows one that another has followed; the next "
            f"one follows {last.context}."
        )
