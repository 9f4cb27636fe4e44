"""The tables of accounts: who can log in, her open sessions, and the tokens of machines."""

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
    """One open login. ``proved_at`` is when she last showed a password or passkey in it."""

    __tablename__ = "account_session"

    token_hash: str = Field(primary_key=True)
    account_id: str = Field(foreign_key="account.id", index=True)
    version: int
    label: str = ""
    created_at: int = Field(sa_type=BIG)
    proved_at: int = Field(sa_type=BIG)
    expires_at: int = Field(sa_type=BIG, index=True)


class ApiToken(Base, table=True):
    """A machine's bearer token: a store's till, an auditor's script, an operator's job."""

    __tablename__ = "api_token"

    id: str = Field(primary_key=True)
    token_hash: str = Field(unique=True)
    role: str
    name: str
    created_at: int = Field(sa_type=BIG)
    expires_at: int | None = Field(default=None, sa_type=BIG)
    revoked_at: int | None = Field(default=None, sa_type=BIG)
