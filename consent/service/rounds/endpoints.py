"""HTTP endpoints for task policies, releases and diaries."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from consent.participation import NAME_PATTERN
from consent.service.auth import COORDINATOR_ONLY, BearerToken, scope
from consent.service.context import ContextDep
from consent.service.principals import Role
from consent.service.problems import answers
from consent.service.rounds import diary, service
from consent.service.rounds.schemas import Diary, Policies, ReleaseReport, RoundState
from consent.service.schemas import SignedRecordSchema
from consent.tasks.names import TaskName
from crypto.wire import SignedRecord

router = APIRouter(prefix="/v1", tags=["rounds"])
RoundId = Annotated[str, Path(pattern=NAME_PATTERN)]
Cursor = Annotated[int | None, Query(ge=0, le=service.NEWEST)]


@router.put(
    "/rounds/{task}/{round_id}",
    responses=answers(401, 409, 422),
    dependencies=[COORDINATOR_ONLY],
    openapi_extra=scope(Role.COORDINATOR),
)
def publish(
    task: TaskName, round_id: RoundId, request: SignedRecordSchema, context: ContextDep
) -> RoundState:
    """Publish the signed manifest of a round as its task policy, before anybody is asked.

    The service takes what the pinned coordinator key signed, and keeps the exact bytes. The same
    manifest again changes nothing; another one is a conflict. Without a pinned key the answer is
    a 409 of type ``urn:fedcart:problem:no-coordinator-key``.
    """
    record = SignedRecord.from_json(request.model_dump())
    return service.publish(context, task, round_id, record)


@router.get(
    "/rounds/{task}/{round_id}",
    responses=answers(401, 404, 422),
    dependencies=[COORDINATOR_ONLY],
    openapi_extra=scope(Role.COORDINATOR),
)
def state(task: TaskName, round_id: RoundId, context: ContextDep) -> RoundState:
    """Counts of a round: diary entries and points."""
    return service.state(context, task, round_id)


@router.post(
    "/rounds/{task}/{round_id}/released",
    responses=answers(401, 409, 422),
    dependencies=[COORDINATOR_ONLY],
    openapi_extra=scope(Role.COORDINATOR),
)
def released(
    task: TaskName, round_id: RoundId, request: ReleaseReport, context: ContextDep
) -> RoundState:
    """Report a published release: writes the diaries of everybody in its list, and their points.

    One transaction, once: the same report again changes nothing, another one is a conflict.
    """
    return service.released(context, task, round_id, request)


@router.get("/policies", openapi_extra=scope())
def policies(context: ContextDep) -> Policies:
    """The newest policy of each task, word for word as its parties enforce it."""
    return service.latest(context)


@router.get("/policies/{task}", responses=answers(422), openapi_extra=scope())
def policies_of_task(
    task: TaskName,
    context: ContextDep,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=service.PAGE)] = service.PAGE,
) -> Policies:
    """Every policy that a task ever ran under, newest first, a page at a time."""
    return service.of_task(context, task, cursor, limit)


@router.get(
    "/shoppers/{shopper}/diary", responses=answers(401, 404, 422), openapi_extra=scope(Role.SHOPPER)
)
def read_diary(
    shopper: Annotated[str, Path(description="The shopper's opaque id.", max_length=64)],
    token: BearerToken,
    context: ContextDep,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=diary.PAGE)] = diary.PAGE,
) -> Diary:
    """The rounds that the shopper's data was part of, newest first, a page at a time."""
    return diary.read(context, shopper, token, cursor, limit)
