"""A shopper's requests: opening, proving, reading and taking back, one transaction each."""

import json
from collections.abc import Sequence
from datetime import date
from typing import Final

from sqlalchemy.orm import Session

from consent.rights import clock
from consent.rights import request as rules
from consent.rights.clock import Residence
from consent.rights.proof import Step, asked_hash
from consent.rights.request import Action, RequestKind, RequestState
from consent.service.context import Context
from consent.service.guardians import service as guardians
from consent.service.principals import authorised
from consent.service.problems import Problem
from consent.service.rights import proving
from consent.service.rights.carry import carry_out
from consent.service.rights.codes import status_code
from consent.service.rights.progress import SERVICE, SHOPPER, move, step
from consent.service.rights.repository import RightsRepository
from consent.service.rights.schemas import NewRequest, Proof, Requests, RequestStatus
from consent.service.rights.tables import RightsRequest
from consent.service.rights.views import statuses
from consent.service.tokens import token_hash
from consent.service.webhooks import service as webhooks

MAX_OPEN: Final = 20
SHOWN: Final = 200


def open_request(
    context: Context, shopper_id: str, token: str, asked: NewRequest, key: str
) -> RequestStatus:
    """Open a request; carry it out at once if nothing is to be proved or confirmed before.

    Its clock starts now, also where she has yet to prove who she is. The same request under the
    same idempotency key is one request.

    Raises:
        WireError: a proof that is malformed.
        InvalidInputError: the name that she wants can't be one.
        Problem: 404, no such shopper, or not her token; 403, a proof that does not hold; 409,
            MAX_OPEN requests are open, or a name is taken; 422, the key was used for another
            request.
    """
    hashed = asked_hash(asked.asked(key))
    with context.database.writing() as session:
        authorised(context, session, shopper_id, token)
        rights = RightsRepository(session)
        request = rights.under_key(shopper_id, token_hash(key))
        if request is None:
            if rights.count_open(shopper_id) >= MAX_OPEN:
                raise Problem(
                    409, f"{MAX_OPEN} of your requests are open; take one back, or wait for one."
                )
            request = opened(context, session, shopper_id, asked, key)
            if _may_begin(context, session, token, asked, hashed, shopper_id):
                carry_out(context, session, request, SHOPPER)
            else:
                move(context, session, request, Action.ASK_PROOF, by=SERVICE)
        elif request.asked_hash != hashed:
            raise Problem(422, "This Idempotency-Key was used for another request.")
        return _status(context, session, request)


def confirm(
    context: Context, shopper_id: str, token: str, request_id: str, shown: Proof
) -> RequestStatus:
    """Prove who she is and have a request carried out that waits for it.

    Raises:
        WireError: a proof that is malformed.
        InvalidInputError: the name that she wants can't be one.
        RequestError: the request waits for no proof.
        Problem: 404, no such request of hers; 403 of type ``urn:fedcart:problem:step-up``; 409, a
            name is taken.
    """
    with context.database.writing() as session:
        request = _hers(context, session, shopper_id, token, request_id)
        proving.required(
            context,
            session,
            shopper_id,
            token,
            step=Step.CONFIRM,
            asked=asked_hash({"request": request_id}),
            record=shown.proof,
        )
        carry_out(context, session, request, SHOPPER)
        return _status(context, session, request, confirmed=True)


def cancel(context: Context, shopper_id: str, token: str, request_id: str) -> RequestStatus:
    """Take a request back that was not carried out yet.

    Raises:
        RequestError: it was, or it is closed.
        Problem: 404, no such request of hers.
    """
    with context.database.writing() as session:
        request = _hers(context, session, shopper_id, token, request_id)
        move(context, session, request, Action.CANCEL, by=SHOPPER)
        return _status(context, session, request)


def read(context: Context, shopper_id: str, token: str, request_id: str) -> RequestStatus:
    """One request with its steps and each client's status.

    Raises:
        Problem: 404, no such request of hers.
    """
    with context.database.reading() as session:
        request = _hers(context, session, shopper_id, token, request_id)
        return _status(context, session, request)


