"""What the machine runs: the policy of each task in sentences, and word for word."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from consent.panel.page import VisitorDep, render
from consent.panel.policy import facts
from consent.participation import NAME_PATTERN
from consent.service.rounds import service
from consent.tasks.names import TaskName

router = APIRouter(include_in_schema=False)


@router.get("/policies")
def policies(request: Request, visitor: VisitorDep) -> Response:
    """The newest policy of each task."""
    found = service.latest(visitor.context)
    return render(
        request,
        visitor,
        "policies.html",
        policies=[facts(policy) for policy in found.policies],
        key=found.coordinator_key,
    )


@router.get("/policies/{task}/{round_id}")
def policy(
    request: Request,
    visitor: VisitorDep,
    task: TaskName,
    round_id: Annotated[str, Path(pattern=NAME_PATTERN)],
) -> Response:
    """The policy of one round."""
    found = facts(service.policy(visitor.context, task, round_id))
    key = service.latest(visitor.context).coordinator_key
    return render(request, visitor, "policy.html", policy=found, key=key)
