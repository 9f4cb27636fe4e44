"""Every query about the audit trail."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.audit.tables import AuditEntry, AuditMark


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which entries: any of these may be left open. Times are Unix milliseconds."""

    action: str | None = None
    actor: str | None = None
    since: int | None = None
    until: int | None = None


class AuditRepository:
    """The trail as one transaction sees it and adds to it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def last(self) -> AuditEntry | None:
        """The newest entry."""
        query = select(AuditEntry).order_by(col(AuditEntry.id).desc()).limit(1)
        return self._session.scalar(query)

    def add(self, entry: AuditEntry) -> None:
        """Append an entry, at once."""
        self._session.add(entry)
        self._session.flush()

    def page(self, wanted: Wanted, *, before: int, limit: int) -> list[AuditEntry]:
        """Entries, newest first."""
        query = select(AuditEntry).where(col(AuditEntry.id) < before)
        if wanted.action is not None:
            query = query.where(col(AuditEntry.action) == wanted.action)
        if wanted.actor is not None:
            query = query.where(col(AuditEntry.actor) == wanted.actor)
        if wanted.since is not None:
            query = query.where(col(AuditEntry.time) >= wanted.since)
        if wanted.until is not None:
            query = query.where(col(AuditEntry.time) < wanted.until)
        return list(self._session.scalars(query.order_by(col(AuditEntry.id).desc()).limit(limit)))

    def over(self, *, before: int, limit: int) -> list[AuditEntry]:
        """The oldest entries from before a time, without a gap and never the newest one."""
        oldest = select(AuditEntry).order_by(col(AuditEntry.id)).limit(limit)
        newest = self.last()
        found: list[AuditEntry] = []
        for entry in self._session.scalars(oldest):
            if entry.time >= before or newest is None or entry.id == newest.id:
                break
            found.append(entry)
        return found

    def remove(self, mark: AuditMark) -> None:
        """Delete every entry up to a mark, which stays."""
        self._session.add(mark)
        self._session.flush()
        self._session.execute(delete(AuditEntry).where(col(AuditEntry.id) <= mark.through))

    def all(self) -> Iterator[AuditEntry]:
        """Every entry, oldest first, a few at a time."""
        query = select(AuditEntry).order_by(col(AuditEntry.id))
        yield from self._session.scalars(query.execution_options(yield_per=500))
