"""HTTP endpoints for accounts and logins."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from consent.service.accounts import login, registration, upkeep
from consent.service.accounts.schemas import (
    AccountRegistration,
    AccountState,
    AttachedAccount,
    Credentials,
    LanguageChoice,
    NewAccount,
    OpenedSession,
    PasswordChange,
    PasswordProof,
    Recovery,
    RecoveryCodes,
    RegisteredAccount,
    Sessions,
)
from consent.service.accounts.service import LOGIN_ROLES
from consent.service.auth import BearerToken, ShopperId, SignalDep, scope
from consent.service.context import ContextDep
from consent.service.peer import PeerDep
from consent.service.principals import Role
from consent.service.problems import answers
from consent.service.schemas import Identifier

router = APIRouter(prefix="/v1", tags=["accounts"])
_ANYBODY: Final[dict[str, Any]] = scope()
_LOGINS: Final[dict[str, Any]] = scope(*LOGIN_ROLES)


@router.post(
    "/accounts",
    status_code=201,
    responses=answers(401, 404, 409, 422, 429, 503),
    openapi_extra=_ANYBODY,
)
def register(
    request: AccountRegistration, context: ContextDep, peer: PeerDep, signal: SignalDep
) -> RegisteredAccount:
    """Register as a shopper with a name and a password.

    The name need not be an address; it is folded to lower case. The answer holds the only copy of
    ten recovery codes and the token of her first login. Her devices get tokens when they pair.
    """
    return registration.register(context, request, peer=peer, signal=signal)


@router.post(
    "/shoppers/{shopper}/account",
    status_code=201,
    responses=answers(401, 404, 409, 422, 429, 503),
    openapi_extra=scope(Role.SHOPPER),
)
def attach(
    shopper: ShopperId, request: NewAccount, token: BearerToken, context: ContextDep, peer: PeerDep
) -> AttachedAccount:
    """Make an account for a shopper whom only her device knows, with the device's token."""
    return registration.attach(context, shopper, token, request, peer=peer)


@router.post(
    "/accounts/recovery",
    status_code=204,
    responses=answers(401, 422, 429, 503),
    openapi_extra=_ANYBODY,
)
def recover(request: Recovery, context: ContextDep, peer: PeerDep) -> None:
    """Set a new password with a recovery code, or the first one with a setup code.

    The code is used up and every login of the account ends.
    """
    upkeep.recover(context, request, peer=peer)


@router.get("/account", responses=answers(401, 404), openapi_extra=_LOGINS)
def state(token: BearerToken, context: ContextDep) -> AccountState:
    """One's own account."""
    return upkeep.state(context, token)


@router.put(
    "/account/password",
    status_code=204,
    responses=answers(401, 403, 404, 409, 422, 429, 503),
    openapi_extra=_LOGINS,
)
def change_password(request: PasswordChange, token: BearerToken, context: ContextDep) -> None:
    """Change the password with the old one, or after a fresh proof. Every other login ends."""
    upkeep.change_password(context, token, request)


@router.post(
    "/account/recovery-codes",
    status_code=201,
    responses=answers(401, 403, 404),
    openapi_extra=_LOGINS,
)
def renew_recovery_codes(token: BearerToken, context: ContextDep) -> RecoveryCodes:
    """Ten new recovery codes in the place of the old ones; needs a fresh proof."""
    return upkeep.renew_recovery_codes(context, token)


@router.put(
    "/account/language", status_code=204, responses=answers(401, 404, 422), openapi_extra=_LOGINS
)
def choose_language(request: LanguageChoice, token: BearerToken, context: ContextDep) -> None:
    """Remember the language that she reads."""
    upkeep.choose_language(context, token, request)


@router.post(
    "/sessions", status_code=201, responses=answers(401, 422, 429, 503), openapi_extra=_ANYBODY
)
def log_in(request: Credentials, context: ContextDep, peer: PeerDep) -> OpenedSession:
    """Log in. The token is a bearer token like any other, until it ends by time or by hand."""
    return login.log_in(context, request, peer=peer)


@router.get("/sessions", responses=answers(401, 404), openapi_extra=_LOGINS)
def own_sessions(token: BearerToken, context: ContextDep) -> Sessions:
    """One's own open logins, newest first."""
    return login.own_sessions(context, token)


@router.delete(
    "/sessions", status_code=204, responses=answers(401, 404, 422), openapi_extra=_LOGINS
)
def end_sessions(
    token: BearerToken,
    context: ContextDep,
    *,
    keep_current: Annotated[bool, Query(description="Leave the login that asks.")] = False,
) -> None:
    """End all of one's own logins."""
    login.end_all(context, token, keep_current=keep_current)


@router.delete(
    "/sessions/current", status_code=204, responses=answers(401, 404), openapi_extra=_LOGINS
)
def log_out(token: BearerToken, context: ContextDep) -> None:
    """Log out."""
    login.log_out(context, token)


@router.post(
    "/sessions/current/proof",
    status_code=204,
    responses=answers(401, 403, 404, 422, 429, 503),
    openapi_extra=_LOGINS,
)
def prove(request: PasswordProof, token: BearerToken, context: ContextDep) -> None:
    """Show the password once more; for ten minutes, what can't be undone may then be done."""
    login.prove_password(context, token, request)


@router.delete(
    "/sessions/{session}",
    status_code=204,
    responses=answers(401, 404, 422),
    openapi_extra=_LOGINS,
)
def end_session(session: Identifier, token: BearerToken, context: ContextDep) -> None:
    """End one of one's own logins."""
    login.end_session(context, token, session)
