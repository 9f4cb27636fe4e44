"""The audit trail: who did what to the service, chained so that a change of it shows.

Entries name ids and numbers, never a shopper's name or what she bought. The chain proves that
nothing between two entries was altered; that the newest ones were not cut off shows only to
somebody who kept an earlier ``hash`` elsewhere, which ``fedcart consent audit verify`` compares.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy.orm import Session

from consent.service.audit.repository import AuditRepository
from consent.service.audit.tables import AuditEntry, AuditMark
from consent.service.context import Context
from consent.service.principals import Principal
from crypto.wire import canonical, digest

NOBODY: Final = "0" * 64  # what the first entry is chained to
SERVICE: Final = "service"
PURGED: Final = "audit.purged"  # says through which entry, and with which hash
MAX_DETAILS: Final = 4096


def record(
    context: Context,
    session: Session,
    principal: Principal | None,
    action: str,
    target: str = "",
    details: Mapping[str, object] | None = None,
) -> None:
    """Append one entry in the caller's transaction, which must be a writing one.

    Guarantee: it is there if and only if what it tells of is.

    Args:
        context: the service.
        session: the caller's writing transaction.
        principal: who did it; None for the service itself, in a job or a command.
        action: what was done, such as ``webhook.created``.
        target: the id of what it was done to.
        details: numbers, ids and words of the service; no personal data.

    Raises:
        ValueError: the details are longer than MAX_DETAILS characters.
    """
    text = canonical(dict(details or {})).decode()
    if len(text) > MAX_DETAILS:
        raise ValueError(f"Audit details have {len(text)} characters; state at most {MAX_DETAILS}.")
    trail = AuditRepository(session)
    before = trail.last()
    entry = AuditEntry(
        id=1 if before is None else before.id + 1,
        time=context.now_ms(),
        actor=SERVICE if principal is None else principal.actor,
        role=SERVICE if principal is None else str(principal.role),
        action=action,
        target=target,
        details=text,
        previous=NOBODY if before is None else before.hash,
        hash="",
    )
    entry.hash = entry_hash(entry)
    trail.add(entry)


def purge(context: Context, session: Session, before: int, limit: int) -> int:
    """Remove the oldest entries from before a time, for retention; returns how many.

    A new entry says through which one and names its hash, so what is left still proves itself.
    """
    trail = AuditRepository(session)
    found = trail.over(before=before, limit=limit)
    if not found:
        return 0
    last = found[-1]
    record(context, session, None, PURGED, details={"through": last.id, "hash": last.hash})
    trail.remove(AuditMark(through=last.id, hash=last.hash, time=context.now_ms()))
    return len(found)


def entry_hash(entry: AuditEntry) -> str:
    """What the hash of an entry must be."""
    body = {
        "id": entry.id,
        "time": entry.time,
        "actor": entry.actor,
        "role": entry.role,
        "action": entry.action,
        "target": entry.target,
        "details": entry.details,
        "previous": entry.previous,
    }
    return digest("audit-entry", canonical(body)).hex()
