"""HTTP endpoints for commits."""

from typing import Annotated

from fastapi import APIRouter, Path

from consent.participation import NAME_PATTERN
from consent.service.auth import COORDINATOR_ONLY, scope
from consent.service.commits import service
from consent.service.commits.schemas import CommitAnswer, CommitRequest
from consent.service.context import ContextDep
from consent.service.principals import Role
from consent.service.problems import answers
from consent.tasks.names import TaskName

router = APIRouter(prefix="/v1/commits", tags=["commits"], dependencies=[COORDINATOR_ONLY])


@router.post("", responses=answers(401, 409, 422), openapi_extra=scope(Role.COORDINATOR))
def freeze(request: CommitRequest, context: ContextDep) -> CommitAnswer:
    """Freeze the round: sign the list of uploads whose every grant stands now.

    One transaction. An upload with any grant that is unknown, bound elsewhere or withdrawn is
    dropped wholly. The same request again gets the same bytes; another one is a conflict.
    """
    return service.freeze(context, request)


@router.get(
    "/{task}/{round_id}", responses=answers(401, 404, 422), openapi_extra=scope(Role.COORDINATOR)
)
def read(
    task: TaskName, round_id: Annotated[str, Path(pattern=NAME_PATTERN)], context: ContextDep
) -> CommitAnswer:
    """The stored commit of a round.

    For the coordinator alone, because the list names who took part. Key holders get the record
    from the coordinator and verify its signature; there is only ever one for a round.
    """
    return service.read(context, task, round_id)
