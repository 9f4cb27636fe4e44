"""How far a shopper's instructions have come, told by their history alone."""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy.orm import Session

from consent.instruction import FINAL_STATES, InstructionKind, InstructionState
from consent.instruction_report import Report
from consent.service.context import Context
from consent.service.instructions import service
from consent.service.instructions.repository import InstructionRepository
from consent.service.instructions.schemas import (
    CellSchema,
    InstructionStatus,
    InstructionStep,
    ShopperInstructions,
)
from consent.service.instructions.tables import InstructionEvent, InstructionRow
from consent.service.principals import authorised
from consent.service.problems import Problem
from crypto.wire import SignedRecord

PAGE: Final = 50


def of_shopper(
    context: Context, shopper_id: str, token: str, cursor: str | None, limit: int = PAGE
) -> ShopperInstructions:
    """A page of a shopper's instructions, newest first.

    Raises:
        Problem: 404, no such shopper, or not her token; 422, a cursor that no page named.
    """
    before = None if cursor is None else _parse_cursor(cursor)
    with context.database.reading() as session:
        authorised(context, session, shopper_id, token)
        rows = InstructionRepository(session).of_shopper(shopper_id, before=before, limit=limit)
        found = statuses(context, session, rows)
    last = rows[-1] if len(rows) == limit else None
    return ShopperInstructions(
        shopper=shopper_id,
        instructions=found,
        next=last and f"{last.issued_at}-{last.id}",
    )


def of_request(
    context: Context, session: Session, shopper_id: str, request: str
) -> list[InstructionStatus]:
    """How the instructions of one request of a shopper stand."""
    return of_requests(context, session, shopper_id, [request])[request]


def of_requests(
    context: Context, session: Session, shopper_id: str, requests: Collection[str]
) -> dict[str, list[InstructionStatus]]:
    """How the instructions of some requests of a shopper stand, by request."""
    rows = InstructionRepository(session).of_requests(shopper_id, requests)
    found: dict[str, list[InstructionStatus]] = {request: [] for request in requests}
    for row, status in zip(rows, statuses(context, session, rows), strict=True):
        found[row.request or ""].append(status)
    return found


def statuses(
    context: Context, session: Session, rows: Sequence[InstructionRow]
) -> list[InstructionStatus]:
    """How some instructions stand."""
    repository = InstructionRepository(session)
    history = repository.history(row.id for row in rows)
    kinds = repository.kinds_of_clients({row.client_id for row in rows})
    now = context.now_ms()
    return [_status(row, history[row.id], kinds[row.client_id], now) for row in rows]


def last_report(events: Sequence[InstructionEvent]) -> SignedRecord | None:
    """The signed report that the latest state rests on, if one does."""
    data = events[-1].report
    return None if data is None else SignedRecord.from_bytes(data)


def state_of(row: InstructionRow, events: Sequence[InstructionEvent], now: int) -> InstructionState:
    """The latest state; what is over time counts as expired, whether or not it was written down."""
    state = InstructionState(events[-1].state)
    return (
        InstructionState.EXPIRED if state not in FINAL_STATES and row.expires_at <= now else state
    )


def _status(
    row: InstructionRow, events: Sequence[InstructionEvent], kind: str, now: int
) -> InstructionStatus:
    record = last_report(events)
    report = None if record is None else Report.parse(record)
    return InstructionStatus(
        id=row.id,
        client=row.client_id,
        kind_of_client=kind,
        kind=InstructionKind(row.kind),
        cells=[
            CellSchema(purpose=cell.purpose, category=cell.category)
            for cell in service.cells_of(row)
        ],
        epoch=row.epoch,
        request=row.request,
        issued_at=row.issued_at,
        expires_at=row.expires_at,
        state=state_of(row, events, now),
        steps=[
            InstructionStep(state=InstructionState(event.state), time=event.time)
            for event in events
        ],
        outcome=report and report.outcome,
        counts={} if report is None else dict(report.counts),
        carried_out_at=report and report.at,
    )


def _parse_cursor(cursor: str) -> tuple[int, str]:
    time, _, name = cursor.partition("-")
    if not time.isascii() or not time.isdigit() or len(time) > 15:
        raise Problem(422, "Pass the cursor that the page before this one named.")
    return int(time), name
