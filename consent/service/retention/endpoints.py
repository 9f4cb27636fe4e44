"""HTTP endpoint for the retention schedule."""

from fastapi import APIRouter

from consent.service.auth import BearerToken, scope
from consent.service.context import ContextDep
from consent.service.principals import Role
from consent.service.problems import answers
from consent.service.retention import service
from consent.service.retention.schemas import RetentionReport

router = APIRouter(prefix="/v1", tags=["operators"])


@router.get(
    "/retention",
    responses=answers(401, 404),
    openapi_extra=scope(Role.OPERATOR, Role.AUDITOR),
)
def report(token: BearerToken, context: ContextDep) -> RetentionReport:
    """How long what is kept and why, and what the latest runs of the job removed."""
    return service.report(context, token)
