"""The tables of accounts: who can log in, her open sessions and codes, and machines' tokens."""

from sqlalchemy import Index
from sqlmodel import Field

from consent.service.tables import BIG, Base


class Account(Base, table=True):
    """Somebody who logs in: a shopper, an operator or an auditor.

    ``version`` counts the changes of her credentials: a session of an earlier version is dead, so
    a password change ends every session that was open. ``name`` is what she logs in with, folded
    to lower case; it needs to be no address and no real name.
    """

    __tablename__ = "account"

    id: str = Field(primary_key=True)
    role: str
    shopper_id: str | None = Field(default=None, foreign_key="shopper.id", unique=True)
    name: str | None = Field(default=None, unique=True)
    password_hash: str | None = None
    version: int = Field(default=0)
    language: str = ""
    created_at: int = Field(sa_type=BIG)
    closed_at: int | None = Field(default=None, sa_type=BIG)


class AccountSession(Base, table=True):
    """One open login.

    ``id`` names it to its owner; ``proved_at`` is when she last showed a password or passkey in
    it, ``seen_at`` when it was last used, to the minute. ``credential`` is the passkey or the
    retailer's login that opened it (``passkey:ID``, ``identity:ID``); it dies with that.
    """

    __tablename__ = "account_session"

    token_hash: str = Field(primary_key=True)
    id: str = Field(unique=True)
    account_id: str = Field(foreign_key="account.id", index=True)
    version: int
    label: str = ""
    credential: str = ""
    created_at: int = Field(sa_type=BIG)
    proved_at: int = Field(sa_type=BIG)
    seen_at: int = Field(sa_type=BIG)
    expires_at: int = Field(sa_type=BIG, index=True)


class AccountCode(Base, table=True):
    """A code that sets a password once: for recovery, or for the first time. It is then deleted.

    Recovery codes have no end; a setup code has.
    """

    __tablename__ = "account_code"
    __table_args__ = (Index("account_code_account", "account_id", "kind"),)

    code_hash: str = Field(primary_key=True)
    account_id: str = Field(foreign_key="account.id")
    kind: str
    created_at: int = Field(sa_type=BIG)
    expires_at: int | None = Field(default=None, sa_type=BIG)


class ApiToken(Base, table=True):
    """A machine's bearer token: a store's till, an auditor's script, an operator's job.

    ``name`` says whose it is: all tokens of role store with one name are that store's, so one can
    be replaced while its tills go on.
    """

    __tablename__ = "api_token"

    id: str = Field(primary_key=True)
    token_hash: str = Field(unique=True)
    role: str
    name: str
    created_at: int = Field(sa_type=BIG)
    expires_at: int | None = Field(default=None, sa_type=BIG)
    revoked_at: int | None = Field(default=None, sa_type=BIG)
