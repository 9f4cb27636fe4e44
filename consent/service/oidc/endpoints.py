"""HTTP endpoints for sign-in through a retailer. Signing in is done by pages, in a browser."""

from typing import Annotated

from fastapi import APIRouter, Path

from consent.service.accounts.service import LOGIN_ROLES
from consent.service.auth import BearerToken, scope
from consent.service.context import ContextDep
from consent.service.oidc import service
from consent.service.oidc.schemas import Identities, ProviderList
from consent.service.problems import answers

router = APIRouter(prefix="/v1", tags=["sign-in through a retailer"])
IdentityId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="The identity's id.")]
_OF_LOGINS = scope(*LOGIN_ROLES)


@router.get("/identity-providers", openapi_extra=scope())
def providers(context: ContextDep) -> ProviderList:
    """The retailers' identity providers that shoppers may sign in through, on the login page."""
    return service.listed(context)


@router.get("/account/identities", openapi_extra=_OF_LOGINS, responses=answers(401, 404))
def own(token: BearerToken, context: ContextDep) -> Identities:
    """The identities of whoever is logged in. Their names at the provider are not known here."""
    return service.own(context, token)


@router.delete(
    "/account/identities/{identity}",
    status_code=204,
    openapi_extra=_OF_LOGINS,
    responses=answers(401, 403, 404, 409, 422),
)
def unlink(identity: IdentityId, token: BearerToken, context: ContextDep) -> None:
    """Delete an identity and end the logins that it opened. The last way in can't be deleted."""
    service.unlink(context, token, identity)
