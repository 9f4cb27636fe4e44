"""HTTP endpoints for points, codes and the financial incentive."""

from typing import Annotated

from fastapi import APIRouter, Header, Query

from consent.notice import Language
from consent.service.auth import BearerToken, ShopperId, scope
from consent.service.context import ContextDep
from consent.service.points import codes, service
from consent.service.points.schemas import (
    CodeRequest,
    IncentiveNotice,
    IssuedCode,
    Points,
    Redeemed,
)
from consent.service.principals import Role
from consent.service.problems import answers
from consent.service.schemas import SignedRecordSchema
from crypto.wire import SignedRecord

router = APIRouter(prefix="/v1", tags=["value sharing"])
IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,255}$",
        description="Random and new for each code; repeat it to get a lost answer again.",
    ),
]


@router.get("/incentive", responses=answers(404, 422), openapi_extra=scope())
def incentive(context: ContextDep, language: Language = Language.EN) -> IncentiveNotice:
    """The financial-incentive notice: terms, data, opt-in, withdrawal and the estimated value."""
    return service.incentive(context, language)


@router.get(
    "/shoppers/{shopper}/points",
    responses=answers(401, 404, 422),
    openapi_extra=scope(Role.SHOPPER),
)
def read(
    shopper: ShopperId,
    token: BearerToken,
    context: ContextDep,
    cursor: Annotated[int | None, Query(ge=0, le=service.NEWEST)] = None,
    limit: Annotated[int, Query(ge=1, le=service.PAGE)] = service.PAGE,
) -> Points:
    """The shopper's balance and the entries that it comes from, newest first, a page at a time."""
    return service.read(context, shopper, token, cursor, limit)


@router.post(
    "/shoppers/{shopper}/codes",
    status_code=201,
    responses=answers(401, 404, 409, 422),
    openapi_extra=scope(Role.SHOPPER),
)
def issue(
    shopper: ShopperId,
    request: CodeRequest,
    token: BearerToken,
    key: IdempotencyKey,
    context: ContextDep,
) -> IssuedCode:
    """Turn points into a discount code that works once.

    The code is shown in this answer only; the service keeps its hash. The same request under the
    same key costs once and gets the same code.
    """
    return codes.issue(context, shopper, token, request, key)


@router.post(
    "/codes/redeem",
    responses=answers(401, 404, 422, 429, 503),
    openapi_extra=scope(Role.STORE),
)
def redeem(request: SignedRecordSchema, token: BearerToken, context: ContextDep) -> Redeemed:
    """Redeem a code at a till.

    The request is a signed record of type ``redeem`` with the body fields ``code, sale,
    client_key, issued_at``, signed by a client key of the store whose token is the bearer token.
    Whatever is wrong with the code, the answer is the same 404.
    """
    return codes.redeem(context, token, SignedRecord.from_json(request.model_dump()))
