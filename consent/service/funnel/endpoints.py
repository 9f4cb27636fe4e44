"""HTTP endpoint for the consent funnel."""

from typing import Annotated

from fastapi import APIRouter, Query

from consent.participation import NAME_PATTERN
from consent.service.auth import COORDINATOR_ONLY, scope
from consent.service.context import ContextDep
from consent.service.funnel import service
from consent.service.funnel.schemas import Funnel
from consent.service.principals import Role
from consent.service.problems import answers
from consent.tasks.names import TaskName

router = APIRouter(prefix="/v1", tags=["funnel"], dependencies=[COORDINATOR_ONLY])


@router.get("/funnel", responses=answers(401, 422), openapi_extra=scope(Role.COORDINATOR))
def funnel(
    task: TaskName,
    round_id: Annotated[str, Query(alias="round", pattern=NAME_PATTERN)],
    context: ContextDep,
) -> Funnel:
    """Counts of a round: asked, granted, refused, withdrawn, and aggregated against a withdrawal.

    The last one is an audit over the history of decisions; anything but 0 is a fault.
    """
    return service.read(context, task, round_id)
