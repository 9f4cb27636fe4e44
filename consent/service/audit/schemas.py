"""Answers about the audit trail. Times are Unix milliseconds."""

from typing import Any

from consent.service.schemas import Schema


class AuditEntrySchema(Schema):
    """One act. ``hash`` covers everything else, with the ``previous`` entry's hash."""

    number: int
    time: int
    actor: str
    role: str
    action: str
    target: str
    details: dict[str, Any]
    previous: str
    hash: str


class AuditTrail(Schema):
    """Entries, newest first; pass ``next`` as ``cursor`` for older ones."""

    entries: list[AuditEntrySchema]
    next: int | None = None
