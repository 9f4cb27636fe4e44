"""HTTP endpoints for a shopper's rights and the operators' queue."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from consent.rights.request import RequestState
from consent.service import etag
from consent.service.auth import BearerToken, ShopperId, scope
from consent.service.context import ContextDep
from consent.service.etag import IfMatch
from consent.service.principals import Role
from consent.service.problems import answers
from consent.service.rights import queue, service
from consent.service.rights.schemas import (
    Closing,
    Extension,
    NewRequest,
    Proof,
    Queue,
    QueuedRequest,
    RefusalOfRequest,
    Requests,
    RequestStatus,
)
from consent.service.schemas import Identifier

router = APIRouter(prefix="/v1", tags=["rights"])
IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{16,255}$",
        description="Random and new for each request; repeat it to get a lost answer again.",
    ),
]
_SHOPPER = scope(Role.SHOPPER)
_READERS = scope(Role.OPERATOR, Role.AUDITOR)
_OPERATOR = scope(Role.OPERATOR)
_STEP = answers(401, 404, 409, 412, 422, 428)


@router.post(
    "/shoppers/{shopper}/requests",
    status_code=201,
    responses=answers(401, 403, 404, 409, 422),
    openapi_extra=_SHOPPER,
)
def open_request(
    shopper: ShopperId,
    request: NewRequest,
    token: BearerToken,
    key: IdempotencyKey,
    context: ContextDep,
) -> RequestStatus:
    """Ask for a right; this answer confirms the receipt, and names the day by which it is answered.

    An opt-out, a limit, an objection and a restriction take effect at once. What hands out or
    changes data waits for proof of who asks, unless the login was shown lately or a device's
    `proof` comes with it. An erasure always waits to be confirmed, and shows its status code here.
    """
    return service.open_request(context, shopper, token, request, key)


@router.get(
    "/shoppers/{shopper}/requests", responses=answers(401, 404, 422), openapi_extra=_SHOPPER
)
def read_all(shopper: ShopperId, token: BearerToken, context: ContextDep) -> Requests:
    """The shopper's requests, newest first: state, clock, steps, and each client's status."""
    return service.read_all(context, shopper, token)


@router.get(
    "/shoppers/{shopper}/requests/{request}",
    responses=answers(401, 404, 422),
    openapi_extra=_SHOPPER,
)
def read(
    shopper: ShopperId, request: Identifier, token: BearerToken, context: ContextDep
) -> RequestStatus:
    """One request with its timeline."""
    return service.read(context, shopper, token, request)


@router.post(
    "/shoppers/{shopper}/requests/{request}/confirm",
    responses=answers(401, 403, 404, 409, 422),
    openapi_extra=_SHOPPER,
)
def confirm(
    shopper: ShopperId,
    request: Identifier,
    shown: Proof,
    token: BearerToken,
    context: ContextDep,
) -> RequestStatus:
    """Prove who asks and have the request carried out.

    A login that was shown within ten minutes is proof, and so is a record of type `rights-proof`
    signed by the key of the device that stands for her. Its body fields are `shopper, step, asked,
    client_key, issued_at`; here `step` is `confirm` and `asked` the hash of `{"request": id}`.
    """
    return service.confirm(context, shopper, token, request, shown)


@router.post(
    "/shoppers/{shopper}/requests/{request}/cancel",
    responses=answers(401, 404, 409, 422),
    openapi_extra=_SHOPPER,
)
def cancel(
    shopper: ShopperId, request: Identifier, token: BearerToken, context: ContextDep
) -> RequestStatus:
    """Take a request back that was not carried out yet."""
    return service.cancel(context, shopper, token, request)


@router.get("/requests", responses=answers(401, 404, 422), openapi_extra=_READERS)
def read_queue(
    token: BearerToken,
    context: ContextDep,
    state: RequestState | None = None,
    due_before: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,15}-[0-9a-f]{32}$")] = None,
    limit: Annotated[int, Query(ge=1, le=queue.PAGE)] = queue.PAGE,
) -> Queue:
    """Requests of all shoppers by when they are due, overdue ones first; without a state: open."""
    return queue.read_all(
        context, token, state=state, due_before=due_before, cursor=cursor, limit=limit
    )


@router.get("/requests/{request}", responses=answers(401, 404, 422), openapi_extra=_READERS)
def read_queued(
    request: Identifier, token: BearerToken, context: ContextDep, response: Response
) -> QueuedRequest:
    """One request as an operator sees it: nothing of the shopper's consent.

    Its ETag is for the steps below: each is taken from the state that If-Match says was read.
    """
    return _tagged(response, queue.read(context, token, request))


@router.post("/requests/{request}/take", responses=_STEP, openapi_extra=_OPERATOR)
def take(
    request: Identifier,
    token: BearerToken,
    context: ContextDep,
    response: Response,
    if_match: IfMatch = None,
) -> QueuedRequest:
    """Note that an operator works on it."""
    return _tagged(response, queue.take(context, token, request, if_match=if_match))


@router.post("/requests/{request}/extend", responses=_STEP, openapi_extra=_OPERATOR)
def extend(
    request: Identifier,
    asked: Extension,
    token: BearerToken,
    context: ContextDep,
    response: Response,
    if_match: IfMatch = None,
) -> QueuedRequest:
    """Take the one extension that the law allows, within the first period; she is told why."""
    return _tagged(response, queue.extend(context, token, request, asked, if_match=if_match))


@router.post("/requests/{request}/complete", responses=_STEP, openapi_extra=_OPERATOR)
def complete(
    request: Identifier,
    asked: Closing,
    token: BearerToken,
    context: ContextDep,
    response: Response,
    if_match: IfMatch = None,
) -> QueuedRequest:
    """Close it as answered, wholly or in part."""
    return _tagged(response, queue.complete(context, token, request, asked, if_match=if_match))


@router.post("/requests/{request}/refuse", responses=_STEP, openapi_extra=_OPERATOR)
def refuse(
    request: Identifier,
    asked: RefusalOfRequest,
    token: BearerToken,
    context: ContextDep,
    response: Response,
    if_match: IfMatch = None,
) -> QueuedRequest:
    """Close it as refused, on a ground; she is told it, and how to complain."""
    return _tagged(response, queue.refuse(context, token, request, asked, if_match=if_match))


def _tagged(response: Response, found: QueuedRequest) -> QueuedRequest:
    response.headers["ETag"] = etag.tag(found.version)
    return found
