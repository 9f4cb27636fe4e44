"""Accounts and open logins: what every way to log in builds on, in the caller's transaction.

Passwords, passkeys and a retailer's login all end here: ``open_session`` makes the token, ``prove``
marks that she showed who she is, ``credentials_changed`` ends what was open before.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy.orm import Session

from consent.credentials import account_name
from consent.service.accounts.repository import AccountRepository
from consent.service.accounts.tables import Account, AccountSession
from consent.service.context import Context
from consent.service.pairing.repository import PairingRepository
from consent.service.principals import Principal, Role, identify
from consent.service.problems import Problem
from consent.service.tokens import token_hash

SESSION_PREFIX: Final = "fcs_"  # tells a login's token from others, for readers and scanners
LOGIN_ROLES: Final = (Role.SHOPPER, Role.OPERATOR, Role.AUDITOR)
MAX_LABEL: Final = 64


def create_account(
    context: Context,
    session: Session,
    *,
    role: Role,
    shopper_id: str | None,
    name: str | None,
    password_hash: str | None = None,
    language: str = "",
) -> Account:
    """Add an account in a writing transaction.

    ``password_hash`` comes from ``context.passwords.hash``, called before the transaction, which
    must not wait for it. Without one she logs in some other way.

    Raises:
        InvalidInputError: the name can't be one.
        ValueError: no such account can be: a role that does not log in, or a shopper's without a
            shopper.
        Problem: 409, the name is taken, or the shopper has an account.
    """
    if role not in LOGIN_ROLES or (role is Role.SHOPPER) != (shopper_id is not None):
        raise ValueError(f"An account of role {role} can't be made so.")
    accounts = AccountRepository(session)
    folded = None if name is None else account_name(name)
    if folded is not None and accounts.by_name(folded) is not None:
        raise Problem(409, "This name is taken; choose another.")
    if shopper_id is not None and accounts.of_shopper(shopper_id) is not None:
        raise Problem(409, "There is an account for this shopper; log in to it.")
    account = Account(
        id=context.new_id(),
        role=role,
        shopper_id=shopper_id,
        name=folded,
        password_hash=password_hash,
        language=language,
        created_at=context.now_ms(),
    )
    accounts.add(account)
    return account


def open_session(
    context: Context, session: Session, account: Account, *, label: str, credential: str = ""
) -> str:
    """Open a login for somebody who has just shown who she is; returns its token.

    The caller has checked that; the transaction is a writing one. ``label`` is how she tells her
    logins apart, such as the browser's name; it is cut to MAX_LABEL. ``credential`` names the
    passkey or identity that opened it, for ``end_sessions_of``.

    Raises:
        Problem: 401, the account is closed.
    """
    if account.closed_at is not None:
        raise Problem(401, "This account is closed.")
    token, now = f"{SESSION_PREFIX}{context.new_token()}", context.now_ms()
    accounts = AccountRepository(session)
    accounts.end_expired(account.id, now=now)
    accounts.add_session(
        AccountSession(
            token_hash=token_hash(token),
            id=context.new_id(),
            account_id=account.id,
            version=account.version,
            label=_printable(label),
            credential=credential,
            created_at=now,
            proved_at=now,
            seen_at=now,
            expires_at=now + context.settings.sessions.absolute_ms,
        )
    )
    return token


def prove(context: Context, session: Session, principal: Principal) -> None:
    """Mark that a caller has just shown a password, a passkey or her provider's login again.

    Raises:
        Problem: 404, what she calls with is no login.
    """
    if principal.session is None:
        raise Problem(404, "There is no login for this token.")
    AccountRepository(session).prove(principal.session, now=context.now_ms())


def credentials_changed(
    context: Context,  # noqa: ARG001 - the form of every function here
    session: Session,
    account: Account,
    keep: str | None = None,
) -> None:
    """End every login of an account whose credentials changed.

    Guarantee: none that was open before is good afterwards, but the one of the token hash ``keep``
    if it is this account's; also one that is being opened at this moment with the old credentials.
    """
    accounts = AccountRepository(session)
    account.version += 1
    accounts.save(account)
    accounts.end_sessions(account.id, keep=keep)
    kept = None if keep is None else accounts.login(keep)
    if kept is not None and kept.account_id == account.id:
        accounts.keep(kept.token_hash, version=account.version)


def signed_in(
    context: Context, session: Session, token: str, *, roles: Iterable[Role] = LOGIN_ROLES
) -> tuple[Principal, Account]:
    """The caller and her account, if she is logged in.

    Raises:
        Problem: 401, nobody's token; 404, a device's or a machine's.
    """
    found = identify(context, session, token)
    if found is None:
        raise Problem(401, "This token is not known, has expired or was revoked; log in again.")
    account = AccountRepository(session).find(found.account) if found.account else None
    if account is None or found.role not in roles:
        raise Problem(404, "There is no account for this token.")
    return found, account


def touch(context: Context, token: str) -> None:
    """Count a use of a login against its idle time, in transactions of its own; to the minute.

    Does nothing for a token that is no login's, or is dead.
    """
    if not token.startswith(SESSION_PREFIX):
        return
    hashed, now = token_hash(token), context.now_ms()
    with context.database.reading() as session:
        principal = identify(context, session, token)
        login = AccountRepository(session).login(hashed) if principal else None
    if login is not None and now - login.seen_at >= _NOTICED_MS:
        with context.database.writing() as session:
            AccountRepository(session).touch(hashed, now=now)


def erase(
    context: Context,  # noqa: ARG001 - the form of every slice's hook
    session: Session,
    shopper_id: str,
) -> None:
    """Delete a shopper's account with all that hangs on it, in the caller's writing transaction.

    Guarantee: no row of any table refers to the account afterwards, and every token of it and of
    her paired devices is dead. The token of her registration and her clients are left.
    """
    PairingRepository(session).erase(shopper_id)
    accounts = AccountRepository(session)
    account = accounts.of_shopper(shopper_id)
    if account is not None:
        accounts.erase(account.id)


def _printable(label: str) -> str:
    return "".join(c if c.isprintable() else " " for c in label)[:MAX_LABEL].strip()


_NOTICED_MS: Final = 60 * 1000