def read_all(context: Context, shopper_id: str, token: str) -> Requests:
    """Her latest requests, newest first.

    Raises:
        Problem: 404, no such shopper, or not her token.
    """
    with context.database.reading() as session:
        shopper = authorised(context, session, shopper_id, token)
        found = RightsRepository(session).of_shopper(shopper_id, limit=SHOWN)
        return Requests(
            shopper=shopper_id,
            restricted_since=shopper.restricted_at,
            requests=statuses(context, session, shopper_id, found, _codes(context, found)),
        )


def residence(context: Context, shopper_id: str, token: str) -> Residence | None:
    """Where she said last that she lives.

    Raises:
        Problem: 404, no such shopper, or not her token.
    """
    with context.database.reading() as session:
        stated = authorised(context, session, shopper_id, token).residence
    return Residence(stated) if stated else None


def state_residence(context: Context, shopper_id: str, token: str, stated: Residence) -> None:
    """Remember where she says that she lives; requests that are open keep their clocks.

    Raises:
        Problem: 404, no such shopper, or not her token.
    """
    with context.database.writing() as session:
        authorised(context, session, shopper_id, token)
        guardians.relocate(context, session, shopper_id, stated)


def opened(
    context: Context,
    session: Session,
    shopper_id: str,
    asked: NewRequest,
    key: str,
    *,
    by: str = SHOPPER,
) -> RightsRequest:
    """Store a new request in the caller's transaction; its clock starts now."""
    now = context.now_ms()
    runs = clock.start(asked.kind, asked.residence, now, context.settings.rights.place)
    own = None if asked.own is None else asked.own.model_dump(mode="json", exclude_none=True)
    details = {"own": own, "purchases": asked.purchases, "note": asked.note, "exact": asked.exact}
    request = RightsRequest(
        id=context.new_id(),
        shopper_id=shopper_id,
        request_hash=token_hash(key),
        asked_hash=asked_hash(asked.asked(key)),
        kind=asked.kind,
        residence=asked.residence,
        state=RequestState.RECEIVED,
        open=True,
        details=json.dumps(details, ensure_ascii=False),
        received_at=now,
        started_on=runs.started.isoformat(),
        acknowledge_by=_iso(runs.acknowledge_by),
        due_on=runs.due.isoformat(),
        longest_on=_iso(runs.longest),
        due_at=context.settings.rights.place.end(runs.due),
    )
    rights = RightsRepository(session)
    rights.add(request)
    if asked.residence is not Residence.ELSEWHERE:  # which is also said by who says nothing
        guardians.relocate(context, session, shopper_id, asked.residence)
    step(context, session, request, "received", by=by)
    told = {"request": request.id, "shopper": shopper_id, "kind": request.kind}
    webhooks.emit(context, session, "request.created", {**told, "due_at": request.due_at})
    return request


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _may_begin(
    context: Context,
    session: Session,
    token: str,
    asked: NewRequest,
    hashed: str,
    shopper_id: str,
) -> bool:
    """Whether to carry it out at once. A proof that is sent and does not hold is refused."""
    if asked.proof is not None:
        proving.required(
            context, session, shopper_id, token, step=Step.OPEN, asked=hashed, record=asked.proof
        )
    if rules.needs_confirmation(asked.kind):
        return False
    if not rules.needs_proof(asked.kind) or asked.proof is not None:
        return True
    return proving.has_proved(context, session, token)


def _hers(
    context: Context, session: Session, shopper_id: str, token: str, request_id: str
) -> RightsRequest:
    authorised(context, session, shopper_id, token)
    request = RightsRepository(session).find(request_id)
    if request is None or request.shopper_id != shopper_id:
        raise Problem(404, "There is no such request of this shopper.")
    return request


def _status(
    context: Context, session: Session, request: RightsRequest, *, confirmed: bool = False
) -> RequestStatus:
    codes = _codes(context, [request], confirmed=confirmed)
    (shown,) = statuses(context, session, request.shopper_id, [request], codes)
    return shown


def _codes(
    context: Context, requests: Sequence[RightsRequest], *, confirmed: bool = False
) -> dict[str, str]:
    """The status codes of erasures that wait to be confirmed, or are ``confirmed`` just now."""
    return {
        request.id: status_code(context, request.shopper_id)
        for request in requests
        if rules.needs_confirmation(_kind(request))
        and (confirmed or request.state == RequestState.AWAITING_PROOF)
    }


def _kind(request: RightsRequest) -> RequestKind:
    return RequestKind(request.kind)
