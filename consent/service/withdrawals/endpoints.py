"""HTTP endpoints for the withdrawal tracker."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from consent.service.auth import BearerToken, ShopperId, scope
from consent.service.context import ContextDep
from consent.service.principals import Role
from consent.service.problems import answers
from consent.service.withdrawals import service
from consent.service.withdrawals.schemas import Withdrawal, Withdrawals

router = APIRouter(prefix="/v1/shoppers/{shopper}/withdrawals", tags=["withdrawals"])
Epoch = Annotated[
    int,
    Path(ge=0, le=service.MAX_EPOCH, description="The epoch that the withdrawal raised hers to."),
]


@router.get("", responses=answers(401, 404, 422), openapi_extra=scope(Role.SHOPPER))
def read_all(
    shopper: ShopperId,
    token: BearerToken,
    context: ContextDep,
    cursor: Annotated[int | None, Query(ge=0, le=service.MAX_EPOCH)] = None,
    limit: Annotated[int, Query(ge=1, le=service.PAGE)] = service.PAGE,
) -> Withdrawals:
    """Every time that consent of the shopper ended, newest first, a page at a time."""
    return service.read_all(context, shopper, token, cursor, limit)


@router.get("/{epoch}", responses=answers(401, 404, 422), openapi_extra=scope(Role.SHOPPER))
def read(shopper: ShopperId, epoch: Epoch, token: BearerToken, context: ContextDep) -> Withdrawal:
    """What became of a withdrawal, step by step, each with its time and proof."""
    return service.read(context, shopper, token, epoch)


@router.get(
    "/{epoch}/bundle",
    response_class=Response,
    responses=answers(401, 404, 422)
    | {
        200: {
            "description": "A file for ``fedcart consent verify --bundle``.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    },
    openapi_extra=scope(Role.SHOPPER),
)
def bundle(shopper: ShopperId, epoch: Epoch, token: BearerToken, context: ContextDep) -> Response:
    """Everything that proves a withdrawal as one file, to be kept and checked offline."""
    return Response(
        service.bundle(context, shopper, token, epoch),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="withdrawal-{epoch}.json"'},
    )
