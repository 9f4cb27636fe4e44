"""The withdrawal tracker: saved, grants dead, dropped from rounds, purged at the clients.

Everything is told by the history of decisions, grants, commits and signed reports, each time it is
asked. Nothing is remembered about a step, so no step can claim what did not happen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from consent.instruction import InstructionKind, InstructionState
from consent.log.head import TreeHead
from consent.log.leaf import LoggedEvent
from consent.purpose import Category, ConsentState, Purpose
from consent.receipt import LogProof
from consent.service.context import Context
from consent.service.instructions import reading
from consent.service.instructions import service as instructions
from consent.service.instructions.repository import InstructionRepository
from consent.service.instructions.schemas import InstructionStatus
from consent.service.instructions.tables import InstructionRow
from consent.service.log.service import prove, proved
from consent.service.principals import authorised
from consent.service.problems import Problem
from consent.service.receipts import service as receipts
from consent.service.records.repository import LogRepository
from consent.service.schemas import SignedRecordSchema
from consent.service.standing.repository import StandingRepository
from consent.service.tables import ConsentEvent
from consent.service.withdrawals.repository import GrantHeld, WithdrawalRepository
from consent.service.withdrawals.schemas import (
    ClientsStep,
    EndedCell,
    GrantsStep,
    RoundOfGrant,
    RoundsStep,
    SavedStep,
    StepState,
    Withdrawal,
    Withdrawals,
    WithdrawalSummary,
)
from consent.tasks.names import TaskName
from consent.withdrawal import (
    WITHDRAWN_STATES,
    Bundle,
    ClientClaim,
    ClientProof,
    RoundClaim,
    RoundFate,
    Statement,
    fate,
)
from crypto.wire import SignedRecord, b64, parse_object

PAGE: Final = 20
FROZEN_SHOWN: Final = 20
NEWEST: Final = 2**53
MAX_EPOCH: Final = 2**31 - 1  # what the column holds
# How an instruction's state reads as a step. A failure is tried again, and says so.
_STEPS: Final = {
    InstructionState.ISSUED: StepState.WAITING,
    InstructionState.FETCHED: StepState.WAITING,
    InstructionState.DONE: StepState.DONE,
    InstructionState.REFUSED: StepState.FAILED,
    InstructionState.FAILED: StepState.FAILED,
    InstructionState.EXPIRED: StepState.FAILED,
    InstructionState.SUPERSEDED: StepState.NOT_NEEDED,
}
_REPORTED: Final = {InstructionState.DONE, InstructionState.REFUSED, InstructionState.FAILED}


def read_all(
    context: Context, shopper_id: str, token: str, cursor: int | None, limit: int = PAGE
) -> Withdrawals:
    """A page of a shopper's withdrawals, newest first.

    Raises:
        Problem: 404, no such shopper, or not her token.
    """
    with context.database.reading() as session:
        authorised(context, session, shopper_id, token)
        found = WithdrawalRepository(session, shopper_id)
        epochs = found.epochs(before=MAX_EPOCH if cursor is None else cursor, limit=limit)
        ended = found.ended(epochs)
    return Withdrawals(
        shopper=shopper_id,
        withdrawals=[
            _summary(epoch, [row for row in ended if row.epoch == epoch]) for epoch in epochs
        ],
        next=epochs[-1] if len(epochs) == limit else None,
    )


def read(context: Context, shopper_id: str, token: str, epoch: int) -> Withdrawal:
    """One withdrawal as it stands now, step by step.

    Raises:
        Problem: 404, no such shopper, not her token, or nothing ended in that epoch.
    """
    traced = _trace(context, shopper_id, token, epoch)
    proof = prove(context, shopper_id, traced.events)
    rounds, clients = _rounds_step(traced), _clients_step(traced.clients)
    grants = GrantsStep(
        state=StepState.FAILED if traced.standing else StepState.DONE,
        time=traced.time,
        ended=len(traced.died),
        standing=traced.standing,
    )
    return Withdrawal(
        shopper=shopper_id,
        epoch=epoch,
        time=traced.time,
        cells=_cells(event for _, event in traced.events),
        saved=_saved_step(context, traced, proof),
        grants=grants,
        rounds=rounds,
        clients=clients,
        settled=StepState.WAITING not in (rounds.state, clients.state),
    )


def bundle(context: Context, shopper_id: str, token: str, epoch: int) -> bytes:
    """Everything that proves a withdrawal, as one file that can be checked offline.

    Raises:
        Problem: 404, as for ``read``.
    """
    traced = _trace(context, shopper_id, token, epoch, with_reports=True)
    statement = Statement(
        shopper=shopper_id,
        epoch=epoch,
        time=traced.time,
        stated_at=context.now_ms(),
        grants_ended=len(traced.died),
        grants_standing=traced.standing,
        rounds=tuple(_claim(each) for each in traced.rounds),
        clients=tuple(
            ClientClaim(instruction=each.id, client=each.client, state=each.state)
            for each in traced.clients
        ),
    )
    made = Bundle(
        receipt=receipts.read(context, shopper_id, token, epoch),
        statement=statement.sign(context.key),
        clients=tuple(_client_proof(context, *each) for each in traced.reported),
    )
    return made.to_bytes()


@dataclass(frozen=True, kw_only=True)
class _Traced:
    """What one transaction found about a withdrawal."""

    events: list[tuple[int, LoggedEvent]]
    died: list[GrantHeld]
    standing: int
    rounds: list[RoundOfGrant]
    frozen_before: int
    clients: list[InstructionStatus]
    reported: list[tuple[InstructionRow, SignedRecord | None]]

    @property
    def time(self) -> int:
        return self.events[0][1].time


def _trace(
    context: Context, shopper_id: str, token: str, epoch: int, *, with_reports: bool = False
) -> _Traced:
    """What became of a withdrawal; the clients' signed reports only where they are asked for."""
    now = context.now_ms()
    with context.database.reading() as session:
        authorised(context, session, shopper_id, token)
        events = LogRepository(session).events_of_epoch(shopper_id, epoch)
        if not any(event.state in WITHDRAWN_STATES for _, event in events):
            raise Problem(404, "There is no such withdrawal.")
        found = WithdrawalRepository(session, shopper_id)
        first = found.first_event(epoch)
        died = found.died(epoch, first)
        frozen = found.frozen_before(epoch, first, limit=FROZEN_SHOWN)
        asked = StandingRepository(session, now=now).ids_by_terms(
            each.token_id for each in [*died, *frozen]
        )
        stops = [
            row
            for row in InstructionRepository(session).of_epoch(shopper_id, epoch)
            if row.kind == InstructionKind.STOP
        ]
        clients = reading.statuses(context, session, stops)
        return _Traced(
            events=events,
            died=died,
            standing=sum(len(ids) for terms, ids in asked if terms.stand),
            rounds=[
                round_ for each in [*died, *frozen] if (round_ := _round(each, first, now=now))
            ],
            frozen_before=found.count_frozen_before(epoch, first),
            clients=clients,
            reported=_reported(session, stops, clients) if with_reports else [],
        )


