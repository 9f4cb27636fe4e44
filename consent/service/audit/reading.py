"""Reading the audit trail, and checking its chain."""

import json
from dataclasses import dataclass
from typing import Final

from consent.service.audit.repository import AuditRepository, Wanted
from consent.service.audit.schemas import AuditEntrySchema, AuditTrail
from consent.service.audit.service import NOBODY, PURGED, entry_hash, record
from consent.service.audit.tables import AuditEntry
from consent.service.context import Context
from consent.service.principals import Role, required

PAGE: Final = 100
NEWEST: Final = 2**53


@dataclass(frozen=True, kw_only=True)
class ChainCheck:
    """What checking the chain found.

    Attributes:
        entries: how many there are.
        head: the hash of the newest one, to keep elsewhere; NOBODY's where there are none.
        fault: the number of the first entry that does not fit, if any.
        expected_found: whether the hash that was asked for is the hash of an entry.
    """

    entries: int
    head: str
    fault: int | None
    expected_found: bool

    @property
    def holds(self) -> bool:
        """Whether nothing was found to be wrong."""
        return self.fault is None and self.expected_found


def read(
    context: Context, token: str, wanted: Wanted, cursor: int | None, limit: int = PAGE
) -> AuditTrail:
    """A page of the trail. That it was read is recorded before it is given out.

    The page is looked for without the write lock, which is taken only to append the record.

    Raises:
        Problem: 401 or 404, neither an operator nor an auditor.
    """
    before = NEWEST if cursor is None else cursor
    with context.database.reading() as session:
        required(context, session, token, Role.OPERATOR, Role.AUDITOR)
        found = AuditRepository(session).page(wanted, before=before, limit=limit)
    with context.database.writing() as session:
        reader = required(context, session, token, Role.OPERATOR, Role.AUDITOR)
        record(context, session, reader, "audit.read", details={"entries": len(found)})
    return AuditTrail(
        entries=[_entry(row) for row in found],
        next=found[-1].id if len(found) == limit else None,
    )


def verify(context: Context, expected: str | None = None) -> ChainCheck:
    """Check every entry's hash and that each follows the one before it.

    The first entry may have others before it that the retention job removed, if a later entry says
    so and names the last removed hash.

    Args:
        context: the service.
        expected: a hash that was kept elsewhere and must still be in the chain.
    """
    before: AuditEntry | None = None
    first: AuditEntry | None = None
    purged: set[tuple[int, str]] = set()
    fault, found, entries = None, expected is None, 0
    with context.database.reading() as session:
        for entry in AuditRepository(session).all():
            first, entries = first or entry, entries + 1
            fits = entry.hash == entry_hash(entry) and (before is None or _follows(before, entry))
            fault = fault if fits or fault is not None else entry.id
            found = found or entry.hash == expected
            if entry.action == PURGED:
                stated = json.loads(entry.details)
                purged.add((stated["through"], stated["hash"]))
                found = found or expected == stated["hash"]
            before = entry
    if first is not None and fault is None and not _begins(first, purged):
        fault = first.id
    return ChainCheck(
        entries=entries,
        head=NOBODY if before is None else before.hash,
        fault=fault,
        expected_found=found,
    )


def _follows(before: AuditEntry, entry: AuditEntry) -> bool:
    return entry.id == before.id + 1 and entry.previous == before.hash


def _begins(first: AuditEntry, purged: set[tuple[int, str]]) -> bool:
    if first.id == 1:
        return first.previous == NOBODY
    return (first.id - 1, first.previous) in purged


def _entry(row: AuditEntry) -> AuditEntrySchema:
    return AuditEntrySchema(
        number=row.id,
        time=row.time,
        actor=row.actor,
        role=row.role,
        action=row.action,
        target=row.target,
        details=json.loads(row.details),
        previous=row.previous,
        hash=row.hash,
    )
