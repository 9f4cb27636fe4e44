"""Codes that set a password once: ten for recovery, shown when they are made, and one for setup.

A code has 80 random bits, so a plain hash is enough to store it.
"""

import base64
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from sqlalchemy.orm import Session

from consent.service.accounts.repository import AccountRepository
from consent.service.accounts.tables import Account, AccountCode
from consent.service.context import Context
from consent.service.tokens import token_hash

RECOVERY_CODES: Final = 10
SETUP_LASTS_MS: Final = 24 * 60 * 60 * 1000
_BYTES: Final = 10
_GROUP: Final = 4


class CodeKind(StrEnum):
    """What a code is for."""

    RECOVERY = "recovery"
    SETUP = "setup"


def new_recovery_codes(context: Context, session: Session, account: Account) -> list[str]:
    """Ten new codes in the place of all earlier ones; shown now and never again."""
    return _replace(context, session, account, CodeKind.RECOVERY, RECOVERY_CODES, lasts_ms=None)


def new_setup_code(context: Context, session: Session, account: Account) -> str:
    """The code with which an operator or auditor sets her first password, within a day."""
    (code,) = _replace(context, session, account, CodeKind.SETUP, 1, lasts_ms=SETUP_LASTS_MS)
    return code


def use(context: Context, session: Session, account: Account, typed: str) -> bool:
    """Use up a code of an account; whether it was good.

    Guarantee: of two uses at once, one is good: both delete the same row under the write lock.
    """
    accounts = AccountRepository(session)
    return accounts.use_code(account.id, _hash(typed), now=context.now_ms())


def drop_setup_codes(session: Session, account: Account) -> None:
    """Make setup codes that are still open useless."""
    AccountRepository(session).replace_codes(account.id, CodeKind.SETUP, [])


def drop_recovery_codes(session: Session, account: Account) -> None:
    """Make all recovery codes useless."""
    AccountRepository(session).replace_codes(account.id, CodeKind.RECOVERY, [])


def _replace(
    context: Context,
    session: Session,
    account: Account,
    kind: CodeKind,
    count: int,
    *,
    lasts_ms: int | None,
) -> list[str]:
    texts: Sequence[str] = [
        base64.b32encode(context.settings.entropy(_BYTES)).decode() for _ in range(count)
    ]
    now = context.now_ms()
    rows = [
        AccountCode(
            code_hash=_hash(text),
            account_id=account.id,
            kind=kind,
            created_at=now,
            expires_at=None if lasts_ms is None else now + lasts_ms,
        )
        for text in texts
    ]
    AccountRepository(session).replace_codes(account.id, kind, rows)
    return [_shown(text) for text in texts]


def _hash(typed: str) -> str:
    """The hash of a code as somebody typed it: spaces, dashes and case don't matter."""
    return token_hash("".join(typed.replace("-", "").split()).upper())


def _shown(text: str) -> str:
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))