def _round(held: GrantHeld, first_event: int, *, now: int) -> RoundOfGrant | None:
    found = fate(
        first_event=first_event,
        committed_after=held.committed_after,
        in_list=held.in_list,
        closed=_closes(held) <= now,
    )
    if found is None:
        return None
    return RoundOfGrant(
        task=TaskName(held.task),
        round=held.round_id,
        fate=found,
        committed_at=held.committed_at,
        commit=held.commit and SignedRecord.from_bytes(held.commit).hash,
    )


def _closes(held: GrantHeld) -> int:
    """When the round's time is over, as its signed policy says; never, where none was published."""
    if held.policy is None:
        return NEWEST
    body = parse_object(SignedRecord.from_bytes(held.policy).body, what="manifest")
    return int(body["closes"]) * 1000


def _reported(
    session: Session, stops: Sequence[InstructionRow], clients: Sequence[InstructionStatus]
) -> list[tuple[InstructionRow, SignedRecord | None]]:
    history = InstructionRepository(session).history(row.id for row in stops)
    return [
        (row, reading.last_report(history[row.id]) if status.state in _REPORTED else None)
        for row, status in zip(stops, clients, strict=True)
    ]


def _client_proof(
    context: Context, row: InstructionRow, report: SignedRecord | None
) -> ClientProof:
    signed = instructions.instruction(row, details={}).sign(context.key)
    return ClientProof(instruction=signed, report=report)


def _saved_step(context: Context, traced: _Traced, proof: LogProof) -> SavedStep:
    return SavedStep(
        state=StepState.DONE,
        time=traced.time,
        head=SignedRecordSchema(**proof.head.to_json()),
        log_size=TreeHead.verify(proof.head, context.key.public_key()).size,
        key=b64(proof.key),
        events=proved(traced.events, proof),
    )


def _rounds_step(traced: _Traced) -> RoundsStep:
    fates = {each.fate for each in traced.rounds}
    if RoundFate.COUNTED in fates:
        state = StepState.FAILED
    elif RoundFate.OPEN in fates:
        state = StepState.WAITING
    elif traced.died:
        state = StepState.DONE
    else:
        state = StepState.NOT_NEEDED
    dropped = [
        each.committed_at
        for each in traced.rounds
        if each.fate is RoundFate.DROPPED and each.committed_at is not None
    ]
    return RoundsStep(
        state=state,
        time=max(dropped, default=None) if state is StepState.DONE else None,
        rounds=traced.rounds,
        frozen_before=traced.frozen_before,
    )


def _clients_step(found: Sequence[InstructionStatus]) -> ClientsStep:
    states = {_STEPS[each.state] for each in found}
    worst = (StepState.WAITING, StepState.FAILED, StepState.DONE)
    state = next((each for each in worst if each in states), StepState.NOT_NEEDED)
    return ClientsStep(
        state=state,
        time=max(each.steps[-1].time for each in found) if state is StepState.DONE else None,
        instructions=list(found),
    )


def _claim(found: RoundOfGrant) -> RoundClaim:
    return RoundClaim(
        task=found.task,
        round_id=found.round,
        fate=found.fate,
        commit=found.commit or "",
        time=found.committed_at or 0,
    )


def _cells(events: Iterable[LoggedEvent]) -> list[EndedCell]:
    return [
        EndedCell(purpose=event.purpose, category=event.category, state=event.state)
        for event in events
        if event.state in WITHDRAWN_STATES
    ]


def _summary(epoch: int, rows: Sequence[ConsentEvent]) -> WithdrawalSummary:
    return WithdrawalSummary(
        epoch=epoch,
        time=max(row.time for row in rows),
        cells=[
            EndedCell(
                purpose=Purpose(row.purpose),
                category=Category(row.category),
                state=ConsentState(row.state),
            )
            for row in rows
        ],
    )
