"""Moving a request: its state, its step, and what follows when it is closed.

A request that waits for clients is closed when the last of them has reported, by
``clients_reported``, or when the time of an instruction is over, by ``close_finished``.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy.orm import Session

from consent.instruction import InstructionState
from consent.rights import request as rules
from consent.rights.request import Action, RequestState
from consent.service.context import Context
from consent.service.instructions import reading
from consent.service.instructions.repository import InstructionRepository
from consent.service.rights.repository import RightsRepository
from consent.service.rights.tables import RightsRequest, RightsStep
from consent.service.webhooks import service as webhooks

SERVICE: Final = "service"
SHOPPER: Final = "shopper"
OPERATOR: Final = "operator"
_NOT_DONE: Final = "Not every device or store did what it was asked: see each one's status."
_STILL: Final = frozenset(
    {InstructionState.ISSUED, InstructionState.FETCHED, InstructionState.FAILED}
)


def step(
    context: Context,
    session: Session,
    request: RightsRequest,
    action: str,
    *,
    by: str,
    note: str = "",
) -> None:
    """Write a step of a request down; its state is as it is."""
    RightsRepository(session).add_step(
        RightsStep(
            request_id=request.id,
            action=action,
            state=request.state,
            by=by,
            note=note,
            time=context.now_ms(),
        )
    )


def move(
    context: Context,
    session: Session,
    request: RightsRequest,
    action: Action,
    *,
    by: str,
    note: str = "",
) -> None:
    """Take an action, and close the request if it leads to its end.

    What she wanted corrected is deleted with the end, because nobody needs it any more.

    Raises:
        RequestError: the action does not follow from the state.
    """
    state = rules.moved(RequestState(request.state), action)
    request.state = state.value
    if state in rules.CLOSED:
        request.open = False
        request.closed_at = context.now_ms()
        request.details = "{}"
        request.answer = note or request.answer
    step(context, session, request, action.value, by=by, note=note)
    if state in rules.CLOSED:
        told = {"request": request.id, "shopper": request.shopper_id, "kind": request.kind}
        webhooks.emit(context, session, "request.completed", {**told, "state": state.value})


def clients_reported(
    context: Context, session: Session, requests: Iterable[tuple[str, str]]
) -> None:
    """Close those requests (shopper, request) whose every client has done its part or refused.

    Runs in the transaction that took the reports.
    """
    found = RightsRepository(session)
    for _, request_id in dict.fromkeys(requests):
        request = found.find(request_id)
        if request is not None and request.state == RequestState.WAITING_FOR_CLIENTS:
            settle(context, session, request)


def settle(context: Context, session: Session, request: RightsRequest) -> None:
    """Close a request that waits for clients if none of them still has anything to do."""
    states = _states(context, session, request)
    if states & _STILL:
        return
    done = states <= {InstructionState.DONE, InstructionState.SUPERSEDED}
    action = Action.COMPLETE if done else Action.COMPLETE_PARTLY
    move(context, session, request, action, by=SERVICE, note="" if done else _NOT_DONE)


def close_finished(context: Context, session: Session, limit: int) -> int:
    """Close requests whose last instruction has expired, in the caller's transaction."""
    found = RightsRepository(session).without_open_instructions(limit=limit)
    for request in found:
        settle(context, session, request)
    return sum(not request.open for request in found)


def _states(
    context: Context, session: Session, request: RightsRequest
) -> frozenset[InstructionState]:
    instructions = InstructionRepository(session)
    rows = instructions.of_requests(request.shopper_id, [request.id])
    history = instructions.history(row.id for row in rows)
    now = context.now_ms()
    return frozenset(reading.state_of(row, history[row.id], now) for row in rows)
