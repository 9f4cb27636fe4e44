"""HTTP endpoints for shoppers."""

from typing import Annotated

from fastapi import APIRouter, Path

from consent.service.auth import BearerToken
from consent.service.context import ContextDep
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
ShopperId = Annotated[str, Path(description="The shopper's opaque id.", max_length=64)]


@router.post("", status_code=201, responses=answers(409, 422))
def register(request: Registration, context: ContextDep) -> Registered:
    """Register a shopper.

    Nothing is preselected: cells that are not stated are unknown, which permits nothing. The
    answer holds the only copy of her token.
    """
    return service.register(context, request)


@router.get("/{shopper}/consents", responses=answers(401, 404))
def read_consents(shopper: ShopperId, token: BearerToken, context: ContextDep) -> Consents:
    """The shopper's whole consent matrix, every cell named."""
    return service.read_consents(context, shopper, token)


@router.put("/{shopper}/consents", responses=answers(401, 404, 409, 422))
def decide(
    shopper: ShopperId, request: Decisions, token: BearerToken, context: ContextDep
) -> Consents:
    """Give, refuse or withdraw, for any number of cells at once: all decisions or none.

    A refusal or withdrawal of anything kills every grant issued before it. Refusing what was given
    withdraws it; withdrawing what was never given is a conflict.
    """
    return service.decide(context, shopper, token, request)


@router.post("/{shopper}/client", responses=answers(401, 404, 409, 422))
def pair(shopper: ShopperId, request: ClientKey, token: BearerToken, context: ContextDep) -> Paired:
    """Pair the client that stands for the shopper, or replace it.

    A shopper has one client. Grants that a replaced client holds die at once.
    """
    return service.pair(context, shopper, token, request)
