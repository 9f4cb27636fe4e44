"""Who a token belongs to, and what she may do.

A caller sends one opaque token, as a bearer token or in the panel's cookie. It is a shopper's own
token or that of a device which she paired, the token of an open login, a machine's token, or the
coordinator's.
All of them carry 256 random bits and are stored as hashes. Whatever is foreign to a caller does
not exist for her: 404, never 403, so that ids can't be probed.

========== ===========================================================================
role       scope
========== ===========================================================================
shopper    everything of her own shopper, and nothing of anybody else's
store      its own tokens: codes at its till, its own client
auditor    reads records of the service as a whole; changes nothing
operator   what the auditor reads, the queue of requests, notices, webhooks, retention
coordinator rounds: policies, eligibility, commits, releases
========== ===========================================================================
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.accounts.tables import Account, AccountSession, ApiToken
from consent.service.context import Context
from consent.service.pairing.tables import DeviceToken
from consent.service.problems import Problem
from consent.service.tables import Shopper
from consent.service.tokens import token_hash, token_matches

PROOF_LASTS_MS: Final = 10 * 60 * 1000
STEP_UP: Final = "urn:fedcart:problem:step-up"


class Role(StrEnum):
    """What a caller is to the service."""

    SHOPPER = "shopper"
    STORE = "store"
    AUDITOR = "auditor"
    OPERATOR = "operator"
    COORDINATOR = "coordinator"


@dataclass(frozen=True, kw_only=True)
class Principal:
    """A caller who is known.

    Attributes:
        actor: how records name her: ``shopper:ID``, ``account:ID``, ``token:ID``, ``coordinator``.
        shopper: the shopper that she is, if she is one.
        account: her account, if she logged in.
        session: the hash of the token of her login.
        store: the store that a machine is of.
        proved_at: when she last showed a password, a passkey or her provider's login (Unix
            milliseconds); 0 where the token is all that she showed.
    """

    role: Role
    actor: str
    shopper: str | None = None
    account: str | None = None
    session: str | None = None
    store: str | None = None
    proved_at: int = 0


def identify(context: Context, session: Session, token: str) -> Principal | None:
    """Who a token belongs to now; None for one that is unknown, expired or revoked."""
    if token_matches(token, context.settings.coordinator_token_hash):
        return Principal(role=Role.COORDINATOR, actor="coordinator")
    hashed, now = token_hash(token), context.now_ms()
    return (
        _by_login(context, session, hashed)
        or _by_own_token(session, hashed)
        or _by_device(session, hashed)
        or _by_machine(session, hashed, now)
    )


def required(context: Context, session: Session, token: str, *roles: Role) -> Principal:
    """The caller, if she has one of the roles.

    Raises:
        Problem: 401, nobody's token; 404, another role's.
    """
    found = identify(context, session, token)
    if found is None:
        raise Problem(401, "This token is not known, has expired or was revoked; log in again.")
    if found.role not in roles:
        raise Problem(404, "There is no such thing for this token.")
    return found


def proved(context: Context, principal: Principal) -> None:
    """Refuse a caller who has not lately shown who she is, for steps that can't be undone.

    Raises:
        Problem: 403 of type ``urn:fedcart:problem:step-up``.
    """
    if context.now_ms() - principal.proved_at > PROOF_LASTS_MS:
        raise Problem(
            403, "Show your password or passkey once more, then repeat this.", kind=STEP_UP
        )


def authorised(context: Context, session: Session, shopper_id: str, token: str) -> Shopper:
    """The shopper whose token this is.

    Raises:
        Problem: 404, whether she does not exist or the token is not hers.
    """
    found = identify(context, session, token)
    if found is not None and found.shopper is not None and found.shopper == shopper_id:
        shopper = session.get(Shopper, shopper_id)
        if shopper is not None:
            return shopper
    raise Problem(404, "There is no such shopper for this token.")


def _by_login(context: Context, session: Session, hashed: str) -> Principal | None:
    query = select(AccountSession, Account).join(
        Account, col(Account.id) == col(AccountSession.account_id)
    )
    found = session.execute(query.where(col(AccountSession.token_hash) == hashed)).first()
    if found is None:
        return None
    login, account = found
    now, idle_ms = context.now_ms(), context.settings.sessions.idle_ms
    if now >= min(login.expires_at, login.seen_at + idle_ms):
        return None
    if login.version != account.version or account.closed_at is not None:
        return None
    return Principal(
        role=Role(account.role),
        actor=f"account:{account.id}",
        shopper=account.shopper_id,
        account=account.id,
        session=hashed,
        proved_at=login.proved_at,
    )


def _by_own_token(session: Session, hashed: str) -> Principal | None:
    found = session.scalar(select(col(Shopper.id)).where(col(Shopper.token_hash) == hashed))
    if found is None:
        return None
    return Principal(role=Role.SHOPPER, actor=f"shopper:{found}", shopper=found)


def _by_device(session: Session, hashed: str) -> Principal | None:
    found = session.scalar(
        select(col(DeviceToken.shopper_id)).where(col(DeviceToken.token_hash) == hashed)
    )
    if found is None:
        return None
    return Principal(role=Role.SHOPPER, actor=f"shopper:{found}", shopper=found)


def _by_machine(session: Session, hashed: str, now: int) -> Principal | None:
    found = session.scalar(select(ApiToken).where(col(ApiToken.token_hash) == hashed))
    if found is None or found.revoked_at is not None:
        return None
    if found.expires_at is not None and found.expires_at <= now:
        return None
    store = found.name if found.role == Role.STORE else None
    return Principal(role=Role(found.role), actor=f"token:{found.id}", store=store)
