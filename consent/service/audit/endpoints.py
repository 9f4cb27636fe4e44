"""HTTP endpoint for the audit trail."""

from typing import Annotated

from fastapi import APIRouter, Query

from consent.service.audit import reading
from consent.service.audit.repository import Wanted
from consent.service.audit.schemas import AuditTrail
from consent.service.auth import BearerToken, scope
from consent.service.context import ContextDep
from consent.service.principals import Role
from consent.service.problems import answers

router = APIRouter(prefix="/v1", tags=["operators"])
Time = Annotated[int | None, Query(ge=0, le=reading.NEWEST, description="Unix milliseconds.")]


@router.get(
    "/audit",
    responses=answers(401, 404, 422),
    openapi_extra=scope(Role.OPERATOR, Role.AUDITOR),
)
def read(
    token: BearerToken,
    context: ContextDep,
    action: Annotated[str | None, Query(pattern=r"^[a-z.-]{1,64}$")] = None,
    actor: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9:_-]{1,128}$")] = None,
    since: Time = None,
    until: Time = None,
    cursor: Annotated[int | None, Query(ge=0, le=reading.NEWEST)] = None,
    limit: Annotated[int, Query(ge=1, le=reading.PAGE)] = reading.PAGE,
) -> AuditTrail:
    """What operators, auditors and the service did, newest first, a page at a time.

    Reading it is an act that it records.
    """
    wanted = Wanted(action=action, actor=actor, since=since, until=until)
    return reading.read(context, token, wanted, cursor, limit)
