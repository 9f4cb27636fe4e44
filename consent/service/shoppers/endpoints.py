"""HTTP endpoints for shoppers."""

from fastapi import APIRouter, Response

from consent.service import etag, rates
from consent.service.auth import BearerToken, OptionalToken, ShopperId, SignalDep, scope
from consent.service.context import ContextDep
from consent.service.etag import IfMatch
from consent.service.peer import PeerDep
from consent.service.principals import Role
from consent.service.problems import answers
from consent.service.shoppers import service
from consent.service.shoppers.schemas import (
    ClientKey,
    Consents,
    Decisions,
    Paired,
    Registered,
    Registration,
)

router = APIRouter(prefix="/v1/shoppers", tags=["shoppers"])


@router.post(
    "",
    status_code=201,
    responses=answers(401, 404, 409, 422, 429, 503),
    openapi_extra=scope(),
)
def register(
    request: Registration,
    token: OptionalToken,
    context: ContextDep,
    peer: PeerDep,
    signal: SignalDep,
) -> Registered:
    """Register a shopper.

    Nothing is preselected: cells that are not stated are unknown, which permits nothing. The
    answer holds the only copy of her token. A client that is a store is named with the store's own
    token as bearer token; nobody else needs one here. Agreeing to what leaves the device needs an
    age band, and with `Sec-GPC: 1` also `confirm_signal`.
    """
    rates.check(context, "register", peer)
    return service.register(context, request, store_token=token, signal=signal)


@router.get(
    "/{shopper}/consents",
    responses=answers(401, 404, 422),
    openapi_extra=scope(Role.SHOPPER),
)
def read_consents(
    shopper: ShopperId, token: BearerToken, context: ContextDep, response: Response
) -> Consents:
    """The shopper's whole consent matrix, every cell named. Its ETag is her consent epoch."""
    found = service.read_consents(context, shopper, token)
    response.headers["ETag"] = etag.tag(found.epoch)
    return found


@router.put(
    "/{shopper}/consents",
    responses=answers(401, 404, 409, 412, 422, 428),
    openapi_extra=scope(Role.SHOPPER),
)
def decide(
    shopper: ShopperId,
    request: Decisions,
    token: BearerToken,
    context: ContextDep,
    response: Response,
    if_match: IfMatch = None,
) -> Consents:
    """Give, refuse or withdraw, for any number of cells at once: all decisions or none.

    A refusal or withdrawal of anything kills every grant issued before it. Refusing what was given
    withdraws it; withdrawing what was never given is a conflict.

    A *no* is always taken: it needs no `If-Match`. Whoever says *yes* to anything sends the ETag of
    the matrix that she saw; without it the answer is 428, and 412 if it has changed since. While a
    privacy signal of hers holds, a *yes* to what leaves the device needs `confirm_signal`; a
    minor's *yes* that needs her guardian's is recorded as requested.
    """
    made = service.decide(context, shopper, token, request, if_match=request.precondition(if_match))
    response.headers["ETag"] = etag.tag(made.epoch)
    return made


@router.post(
    "/{shopper}/client",
    responses=answers(401, 404, 409, 422),
    openapi_extra=scope(Role.SHOPPER),
)
def pair(shopper: ShopperId, request: ClientKey, token: BearerToken, context: ContextDep) -> Paired:
    """Pair the client that stands for the shopper, or replace it.

    A shopper has one client. Grants that a replaced client holds die at once.
    """
    return service.pair(context, shopper, token, request)
