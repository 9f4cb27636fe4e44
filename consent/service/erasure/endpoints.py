"""HTTP endpoints for erasures and rebuilt models."""

from typing import Annotated

from fastapi import APIRouter, Path

from consent.service.auth import BearerToken, scope
from consent.service.context import ContextDep
from consent.service.erasure import rebuilds, service
from consent.service.erasure.schemas import (
    ErasurePreview,
    ErasureStatus,
    RebuildDone,
    Rebuilds,
)
from consent.service.principals import Role
from consent.service.problems import answers
from consent.service.schemas import Identifier

router = APIRouter(prefix="/v1", tags=["rights"])


@router.get("/erasures/{code}", responses=answers(404, 422), openapi_extra=scope())
def status(
    code: Annotated[str, Path(pattern=r"^[A-Za-z2-7 -]{32,48}$")], context: ContextDep
) -> ErasureStatus:
    """How an erasure stands: what was deleted, what is still pending, and what remains.

    Needs no login, because there is none any more: the code has 160 random bits, and whoever asked
    for the erasure got it before she confirmed.
    """
    return service.status(context, code)


@router.get(
    "/shoppers/{shopper}/erasure",
    responses=answers(401, 404, 422),
    openapi_extra=scope(Role.SHOPPER),
)
def preview(
    shopper: Annotated[str, Path(description="The shopper's opaque id.", max_length=64)],
    token: BearerToken,
    context: ContextDep,
) -> ErasurePreview:
    """What an erasure would do now: points that are lost, models that keep a bounded trace."""
    return service.preview(context, shopper, token)


@router.get(
    "/rebuilds",
    responses=answers(401, 404),
    openapi_extra=scope(Role.OPERATOR, Role.AUDITOR),
)
def read_rebuilds(token: BearerToken, context: ContextDep) -> Rebuilds:
    """Models that are to be rebuilt from before a round, because erased shoppers asked for it."""
    return rebuilds.read_all(context, token)


@router.post(
    "/rebuilds/{rebuild}/done",
    responses=answers(401, 404, 409, 422),
    openapi_extra=scope(Role.OPERATOR),
)
def done(
    rebuild: Identifier, report: RebuildDone, token: BearerToken, context: ContextDep
) -> Rebuilds:
    """Report that the models of a task were rebuilt without those who asked. It is audited."""
    return rebuilds.done(context, token, rebuild, report)
