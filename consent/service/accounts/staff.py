"""Operators' and auditors' accounts: made and closed on the service's own machine, by command.

There is no way to them over HTTP, so no login and no token can make one of a wider role.
"""

from dataclasses import dataclass
from typing import Final

from consent.credentials import account_name
from consent.service.accounts import codes
from consent.service.accounts.repository import AccountRepository
from consent.service.accounts.service import create_account, credentials_changed
from consent.service.accounts.tables import Account
from consent.service.audit import service as audit
from consent.service.context import Context
from consent.service.passkeys.repository import PasskeyRepository
from consent.service.principals import Role
from crypto.errors import InvalidInputError

STAFF: Final = (Role.OPERATOR, Role.AUDITOR)


@dataclass(frozen=True, kw_only=True)
class NewStaff:
    """An account that was made, and the code that sets its password within a day."""

    account: str
    setup_code: str


def add(context: Context, role: str, name: str) -> NewStaff:
    """Make an operator's or auditor's account, or a new setup code for one that is there.

    A new code for an account that is there ends its logins and every way into it: it is what an
    operator gets who lost her password, or a device with her passkey.

    Raises:
        InvalidInputError: not such a role or name, or the name is another's.
    """
    if role not in list(STAFF):
        raise InvalidInputError(f"Expected the role as one of {', '.join(STAFF)}.")
    folded = account_name(name)
    with context.database.writing() as session:
        account = AccountRepository(session).by_name(folded)
        if account is None:
            account = create_account(
                context, session, role=Role(role), shopper_id=None, name=folded
            )
            audit.record(context, session, None, "account.added", account.id, {"role": role})
        elif account.role != role or account.closed_at is not None:
            raise InvalidInputError("This name is taken; choose another.")
        else:
            account.password_hash = None
            codes.drop_recovery_codes(session, account)
            PasskeyRepository(session).delete_all(account.id)
            credentials_changed(context, session, account)
            audit.record(context, session, None, "account.reset", account.id)
        return NewStaff(
            account=account.id, setup_code=codes.new_setup_code(context, session, account)
        )


def accounts(context: Context) -> list[Account]:
    """All operators' and auditors' accounts, oldest first."""
    with context.database.reading() as session:
        return AccountRepository(session).of_roles(STAFF)


def close(context: Context, name: str) -> str:
    """Close an operator's or auditor's account for ever; returns its id. Its name stays taken.

    Raises:
        InvalidInputError: there is no such account.
    """
    with context.database.writing() as session:
        account = AccountRepository(session).by_name(account_name(name))
        if account is None or account.role not in STAFF or account.closed_at is not None:
            raise InvalidInputError(
                "There is no open operator's or auditor's account of this name."
            )
        account.closed_at, account.password_hash = context.now_ms(), None
        codes.drop_setup_codes(session, account)
        codes.drop_recovery_codes(session, account)
        credentials_changed(context, session, account)
        audit.record(context, session, None, "account.closed", account.id)
        return account.id
