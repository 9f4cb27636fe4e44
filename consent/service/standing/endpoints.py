"""HTTP endpoints for live checks."""

from fastapi import APIRouter

from consent.service.auth import COORDINATOR_ONLY, scope
from consent.service.context import ContextDep
from consent.service.principals import Role
from consent.service.problems import answers
from consent.service.standing import service
from consent.service.standing.schemas import (
    EligibleAnswer,
    EligibleRequest,
    StandingAnswer,
    StandingRequest,
)

router = APIRouter(prefix="/v1", tags=["standing"])


@router.post("/standing", responses=answers(422), openapi_extra=scope())
def standing(request: StandingRequest, context: ContextDep) -> StandingAnswer:
    """Which of these grants stand now.

    Needs no token: the ids themselves are 128 random bits. An id that is unknown does not stand.
    """
    return service.standing(context, request)


@router.post(
    "/eligible",
    dependencies=[COORDINATOR_ONLY],
    responses=answers(401, 422),
    openapi_extra=scope(Role.COORDINATOR),
)
def eligible(request: EligibleRequest, context: ContextDep) -> EligibleAnswer:
    """Which of these clients have at least one shopper with live consent for the task."""
    return service.eligible(context, request)
