"""Who calls: the bearer token of a shopper or of the coordinator.

A shopper's token is checked inside the transaction that uses it. A token that is not hers gets
the same 404 as a shopper who does not exist, so ids can't be probed.
"""

from typing import Annotated, Any

from fastapi import Depends, Path, Request, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from consent import signals
from consent.service.accounts.service import SESSION_PREFIX, touch
from consent.service.context import ContextDep
from consent.service.principals import Role
from consent.service.problems import Problem
from consent.service.signals import service as observed
from consent.service.tokens import token_matches

_BEARER = HTTPBearer(auto_error=False, description="A shopper's or the coordinator's token.")


async def _signal(request: Request) -> bool:
    return signals.is_on(request.headers.get(signals.HEADER))


ShopperId = Annotated[str, Path(description="The shopper's opaque id.", max_length=64)]
# Whether a request carries the Global Privacy Control signal.
SignalDep = Annotated[bool, Depends(_signal)]


async def _optional(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    context: ContextDep,
    signal: SignalDep,
) -> str | None:
    token = None if credentials is None else credentials.credentials
    if token is not None and token.startswith(SESSION_PREFIX):
        await run_in_threadpool(touch, context, token)
    if token is not None and signal:
        await run_in_threadpool(observed.observe, context, token)
    return token


OptionalToken = Annotated[str | None, Depends(_optional)]


async def _token(token: OptionalToken) -> str:
    if token is None:
        raise Problem(401, "Send a bearer token in the Authorization header.")
    return token


BearerToken = Annotated[str, Depends(_token)]


async def _coordinator(token: BearerToken, context: ContextDep) -> None:
    if not token_matches(token, context.settings.coordinator_token_hash):
        raise Problem(401, "This is not the coordinator's token.")


COORDINATOR_ONLY = Depends(_coordinator)


def scope(*roles: Role) -> dict[str, Any]:
    """What an endpoint says of itself in the OpenAPI document: who may call it; nobody named: all.

    The matrix of roles in the tests is generated from it, and fails for an endpoint without it.
    """
    return {"x-fedcart-roles": sorted(roles)}
