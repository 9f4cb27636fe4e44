"""HTTP endpoints for ages and guardians."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from consent.service import etag
from consent.service.auth import BearerToken, ShopperId, scope
from consent.service.context import ContextDep
from consent.service.etag import IfMatch
from consent.service.guardians import service
from consent.service.guardians.schemas import Age, AgeChange, ShownCode, Ward, WardCode, Wards
from consent.service.principals import Role
from consent.service.problems import answers
from consent.service.shoppers.schemas import Consents, Decisions

router = APIRouter(prefix="/v1/shoppers/{shopper}", tags=["minors"])
WardId = Annotated[str, Path(description="The ward's opaque id.", max_length=64)]
_SHOPPER = scope(Role.SHOPPER)


@router.get("/age", responses=answers(401, 404, 422), openapi_extra=_SHOPPER)
def read_age(shopper: ShopperId, token: BearerToken, context: ContextDep) -> Age:
    """The age band that the shopper stated, and whether she needs a guardian."""
    return service.read_age(context, shopper, token)


@router.put("/age", responses=answers(401, 404, 409, 422), openapi_extra=_SHOPPER)
def state_age(
    shopper: ShopperId, request: AgeChange, token: BearerToken, context: ContextDep
) -> Age:
    """State an age band.

    What its holder may not have agreed to alone lapses. An older band than the one stated before
    is taken 30 days after that.
    """
    return service.state_age(context, shopper, token, request.band)


@router.post(
    "/guardian/codes",
    status_code=201,
    responses=answers(401, 404, 409, 422, 429, 503),
    openapi_extra=_SHOPPER,
)
def show_code(shopper: ShopperId, token: BearerToken, context: ContextDep) -> ShownCode:
    """A short code with which an adult becomes the minor's guardian; it works once."""
    return service.show_code(context, shopper, token)


@router.delete(
    "/guardian", status_code=204, responses=answers(401, 404, 422), openapi_extra=_SHOPPER
)
def leave(shopper: ShopperId, token: BearerToken, context: ContextDep) -> None:
    """End the guardianship as the minor; what the guardian agreed to ends with it."""
    service.leave(context, shopper, token)


@router.get("/wards", responses=answers(401, 404, 422), openapi_extra=_SHOPPER)
def read_wards(shopper: ShopperId, token: BearerToken, context: ContextDep) -> Wards:
    """The minors whose guardian the shopper is."""
    return service.read_wards(context, shopper, token)


@router.post(
    "/wards",
    status_code=201,
    responses=answers(401, 403, 404, 409, 422, 429, 503),
    openapi_extra=_SHOPPER,
)
def adopt(shopper: ShopperId, request: WardCode, token: BearerToken, context: ContextDep) -> Ward:
    """Become the guardian of the minor who showed a code.

    For adults who have just shown who they are. A code that is wrong, used or over is a 422.
    """
    return service.adopt(context, shopper, token, request.code)


@router.get("/wards/{ward}/consents", responses=answers(401, 404, 422), openapi_extra=_SHOPPER)
def read_consents(
    shopper: ShopperId, ward: WardId, token: BearerToken, context: ContextDep, response: Response
) -> Consents:
    """A ward's consent matrix. Her diary, points and receipts are her own."""
    found = service.read_consents(context, shopper, token, ward)
    response.headers["ETag"] = etag.tag(found.epoch)
    return found


@router.put(
    "/wards/{ward}/consents",
    responses=answers(401, 403, 404, 409, 412, 422, 428),
    openapi_extra=_SHOPPER,
)
def decide(
    shopper: ShopperId,
    ward: WardId,
    request: Decisions,
    token: BearerToken,
    context: ContextDep,
    response: Response,
    if_match: IfMatch = None,
) -> Consents:
    """Decide for a ward: agree to what she has asked for, or say no to anything.

    A *no* takes effect at once and needs no `If-Match`; a *yes* needs it, and a fresh login.
    """
    made = service.decide(
        context, shopper, token, ward, request, if_match=request.precondition(if_match)
    )
    response.headers["ETag"] = etag.tag(made.epoch)
    return made


@router.delete(
    "/wards/{ward}", status_code=204, responses=answers(401, 404, 422), openapi_extra=_SHOPPER
)
def release(shopper: ShopperId, ward: WardId, token: BearerToken, context: ContextDep) -> None:
    """End a guardianship as the guardian; what she agreed to ends with it."""
    service.release(context, shopper, token, ward)
