"""The operators' queue: what is asked, by when, and what they did about it. All of it is audited.

An operator sees the request and the opaque id of who asks. He sees none of her consent. What he
does is decided before the steps that he then saw: ``if_match`` tags their number, which grows with
each.
"""

from collections.abc import Mapping
from datetime import date
from typing import Final

from sqlalchemy.orm import Session

from consent.rights import request as rules
from consent.rights.clock import Clock
from consent.rights.request import Action, RequestState
from consent.service import etag
from consent.service.audit import service as audit
from consent.service.context import Context
from consent.service.principals import Principal, Role, required
from consent.service.problems import Problem
from consent.service.rights.progress import OPERATOR, move, step
from consent.service.rights.repository import Place, RightsRepository
from consent.service.rights.schemas import (
    Closing,
    Extension,
    Queue,
    QueuedRequest,
    RefusalOfRequest,
)
from consent.service.rights.tables import RightsRequest
from consent.service.rights.views import queued, queued_whole

PAGE: Final = 50


def read_all(
    context: Context,
    token: str,
    *,
    state: RequestState | None,
    due_before: int | None,
    cursor: str | None,
    limit: int = PAGE,
) -> Queue:
    """A page of the queue: requests of a state, or all that are open, the earliest due first.

    Raises:
        Problem: 401, nobody's token; 404, another role's; 422, a cursor that no page named.
    """
    after = None if cursor is None else _place(cursor)
    states = rules.OPEN if state is None else {state}
    with context.database.reading() as session:
        required(context, session, token, Role.OPERATOR, Role.AUDITOR)
        rights = RightsRepository(session)
        found = rights.queue(states=states, due_before=due_before, after=after, limit=limit)
        return Queue(
            requests=[queued(context, request) for request in found],
            open=rights.count_open(),
            overdue=rights.count_open(due_before=context.now_ms()),
            next=f"{found[-1].due_at}-{found[-1].id}" if len(found) == limit else None,
        )


def read(context: Context, token: str, request_id: str) -> QueuedRequest:
    """One request with its steps and each client's status.

    Raises:
        Problem: 401, nobody's token; 404, another role's, or no such request.
    """
    with context.database.reading() as session:
        required(context, session, token, Role.OPERATOR, Role.AUDITOR)
        return queued_whole(context, session, _found(session, request_id))


def take(
    context: Context, token: str, request_id: str, *, if_match: str | None = etag.ANY
) -> QueuedRequest:
    """Note that an operator works on a request; its state stays.

    Raises:
        RequestError: it is closed.
        Problem: 401, nobody's token; 404, another role's, or no such request; 428, no tag; 412,
            something was done about it meanwhile.
    """
    with context.database.writing() as session:
        principal, request = _opened(context, session, token, request_id, if_match)
        step(context, session, request, "take", by=OPERATOR)
        return _done(context, session, principal, request, "request.taken")


def extend(
    context: Context,
    token: str,
    request_id: str,
    asked: Extension,
    *,
    if_match: str | None = etag.ANY,
) -> QueuedRequest:
    """Extend the clock of a request once, within its first period; she is told the reason.

    Raises:
        RequestError: it is closed, or the law allows no (further) extension now.
        Problem: as for ``take``.
    """
    with context.database.writing() as session:
        principal, request = _opened(context, session, token, request_id, if_match)
        place = context.settings.rights.place
        runs = _clock(request).extended(place.day(context.now_ms()), asked.reason)
        request.extended_until = runs.ends.isoformat()
        request.extension_reason = asked.reason
        request.due_at = place.end(runs.ends)
        step(context, session, request, "extend", by=OPERATOR, note=asked.reason)
        return _done(context, session, principal, request, "request.extended")


def complete(
    context: Context,
    token: str,
    request_id: str,
    asked: Closing,
    *,
    if_match: str | None = etag.ANY,
) -> QueuedRequest:
    """Close a request as answered, wholly or in part.

    Raises:
        RequestError: it was not begun, or is closed.
        Problem: as for ``take``.
    """
    action = Action.COMPLETE_PARTLY if asked.partly else Action.COMPLETE
    with context.database.writing() as session:
        principal, request = _opened(context, session, token, request_id, if_match)
        move(context, session, request, action, by=OPERATOR, note=asked.answer)
        return _done(context, session, principal, request, f"request.{request.state}")


def refuse(
    context: Context,
    token: str,
    request_id: str,
    asked: RefusalOfRequest,
    *,
    if_match: str | None = etag.ANY,
) -> QueuedRequest:
    """Close a request as refused, on a ground; she is told it, and how to complain.

    Raises:
        RequestError: it was carried out, or is closed.
        Problem: as for ``take``.
    """
    with context.database.writing() as session:
        principal, request = _opened(context, session, token, request_id, if_match)
        request.ground = asked.ground.value
        move(context, session, request, Action.REFUSE, by=OPERATOR, note=asked.answer)
        told = {"ground": asked.ground.value}
        return _done(context, session, principal, request, "request.refused", told)


def _opened(
    context: Context, session: Session, token: str, request_id: str, if_match: str | None
) -> tuple[Principal, RightsRequest]:
    principal = required(context, session, token, Role.OPERATOR)
    request = _found(session, request_id)
    etag.demand(if_match, len(RightsRepository(session).steps([request.id])[request.id]))
    if not request.open:
        raise rules.RequestError(f"This request is {request.state}; nothing more is done with it.")
    return principal, request


def _found(session: Session, request_id: str) -> RightsRequest:
    request = RightsRepository(session).find(request_id)
    if request is None:
        raise Problem(404, "There is no such request.")
    return request


def _done(
    context: Context,
    session: Session,
    principal: Principal,
    request: RightsRequest,
    action: str,
    details: Mapping[str, object] | None = None,
) -> QueuedRequest:
    audit.record(context, session, principal, action, request.id, details)
    session.flush()
    return queued_whole(context, session, request)


def _clock(request: RightsRequest) -> Clock:
    return Clock(
        started=date.fromisoformat(request.started_on),
        acknowledge_by=_day(request.acknowledge_by),
        due=date.fromisoformat(request.due_on),
        longest=_day(request.longest_on),
        extended_until=_day(request.extended_until),
        reason=request.extension_reason,
    )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _place(cursor: str) -> Place:
    due_at, _, request_id = cursor.partition("-")
    if not due_at.isascii() or not due_at.isdigit() or len(due_at) > 15:
        raise Problem(422, "Pass the cursor that the page before this one named.")
    return Place(int(due_at), request_id)
