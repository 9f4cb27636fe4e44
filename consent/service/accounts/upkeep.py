"""One's own account: its state, its password, its recovery codes, its language."""

from consent.credentials import account_name, new_password
from consent.notice import Language
from consent.service import rates
from consent.service.accounts import codes
from consent.service.accounts.codes import CodeKind
from consent.service.accounts.login import check_password
from consent.service.accounts.repository import AccountRepository
from consent.service.accounts.schemas import (
    AccountState,
    LanguageChoice,
    PasswordChange,
    Recovery,
    RecoveryCodes,
)
from consent.service.accounts.service import credentials_changed, signed_in
from consent.service.context import Context
from consent.service.principals import Role, proved
from consent.service.problems import Problem


def state(context: Context, token: str) -> AccountState:
    """One's own account.

    Raises:
        Problem: 401, nobody's token; 404, not a login.
    """
    with context.database.reading() as session:
        _, account = signed_in(context, session, token)
        left = AccountRepository(session).count_codes(account.id, CodeKind.RECOVERY)
    return AccountState(
        account=account.id,
        name=account.name,
        role=Role(account.role),
        shopper=account.shopper_id,
        language=Language(account.language) if account.language else None,
        has_password=account.password_hash is not None,
        recovery_codes_left=left,
        created_at=account.created_at,
    )


def change_password(context: Context, token: str, request: PasswordChange) -> None:
    """Set a new password and end every other login.

    Raises:
        InvalidInputError: the new password can't be one.
        Problem: 401, nobody's token; 403, not the old password, or none and no fresh proof; 404,
            not a login; 409, the account has no name, or changed in the meantime; 429, too many
            attempts.
    """
    with context.database.reading() as session:
        principal, account = signed_in(context, session, token)
    if request.old_password is None:
        proved(context, principal)
    else:
        check_password(context, account, request.old_password)
    if account.name is None:
        raise Problem(409, "This account has no name, so nobody can log in with a password.")
    hashed = context.passwords.hash(new_password(request.new_password, name=account.name))
    with context.database.writing() as session:
        principal, after = signed_in(context, session, token)
        if after.version != account.version:
            raise Problem(409, "The account changed in the meantime; look at it again.")
        after.password_hash = hashed
        codes.drop_setup_codes(session, after)
        credentials_changed(context, session, after, keep=principal.session)


def recover(context: Context, request: Recovery, *, peer: str) -> None:
    """Set a password with a recovery or setup code, which is used up, and end every login.

    The new password is hashed whether or not the code is good, so time does not tell.

    Raises:
        InvalidInputError: the name or password can't be one; the code is not used up.
        Problem: 401, whatever is wrong with name or code; 429, too many attempts of this name or
            peer.
    """
    name = account_name(request.name)
    rates.check(context, "login-peer", peer)
    rates.check(context, "recover", name)
    hashed = context.passwords.hash(new_password(request.new_password, name=name))
    with context.database.writing() as session:
        account = AccountRepository(session).by_name(name)
        if (
            account is None
            or account.closed_at is not None
            or not codes.use(context, session, account, request.code)
        ):
            raise Problem(401, "Name and code don't match, or the code was used or has expired.")
        account.password_hash = hashed
        codes.drop_setup_codes(session, account)
        credentials_changed(context, session, account)


def renew_recovery_codes(context: Context, token: str) -> RecoveryCodes:
    """New recovery codes in the place of the old ones.

    Raises:
        Problem: 401, nobody's token; 403, no fresh proof; 404, not a login.
    """
    with context.database.writing() as session:
        principal, account = signed_in(context, session, token)
        proved(context, principal)
        return RecoveryCodes(recovery_codes=codes.new_recovery_codes(context, session, account))


def choose_language(context: Context, token: str, request: LanguageChoice) -> None:
    """Remember the language that she reads.

    Raises:
        Problem: 401, nobody's token; 404, not a login.
    """
    with context.database.writing() as session:
        _, account = signed_in(context, session, token)
        account.language = request.language
        AccountRepository(session).save(account)
