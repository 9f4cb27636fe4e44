"""HTTP endpoints for the log."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from consent.log.head import MAX_SIZE
from consent.service.auth import BearerToken, scope
from consent.service.context import ContextDep
from consent.service.log import service
from consent.service.log.schemas import Consistency, Heads, OwnLog
from consent.service.principals import Role
from consent.service.problems import answers
from consent.service.schemas import SignedRecordSchema

router = APIRouter(prefix="/v1", tags=["log"])
Size = Annotated[int, Query(ge=1, le=MAX_SIZE)]
Cursor = Annotated[int | None, Query(ge=0, le=MAX_SIZE)]


@router.get("/log/head", openapi_extra=scope())
def head(context: ContextDep) -> SignedRecordSchema:
    """The signed head of the log now: a record of type ``tree-head`` with time, size and root.

    Keep one, and a later one can be checked against it: the log can't be rewritten unnoticed.
    """
    return SignedRecordSchema(**service.head(context).to_json())


@router.get("/log/heads", responses=answers(422), openapi_extra=scope())
def heads(
    context: ContextDep,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=service.PAGE)] = service.PAGE,
) -> Heads:
    """Every head that was handed out, oldest first, a page at a time."""
    return service.heads(context, cursor, limit)


@router.get("/log/consistency", responses=answers(422), openapi_extra=scope())
def consistency(first: Size, second: Size, context: ContextDep) -> Consistency:
    """The proof that the log of ``second`` leaves begins with the log of ``first`` leaves."""
    return service.consistency(context, first, second)


@router.get(
    "/shoppers/{shopper}/log", responses=answers(401, 404, 422), openapi_extra=scope(Role.SHOPPER)
)
def own(
    shopper: Annotated[str, Path(description="The shopper's opaque id.", max_length=64)],
    token: BearerToken,
    context: ContextDep,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=service.PAGE)] = service.PAGE,
) -> OwnLog:
    """The shopper's own events, oldest first, each with its inclusion proof, a page at a time.

    The answer holds the key with which she recomputes her leaves.
    """
    return service.own(context, shopper, token, cursor, limit)
