"""Tokens of machines: a store's till, an auditor's script, an operator's job.

They are made on the service's own machine, by command. Over HTTP they can be looked at and revoked
and never made, so no token and no login can get a token of a wider role than its own.
"""

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.orm import Session

from consent.participation import is_name
from consent.service.accounts.tables import ApiToken
from consent.service.audit import service as audit
from consent.service.context import Context
from consent.service.machines.repository import MachineRepository
from consent.service.machines.schemas import MachineToken, MachineTokens
from consent.service.principals import Principal, Role, proved, required
from consent.service.problems import Problem
from consent.service.tokens import token_hash
from crypto.errors import InvalidInputError

MACHINE_ROLES: Final = (Role.STORE, Role.AUDITOR, Role.OPERATOR)
MAX_DAYS: Final = 3653  # ten years
_PREFIX: Final = "fct_"  # tells it from other tokens, for readers and scanners
_DAY_MS: Final = 24 * 60 * 60 * 1000


@dataclass(frozen=True, kw_only=True)
class NewToken:
    """A token that was made. The text is nowhere else."""

    id: str
    token: str = field(repr=False)
    expires_at: int | None


def add(context: Context, role: str, name: str, *, days: int | None = None) -> NewToken:
    """Make a token; for the command line, where whoever calls owns the service.

    Raises:
        InvalidInputError: a role that machines don't have, no such name, or days out of bounds.
    """
    if role not in MACHINE_ROLES:
        raise InvalidInputError(f"Expected the role as one of {', '.join(MACHINE_ROLES)}.")
    if not is_name(name):
        raise InvalidInputError("A token's name has 1 to 128 letters, digits or . _ : - .")
    if days is not None and not 1 <= days <= MAX_DAYS:
        raise InvalidInputError(f"Expected days={days} within 1..{MAX_DAYS}.")
    text, now = f"{_PREFIX}{context.new_token()}", context.now_ms()
    row = ApiToken(
        id=context.new_id(),
        token_hash=token_hash(text),
        role=role,
        name=name,
        created_at=now,
        expires_at=None if days is None else now + days * _DAY_MS,
    )
    with context.database.writing() as session:
        MachineRepository(session).add(row)
        audit.record(context, session, None, "token.added", row.id, {"role": role, "name": name})
    return NewToken(id=row.id, token=text, expires_at=row.expires_at)


def every(context: Context) -> MachineTokens:
    """All tokens, for the command line."""
    with context.database.reading() as session:
        found = MachineRepository(session).all()
    return MachineTokens(tokens=[_shown(row) for row in found])


def revoke_here(context: Context, token_id: str) -> None:
    """Revoke a token from the command line; it is dead at once.

    Raises:
        InvalidInputError: there is no such token, or it is revoked.
    """
    with context.database.writing() as session:
        if not _revoke(context, session, None, token_id):
            raise InvalidInputError("There is no token of this id that could be revoked.")


def read(context: Context, token: str) -> MachineTokens:
    """All tokens, for operators and auditors.

    Raises:
        Problem: 401, nobody's token; 404, another role's.
    """
    with context.database.reading() as session:
        required(context, session, token, Role.OPERATOR, Role.AUDITOR)
    return every(context)


def revoke(context: Context, token: str, token_id: str) -> None:
    """Revoke a token, as an operator who has just shown who she is; it is dead at once.

    Raises:
        Problem: 401, nobody's token; 403, step-up; 404, another role's, or no such token that could
            be revoked.
    """
    with context.database.writing() as session:
        principal = required(context, session, token, Role.OPERATOR)
        proved(context, principal)
        if not _revoke(context, session, principal, token_id):
            raise Problem(404, "There is no such token that could be revoked.")


def _revoke(context: Context, session: Session, principal: Principal | None, token_id: str) -> bool:
    machines = MachineRepository(session)
    found = machines.find(token_id)
    if found is None or found.revoked_at is not None:
        return False
    found.revoked_at = context.now_ms()
    machines.save(found)
    audit.record(context, session, principal, "token.revoked", token_id)
    return True


def _shown(row: ApiToken) -> MachineToken:
    return MachineToken(
        id=row.id,
        role=Role(row.role),
        name=row.name,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
