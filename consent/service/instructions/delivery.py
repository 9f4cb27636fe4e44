"""Handing instructions out to clients, and taking their reports.

A client proves itself by its key, as when it takes part in a round. It sees its own instructions
and nothing of any other's. Both calls may be repeated: a repeat changes nothing.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy.orm import Session

from consent.client_record import MAX_AGE_S
from consent.instruction import FINAL_STATES, InstructionState
from consent.instruction_report import FetchRequest, Report
from consent.service.context import Context
from consent.service.instructions import service
from consent.service.instructions.repository import InstructionRepository
from consent.service.instructions.schemas import Instructions, Reported, ReportedAll
from consent.service.instructions.tables import InstructionEvent
from consent.service.problems import Problem
from consent.service.rights import progress
from consent.service.schemas import SignedRecordSchema
from crypto.errors import WireError
from crypto.wire import SignedRecord

PAGE: Final = 100


def fetch(context: Context, record: SignedRecord) -> Instructions:
    """The open instructions of the client that signed the request, a page at a time.

    Raises:
        WireError: the record is malformed or not signed by the key that it names.
        Problem: 422, made more than MAX_AGE_S from now.
    """
    request = FetchRequest.parse(record)
    if not request.is_fresh(context.now()):
        raise Problem(422, f"This request was not made within {MAX_AGE_S} s of now; sign anew.")
    with context.database.reading() as session:
        found = InstructionRepository(session).open_of_client(
            request.client, after=request.after, limit=PAGE
        )
    now = context.now_ms()
    if any(not waiting.fetched or waiting.row.expires_at <= now for waiting in found):
        with context.database.writing() as session:
            _hand_out(context, session, request)
            found = InstructionRepository(session).open_of_client(
                request.client, after=request.after, limit=PAGE
            )
    return Instructions(
        instructions=[
            SignedRecordSchema(**service.signed(context, waiting).to_json()) for waiting in found
        ],
        next=found[-1].row.number if len(found) == PAGE else None,
    )


def report(context: Context, records: Sequence[SignedRecord]) -> ReportedAll:
    """Take signed reports of one client, all or none.

    The first report that an instruction is done or refused stands; a later one changes nothing. An
    instruction that is another client's gets the same answer as one that does not exist.

    Raises:
        WireError: a record is malformed or not signed by the key that it names, or the records
            are of several clients, or report one instruction twice.
    """
    reports = [Report.parse(record) for record in records]
    if len({each.client_key.public_bytes_raw() for each in reports}) != 1:
        raise WireError("The reports of one call are of one client.")
    if len({each.instruction for each in reports}) != len(reports):
        raise WireError("Each instruction is reported once a call.")
    with context.database.writing() as session:
        return _take(context, session, reports, records)


def _hand_out(context: Context, session: Session, request: FetchRequest) -> None:
    while service.expire(context, session, client=request.client):
        pass
    repository = InstructionRepository(session)
    found = repository.open_of_client(request.client, after=request.after, limit=PAGE)
    fresh = [waiting.row.id for waiting in found if not waiting.fetched]
    repository.note(dict.fromkeys(fresh, context.now_ms()), InstructionState.FETCHED)
    repository.mark_fetched(fresh)


def _take(
    context: Context, session: Session, reports: Sequence[Report], records: Sequence[SignedRecord]
) -> ReportedAll:
    repository, now = InstructionRepository(session), context.now_ms()
    ids = [each.instruction for each in reports]
    own = repository.of_client(reports[0].client, ids)
    history = repository.history(own)
    answers: list[Reported] = []
    for each, record in zip(reports, records, strict=True):
        if each.instruction not in own:
            answers.append(Reported(instruction=each.instruction, state=None))
            continue
        events = history[each.instruction]
        state, data = InstructionState(events[-1].state), record.to_bytes()
        if state not in FINAL_STATES and data not in _known(events):
            state = InstructionState(each.status)
            repository.note_report(each.instruction, state, now, data)
        if state in FINAL_STATES:
            repository.close([each.instruction])
        answers.append(Reported(instruction=each.instruction, state=state))
    requests = [(row.shopper_id, row.request) for row in own.values() if row.request is not None]
    progress.clients_reported(context, session, requests)
    return ReportedAll(reported=answers)


def _known(events: Sequence[InstructionEvent]) -> set[bytes]:
    return {event.report for event in events if event.report is not None}
