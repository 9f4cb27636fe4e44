"""Logging in and out with a name and a password, and one's own open logins.

Whatever is wrong with a name and a password, the answer and the work are the same: an unknown name
is hashed against nobody's password. No transaction is open while a password is hashed.
"""

from typing import Final

from consent.credentials import account_name
from consent.service import rates
from consent.service.accounts.repository import AccountRepository
from consent.service.accounts.schemas import (
    Credentials,
    OpenedSession,
    PasswordProof,
    Sessions,
    SessionState,
)
from consent.service.accounts.service import open_session, prove, signed_in
from consent.service.accounts.tables import Account, AccountSession
from consent.service.context import Context
from consent.service.principals import Principal, Role
from consent.service.problems import Problem
from consent.service.tokens import token_hash
from crypto.errors import InvalidInputError

WRONG: Final = "Name and password don't match, or there is no such account."
NOT_THE_PASSWORD: Final = "This is not the password."  # noqa: S105 - a sentence


def log_in(context: Context, request: Credentials, *, peer: str) -> OpenedSession:
    """Open a login.

    Raises:
        Problem: 401, whatever is wrong with name or password; 429, too many attempts of this name
            or peer; 503, too many at once.
    """
    name = _typed_name(request.name)
    rates.check(context, "login-peer", peer)
    rates.check(context, "login", name or "")
    with context.database.reading() as session:
        account = AccountRepository(session).by_name(name) if name else None
    if account is not None and account.closed_at is not None:
        account = None
    verdict = context.passwords.verify(
        request.password, None if account is None else account.password_hash
    )
    if account is None or not verdict.right:
        raise Problem(401, WRONG)
    with context.database.writing() as session:
        accounts = AccountRepository(session)
        now = accounts.find(account.id)
        if now is None or now.version != account.version:  # changed while it was hashed
            raise Problem(401, WRONG)
        if verdict.renewed is not None:
            now.password_hash = verdict.renewed
            accounts.save(now)
        token = open_session(context, session, now, label=request.label)
        return opened(context, now, token)


def prove_password(context: Context, token: str, request: PasswordProof) -> None:
    """Show the password once more in an open login, for the steps that can't be undone.

    Raises:
        Problem: 401, nobody's token; 403, not the password; 404, not a login; 429, too many
            attempts of this account.
    """
    with context.database.reading() as session:
        principal, account = signed_in(context, session, token)
    check_password(context, account, request.password)
    with context.database.writing() as session:
        principal, after = signed_in(context, session, token)
        if after.version != account.version:
            raise Problem(403, NOT_THE_PASSWORD)
        prove(context, session, principal)


def check_password(context: Context, account: Account, password: str) -> None:
    """Compare a password with an account's, counting the attempt; outside of a transaction.

    Raises:
        Problem: 403, not the password; 429, too many attempts of this account.
    """
    rates.check(context, "step-up", account.id)
    if not context.passwords.verify(password, account.password_hash).right:
        raise Problem(403, NOT_THE_PASSWORD)


def own_sessions(context: Context, token: str) -> Sessions:
    """One's own open logins.

    Raises:
        Problem: 401, nobody's token; 404, not a login.
    """
    with context.database.reading() as session:
        principal, account = signed_in(context, session, token)
        logins = AccountRepository(session).logins(account)
    alive = [login for login in logins if _is_open(context, login)]
    return Sessions(sessions=[_state(login, principal) for login in alive])


def end_session(context: Context, token: str, session_id: str) -> None:
    """End one of one's own logins.

    Raises:
        Problem: 401, nobody's token; 404, not a login, or no such login of one's own.
    """
    with context.database.writing() as session:
        _, account = signed_in(context, session, token)
        if not AccountRepository(session).end_session(account.id, session_id):
            raise Problem(404, "There is no such login of yours.")


def end_all(context: Context, token: str, *, keep_current: bool) -> None:
    """End all of one's own logins, or all others.

    Raises:
        Problem: 401, nobody's token; 404, not a login.
    """
    with context.database.writing() as session:
        principal, account = signed_in(context, session, token)
        keep = principal.session if keep_current else None
        AccountRepository(session).end_sessions(account.id, keep=keep)


def log_out(context: Context, token: str) -> None:
    """End the login that a token belongs to.

    Raises:
        Problem: 401, nobody's token; 404, not a login.
    """
    with context.database.writing() as session:
        _, account = signed_in(context, session, token)
        login = AccountRepository(session).login(token_hash(token))
        if login is not None:
            AccountRepository(session).end_session(account.id, login.id)


def opened(context: Context, account: Account, token: str) -> OpenedSession:
    """A login that was opened just now."""
    return OpenedSession(
        token=token,
        role=Role(account.role),
        shopper=account.shopper_id,
        expires_at=context.now_ms() + context.settings.sessions.absolute_ms,
    )


def _typed_name(text: str) -> str | None:
    """The name of an account that there may be; a text that can't be one is nobody's name."""
    try:
        return account_name(text)
    except InvalidInputError:
        return None


def _is_open(context: Context, login: AccountSession) -> bool:
    idle_ms = context.settings.sessions.idle_ms
    return context.now_ms() < min(login.expires_at, login.seen_at + idle_ms)


def _state(login: AccountSession, principal: Principal) -> SessionState:
    return SessionState(
        id=login.id,
        label=login.label,
        created_at=login.created_at,
        seen_at=login.seen_at,
        proved_at=login.proved_at,
        expires_at=login.expires_at,
        current=login.token_hash == principal.session,
    )
