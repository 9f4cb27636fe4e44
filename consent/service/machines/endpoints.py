"""HTTP endpoints for machines' tokens: to look at and to revoke, never to make."""

from fastapi import APIRouter

from consent.service.auth import BearerToken, scope
from consent.service.context import ContextDep
from consent.service.machines import service
from consent.service.machines.schemas import MachineTokens
from consent.service.principals import Role
from consent.service.problems import answers
from consent.service.schemas import Identifier

router = APIRouter(prefix="/v1/tokens", tags=["machines"])


@router.get("", responses=answers(401, 404), openapi_extra=scope(Role.OPERATOR, Role.AUDITOR))
def read(token: BearerToken, context: ContextDep) -> MachineTokens:
    """Every machine's token, without the tokens themselves."""
    return service.read(context, token)


@router.delete(
    "/{machine}",
    status_code=204,
    responses=answers(401, 403, 404, 422),
    openapi_extra=scope(Role.OPERATOR),
)
def revoke(machine: Identifier, token: BearerToken, context: ContextDep) -> None:
    """Revoke a machine's token at once; needs a fresh proof of who the operator is."""
    service.revoke(context, token, machine)
