"""Which class of records is removed by what.

A slice with records of its own states a function ``(context, session, before, limit) -> int``: in
the caller's writing transaction it removes at most ``limit`` records whose period began before
``before``, and returns how many. Called again it goes on; what was removed is not found again.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from sqlalchemy.orm import Session

from consent.retention import RecordClass
from consent.service.accounts.tables import AccountCode, AccountSession
from consent.service.audit import service as audit
from consent.service.context import Context
from consent.service.erasure import listed
from consent.service.erasure import service as erasure
from consent.service.guardians.tables import GuardianCode
from consent.service.hits.tables import Hit
from consent.service.idempotency.tables import KeyedRequest
from consent.service.instructions import service as instructions
from consent.service.oidc.tables import OidcAttempt
from consent.service.pairing.tables import PairingCode
from consent.service.passkeys.tables import WebauthnChallenge
from consent.service.points.codes import give_back_expired
from consent.service.retention.repository import OldRows
from consent.service.retention.tables import RetentionRun
from consent.service.rights import progress
from consent.service.tables import Base
from consent.service.webhooks.repository import OutboxRepository


class Purge(Protocol):
    """Removes some records of one class."""

    def __call__(self, context: Context, session: Session, before: int, limit: int, /) -> int:
        """Remove at most ``limit`` records; returns how many."""


def _rows(*tables: tuple[type[Base], str]) -> Purge:
    """Remove the rows of some tables whose named column is before the time."""

    def purge(_context: Context, session: Session, before: int, limit: int, /) -> int:
        old, done = OldRows(session), 0
        for table, column in tables:
            if done < limit:
                done += old.remove(table, column, before=before, limit=limit - done)
        return done

    return purge


def _grants(_context: Context, session: Session, before: int, limit: int, /) -> int:
    old = OldRows(session)
    return old.remove_grants(old.old_grants(before=before, limit=limit), before=before)


def _refusals(_context: Context, session: Session, before: int, limit: int, /) -> int:
    return OldRows(session).refusals(before=before, limit=limit)


def _webhooks(_context: Context, session: Session, before: int, limit: int, /) -> int:
    return OutboxRepository(session).purge(before=before, limit=limit)


def _requests(_context: Context, session: Session, before: int, limit: int, /) -> int:
    return OldRows(session).requests(before=before, limit=limit)


def _instructions(context: Context, session: Session, before: int, limit: int, /) -> int:  # noqa: ARG001
    done = instructions.expire(context, session)
    progress.close_finished(context, session, limit)
    return done


PURGES: Final[Mapping[RecordClass, Purge]] = {
    RecordClass.ERASED_CONSENT: erasure.purge,
    RecordClass.ERASED_LIST: listed.purge,
    RecordClass.SESSIONS: _rows((AccountSession, "expires_at")),
    RecordClass.CODES_TO_CONNECT: _rows(
        (PairingCode, "expires_at"), (GuardianCode, "expires_at"), (AccountCode, "expires_at")
    ),
    RecordClass.CHALLENGES: _rows((WebauthnChallenge, "expires_at"), (OidcAttempt, "expires_at")),
    RecordClass.IDEMPOTENCY: _rows((KeyedRequest, "expires_at")),
    RecordClass.RATE_LIMITS: _rows((Hit, "expires_at")),
    RecordClass.GRANTS: _grants,
    RecordClass.REFUSALS: _refusals,
    RecordClass.CODES: give_back_expired,
    RecordClass.WEBHOOKS: _webhooks,
    RecordClass.REQUESTS: _requests,
    RecordClass.INSTRUCTIONS: _instructions,
    RecordClass.AUDIT: audit.purge,
    RecordClass.RUNS: _rows((RetentionRun, "ended_at")),
}
