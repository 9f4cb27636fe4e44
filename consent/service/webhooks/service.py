"""Telling other systems what happened: an outbox that is written with the change itself.

An event carries opaque ids, kinds and times. It never carries a name, an address, a purchase or a
token: whoever receives it asks the service for the rest, with her own rights.
"""

from collections.abc import Mapping
from enum import StrEnum

from sqlalchemy.orm import Session

from consent.service.context import Context
from consent.service.webhooks.repository import OutboxRepository
from consent.service.webhooks.tables import WebhookDelivery, WebhookMessage
from crypto.wire import canonical


class Kind(StrEnum):
    """What can be told."""

    CONSENT_GIVEN = "consent.given"
    CONSENT_WITHDRAWN = "consent.withdrawn"
    REQUEST_CREATED = "request.created"
    REQUEST_COMPLETED = "request.completed"
    ERASURE_COMPLETED = "erasure.completed"


class Status(StrEnum):
    """How far a delivery is."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


def emit(context: Context, session: Session, kind: str, data: Mapping[str, object]) -> None:
    """Put an event in the outbox, in the caller's writing transaction; nothing if nobody listens.

    Guarantee: it is told if and only if the transaction is committed. ``data`` holds opaque ids
    only.

    Raises:
        ValueError: there is no such kind.
    """
    what = Kind(kind)
    outbox = OutboxRepository(session)
    ids = [endpoint for endpoint, kinds in outbox.listening() if what in kinds.split()]
    if not ids:
        return
    now = context.now_ms()
    body = {"type": what.value, "timestamp": now, "data": dict(data)}
    message = WebhookMessage(
        id=f"msg_{context.new_id()}", kind=what.value, body=canonical(body).decode(), created_at=now
    )
    outbox.add(
        message,
        [
            WebhookDelivery(
                message_id=message.id,
                endpoint_id=endpoint,
                created_at=now,
                due_at=now,
                status=Status.PENDING.value,
            )
            for endpoint in ids
        ],
    )
