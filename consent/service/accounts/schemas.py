"""Requests and answers about accounts and logins."""

from typing import Annotated

from pydantic import Field, StringConstraints

from consent.credentials import MAX_NAME, MAX_PASSWORD, MIN_PASSWORD
from consent.notice import Language
from consent.service.accounts.service import MAX_LABEL
from consent.service.principals import Role
from consent.service.schemas import Schema
from consent.service.shoppers.schemas import Registration

TypedName = Annotated[str, Field(min_length=1, max_length=4 * MAX_NAME)]
TypedPassword = Annotated[str, Field(min_length=1, max_length=MAX_PASSWORD, repr=False)]
NewPassword = Annotated[str, Field(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD, repr=False)]
TypedCode = Annotated[str, Field(min_length=1, max_length=64, repr=False)]
Label = Annotated[
    str, StringConstraints(max_length=MAX_LABEL, pattern=r"^[^\x00-\x1f\x7f]*$"), Field(default="")
]


class NewAccount(Schema):
    """What somebody chooses to log in with, and the language that she reads."""

    name: TypedName
    password: NewPassword
    language: Language | None = None
    label: Label = ""


class AccountRegistration(NewAccount):
    """A new shopper with an account; ``shopper`` is what a registration without one sends."""

    shopper: Registration


class Credentials(Schema):
    """A name and its password; ``label`` is how she will tell this login from others."""

    name: TypedName
    password: TypedPassword
    label: Label = ""


class OpenedSession(Schema):
    """A login. The token is shown once; it ends at ``expires_at``, or earlier if it is not used."""

    token: str
    role: Role
    shopper: str | None
    expires_at: int


class RegisteredAccount(Schema):
    """A new account and her first login. The recovery codes are shown once."""

    account: str
    shopper: str
    recovery_codes: list[str]
    session: OpenedSession


class AttachedAccount(Schema):
    """The account of a shopper who had none. The recovery codes are shown once."""

    account: str
    recovery_codes: list[str]


class RecoveryCodes(Schema):
    """New recovery codes; all earlier ones are useless. They are shown once."""

    recovery_codes: list[str]


class Recovery(Schema):
    """A recovery or setup code in exchange for a new password."""

    name: TypedName
    code: TypedCode
    new_password: NewPassword


class PasswordProof(Schema):
    """The password once more, before a step that can't be undone."""

    password: TypedPassword


class PasswordChange(Schema):
    """A new password, and the old one unless a proof was given just before."""

    new_password: NewPassword
    old_password: Annotated[str | None, Field(max_length=MAX_PASSWORD, repr=False)] = None


class LanguageChoice(Schema):
    """The language of the panel and of messages."""

    language: Language


class AccountState(Schema):
    """One's own account. Times are Unix milliseconds."""

    account: str
    name: str | None
    role: Role
    shopper: str | None
    language: Language | None
    has_password: bool
    recovery_codes_left: int
    created_at: int


class SessionState(Schema):
    """One of one's own logins; ``current`` is the one that asks."""

    id: str
    label: str
    created_at: int
    seen_at: int
    proved_at: int
    expires_at: int
    current: bool


class Sessions(Schema):
    """One's own logins, newest first."""

    sessions: list[SessionState]
