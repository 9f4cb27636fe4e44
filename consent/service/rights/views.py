"""Stored requests as their shopper and the operators see them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy.orm import Session

from consent.retention import DAY_MS
from consent.rights import clock
from consent.rights import request as rules
from consent.rights.clock import Residence
from consent.rights.request import Ground, RequestKind, RequestState
from consent.service.context import Context
from consent.service.instructions import reading
from consent.service.rights.repository import RightsRepository
from consent.service.rights.schemas import (
    EXPORT_DAYS,
    QueuedRequest,
    RequestStatus,
    StepSchema,
)
from consent.service.rights.tables import RightsRequest, RightsStep

_ANSWERED: Final = frozenset(
    {
        RequestState.IN_PROGRESS,
        RequestState.WAITING_FOR_CLIENTS,
        RequestState.COMPLETED,
        RequestState.PARTLY_COMPLETED,
    }
)
_FAILED: Final = frozenset({RequestState.REFUSED, RequestState.PARTLY_COMPLETED})


def has_export(context: Context, request: RightsRequest) -> bool:
    """Whether an export can be fetched for a request: access was granted, not too long ago."""
    fresh = context.now_ms() - request.received_at <= EXPORT_DAYS * DAY_MS
    asks = rules.carried_out_as(RequestKind(request.kind)) is RequestKind.ACCESS
    return asks and fresh and request.state in _ANSWERED


def statuses(
    context: Context,
    session: Session,
    shopper_id: str,
    requests: Sequence[RightsRequest],
    codes: Mapping[str, str],
) -> list[RequestStatus]:
    """Requests as their shopper sees them; ``codes`` are the status codes to show, by request."""
    ids = [request.id for request in requests]
    steps = RightsRepository(session).steps(ids)
    told = reading.of_requests(context, session, shopper_id, ids)
    return [
        RequestStatus(
            **_summary(request),
            needs_proof=request.state == RequestState.AWAITING_PROOF,
            export=has_export(context, request),
            may_complain=request.state in _FAILED,
            steps=_steps(steps[request.id]),
            instructions=told[request.id],
            status_code=codes.get(request.id),
        )
        for request in requests
    ]


def queued(context: Context, request: RightsRequest) -> QueuedRequest:
    """A request in the operators' queue."""
    return QueuedRequest(
        **_summary(request),
        shopper=request.shopper_id,
        overdue=request.open and request.due_at <= context.now_ms(),
        details=_details(request),
    )


def queued_whole(context: Context, session: Session, request: RightsRequest) -> QueuedRequest:
    """One request for an operator, with its steps and each client's status."""
    steps = _steps(RightsRepository(session).steps([request.id])[request.id])
    told = reading.of_request(context, session, request.shopper_id, request.id)
    return queued(context, request).model_copy(update={"steps": steps, "instructions": told})


def _details(request: RightsRequest) -> dict[str, Any]:
    """What she wants changed and an operator has to know; purchases are her clients' business."""
    details = json.loads(request.details)
    return {name: details[name] for name in ("own", "note", "exact") if details.get(name)}


def _summary(request: RightsRequest) -> dict[str, Any]:
    kind, residence = RequestKind(request.kind), Residence(request.residence)
    return {
        "id": request.id,
        "kind": kind,
        "right": rules.carried_out_as(kind),
        "residence": residence,
        "laws": sorted(clock.laws(residence, kind)),
        "state": RequestState(request.state),
        "received_at": request.received_at,
        "started_on": request.started_on,
        "acknowledge_by": request.acknowledge_by,
        "due_on": request.due_on,
        "longest_on": request.longest_on,
        "extended_until": request.extended_until,
        "extension_reason": request.extension_reason,
        "due_at": request.due_at,
        "closed_at": request.closed_at,
        "ground": None if request.ground is None else Ground(request.ground),
        "answer": request.answer,
    }


def _steps(rows: list[RightsStep]) -> list[StepSchema]:
    return [
        StepSchema(
            action=row.action,
            state=RequestState(row.state),
            by=row.by,
            note=row.note,
            time=row.time,
        )
        for row in rows
    ]
