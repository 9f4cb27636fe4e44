"""HTTP endpoints for passkeys."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from consent.origin import site_origin
from consent.service.accounts.schemas import OpenedSession
from consent.service.accounts.service import LOGIN_ROLES
from consent.service.auth import BearerToken, scope
from consent.service.context import ContextDep
from consent.service.passkeys import service
from consent.service.passkeys.schemas import (
    LoginOptions,
    NewPasskey,
    Options,
    PasskeyLogin,
    PasskeyProof,
    PasskeyRename,
    Passkeys,
    PasskeySchema,
)
from consent.service.passkeys.webauthn import RelyingParty
from consent.service.peer import PeerDep
from consent.service.problems import answers

router = APIRouter(prefix="/v1", tags=["passkeys"])
PasskeyId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="The passkey's id.")]


async def _party(request: Request, context: ContextDep) -> RelyingParty:
    origin = site_origin(context.settings.public_url, request.headers.get("host", ""))
    return service.relying_party(origin)


PartyDep = Annotated[RelyingParty, Depends(_party)]
_OF_LOGINS = scope(*LOGIN_ROLES)


@router.post(
    "/passkeys/login/options", openapi_extra=scope(), responses=answers(404, 422, 429, 503)
)
def begin_login(party: PartyDep, peer: PeerDep, context: ContextDep) -> LoginOptions:
    """Begin a login by passkey: options for the browser, good for five minutes and one answer."""
    return service.begin_login(context, party, peer=peer)


@router.post(
    "/passkeys/login",
    status_code=201,
    openapi_extra=scope(),
    responses=answers(401, 403, 404, 422),
)
def finish_login(request: PasskeyLogin, party: PartyDep, context: ContextDep) -> OpenedSession:
    """Log in with what the passkey signed. Whatever does not hold gets the same 403.

    Only a counter that went back is told apart, because its owner has to act on that.
    """
    return service.finish_login(
        context, party, request.ceremony, request.credential, label="passkey"
    )


@router.get("/account/passkeys", openapi_extra=_OF_LOGINS, responses=answers(401, 404))
def own(token: BearerToken, context: ContextDep) -> Passkeys:
    """The passkeys of whoever is logged in."""
    return service.own(context, token)


@router.post(
    "/account/passkeys/options",
    openapi_extra=_OF_LOGINS,
    responses=answers(401, 403, 404, 409, 422),
)
def begin_registration(token: BearerToken, party: PartyDep, context: ContextDep) -> Options:
    """Begin to add a passkey: options for the browser, good for five minutes and one answer."""
    return service.begin_registration(context, token, party)


@router.post(
    "/account/passkeys",
    status_code=201,
    openapi_extra=_OF_LOGINS,
    responses=answers(401, 403, 404, 409, 422),
)
def finish_registration(
    request: NewPasskey, token: BearerToken, party: PartyDep, context: ContextDep
) -> PasskeySchema:
    """Add the passkey that the browser made."""
    return service.finish_registration(context, token, party, request.credential, request.name)


@router.post(
    "/account/passkeys/step-up/options",
    openapi_extra=_OF_LOGINS,
    responses=answers(401, 404, 409, 422),
)
def begin_step_up(token: BearerToken, party: PartyDep, context: ContextDep) -> Options:
    """Begin to show once more who one is, for steps that can't be undone."""
    return service.begin_step_up(context, token, party)


@router.post(
    "/account/passkeys/step-up",
    status_code=204,
    openapi_extra=_OF_LOGINS,
    responses=answers(401, 403, 404, 422),
)
def finish_step_up(
    request: PasskeyProof, token: BearerToken, party: PartyDep, context: ContextDep
) -> None:
    """Show once more who one is, with what the passkey signed."""
    service.finish_step_up(context, token, party, request.credential)


@router.patch(
    "/account/passkeys/{passkey}", openapi_extra=_OF_LOGINS, responses=answers(401, 404, 422)
)
def rename(
    passkey: PasskeyId, request: PasskeyRename, token: BearerToken, context: ContextDep
) -> PasskeySchema:
    """Give a passkey another name."""
    return service.rename(context, token, passkey, request.name)


@router.delete(
    "/account/passkeys/{passkey}",
    status_code=204,
    openapi_extra=_OF_LOGINS,
    responses=answers(401, 403, 404, 409, 422),
)
def delete(passkey: PasskeyId, token: BearerToken, context: ContextDep) -> None:
    """Delete a passkey and end the logins that it opened. The last way in can't be deleted."""
    service.delete(context, token, passkey)
