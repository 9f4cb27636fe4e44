"""New accounts: a shopper registers, or gets an account for what her device registered.

Names are chosen by their owners and need be nobody's address, so being told that one is taken says
little about anybody: no more than that somebody chose that word. That is what a 409 here gives
away; the quota on registrations keeps it from being asked in bulk. A name of which that would say
too much is not one to choose.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from consent.credentials import account_name, new_password
from consent.service import rates
from consent.service.accounts import codes
from consent.service.accounts.login import opened
from consent.service.accounts.schemas import (
    AccountRegistration,
    AttachedAccount,
    NewAccount,
    RegisteredAccount,
)
from consent.service.accounts.service import create_account, open_session
from consent.service.accounts.tables import Account
from consent.service.context import Context
from consent.service.principals import Role, authorised, identify
from consent.service.problems import Problem
from consent.service.shoppers import service as shoppers


def register(
    context: Context, request: AccountRegistration, *, peer: str, signal: bool = False
) -> RegisteredAccount:
    """Create a shopper with her first decisions, her account, recovery codes and first login.

    ``signal`` is whether the request carries Global Privacy Control.

    Guarantee: all of it or nothing.

    Raises:
        InvalidInputError: the name or password can't be one, or what ``shoppers.add`` refuses.
        Problem: 409, the name is taken; 429, too many from this peer; and what ``shoppers.add``
            refuses.
    """
    rates.check(context, "register", peer)
    chosen = _chosen(context, request)
    with context.database.writing() as session:
        shopper = shoppers.add(context, session, request.shopper, signal=signal)
        account, recovery = _add(context, session, chosen, shopper.shopper)
        token = open_session(context, session, account, label=request.label)
        return RegisteredAccount(
            account=account.id,
            shopper=shopper.shopper,
            recovery_codes=recovery,
            session=opened(context, account, token),
        )


def attach(
    context: Context, shopper_id: str, token: str, request: NewAccount, *, peer: str
) -> AttachedAccount:
    """Make an account for a shopper whom only her device knows, with the device's token.

    Raises:
        InvalidInputError: the name or password can't be one.
        Problem: 404, no such shopper, or not her token; 409, she has an account, or the name is
            taken; 429, too many from this peer.
    """
    rates.check(context, "register", peer)
    with context.database.reading() as session:
        authorised(context, session, shopper_id, token)  # before the work of hashing
    chosen = _chosen(context, request)
    with context.database.writing() as session:
        authorised(context, session, shopper_id, token)
        caller = identify(context, session, token)
        if caller is None or caller.account is not None:
            raise Problem(409, "There is an account for this shopper; log in to it.")
        account, recovery = _add(context, session, chosen, shopper_id)
        return AttachedAccount(account=account.id, recovery_codes=recovery)


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    name: str
    password_hash: str
    language: str


def _chosen(context: Context, request: NewAccount) -> _Chosen:
    """What she chose, with the password hashed: outside of any transaction."""
    name = account_name(request.name)
    password = new_password(request.password, name=name)
    return _Chosen(
        name=name,
        password_hash=context.passwords.hash(password),
        language=str(request.language or ""),
    )


def _add(
    context: Context, session: Session, chosen: _Chosen, shopper_id: str
) -> tuple[Account, list[str]]:
    account = create_account(
        context,
        session,
        role=Role.SHOPPER,
        shopper_id=shopper_id,
        name=chosen.name,
        password_hash=chosen.password_hash,
        language=chosen.language,
    )
    return account, codes.new_recovery_codes(context, session, account)
