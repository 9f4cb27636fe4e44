"""Every query about webhooks."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.webhooks.tables import WebhookDelivery, WebhookEndpoint, WebhookMessage


class Attempt(NamedTuple):
    """A delivery that is due, with its message and its endpoint."""

    delivery: WebhookDelivery
    message: WebhookMessage
    endpoint: WebhookEndpoint


class OutboxRepository:
    """The outbox as one transaction adds to it and takes from it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def listening(self) -> Sequence[tuple[str, str]]:
        """(id, kinds) of every endpoint that is not disabled."""
        query = select(col(WebhookEndpoint.id), col(WebhookEndpoint.kinds)).where(
            col(WebhookEndpoint.disabled_at).is_(None)
        )
        return [(row[0], row[1]) for row in self._session.execute(query)]

    def add(self, message: WebhookMessage, deliveries: Sequence[WebhookDelivery]) -> None:
        """Store a message and where it goes."""
        self._session.add(message)
        self._session.flush()
        self._session.add_all(deliveries)
        self._session.flush()

    def due(self, now: int, *, limit: int) -> list[Attempt]:
        """Deliveries that may be tried now: due, held by nobody, to endpoints that don't rest."""
        query = (
            select(WebhookDelivery, WebhookMessage, WebhookEndpoint)
            .join(WebhookMessage, col(WebhookMessage.id) == col(WebhookDelivery.message_id))
            .join(WebhookEndpoint, col(WebhookEndpoint.id) == col(WebhookDelivery.endpoint_id))
            .where(
                col(WebhookDelivery.due_at) <= now,
                col(WebhookDelivery.leased_until) <= now,
                col(WebhookEndpoint.disabled_at).is_(None),
                col(WebhookEndpoint.rests_until) <= now,
            )
            .order_by(col(WebhookDelivery.due_at), col(WebhookDelivery.id))
            .limit(limit)
        )
        return [Attempt(*row) for row in self._session.execute(query)]

    def attempt(self, number: int | None) -> Attempt | None:
        """One delivery with its message and endpoint, if it is still there."""
        query = (
            select(WebhookDelivery, WebhookMessage, WebhookEndpoint)
            .join(WebhookMessage, col(WebhookMessage.id) == col(WebhookDelivery.message_id))
            .join(WebhookEndpoint, col(WebhookEndpoint.id) == col(WebhookDelivery.endpoint_id))
            .where(col(WebhookDelivery.id) == number)
        )
        found = self._session.execute(query).first()
        return None if found is None else Attempt(*found)

    def end_all(self, endpoint_id: str, *, status: str, outcome: str, now: int) -> int:
        """Give up everything that waits for an endpoint; returns how many that were."""
        change = (
            update(WebhookDelivery)
            .where(
                col(WebhookDelivery.endpoint_id) == endpoint_id,
                col(WebhookDelivery.due_at).is_not(None),
            )
            .values(due_at=None, status=status, outcome=outcome, ended_at=now)
        )
        return self._session.execute(change).rowcount  # type: ignore[attr-defined, no-any-return]

    def waiting(self) -> int:
        """How many deliveries are not done yet."""
        query = select(func.count()).where(col(WebhookDelivery.due_at).is_not(None))
        return self._session.scalar(query) or 0

    def purge(self, *, before: int, limit: int) -> int:
        """Remove deliveries that ended before a time, and messages that none is left of."""
        old = (
            select(col(WebhookDelivery.id))
            .where(
                col(WebhookDelivery.created_at) < before,  # it has an index, and precedes the end
                col(WebhookDelivery.ended_at) < before,
            )
            .order_by(col(WebhookDelivery.created_at))
            .limit(limit)
        )
        numbers = list(self._session.scalars(old))
        if numbers:
            self._session.execute(
                delete(WebhookDelivery).where(col(WebhookDelivery.id).in_(numbers))
            )
        self._drop_orphans(before)
        return len(numbers)

    def _drop_orphans(self, before: int) -> None:
        used = exists().where(col(WebhookDelivery.message_id) == col(WebhookMessage.id))
        self._session.execute(
            delete(WebhookMessage).where(~used, col(WebhookMessage.created_at) < before)
        )


class EndpointRepository:
    """The endpoints as one transaction sees and changes them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self) -> list[WebhookEndpoint]:
        """Every endpoint, oldest first."""
        query = select(WebhookEndpoint).order_by(
            col(WebhookEndpoint.created_at), col(WebhookEndpoint.id)
        )
        return list(self._session.scalars(query))

    def disabled(self) -> int:
        """How many are stopped."""
        query = select(func.count()).where(col(WebhookEndpoint.disabled_at).is_not(None))
        return self._session.scalar(query) or 0

    def find(self, endpoint_id: str) -> WebhookEndpoint | None:
        """One endpoint."""
        return self._session.get(WebhookEndpoint, endpoint_id)

    def add(self, endpoint: WebhookEndpoint) -> None:
        """Store a new one, at once."""
        self._session.add(endpoint)
        self._session.flush()

    def remove(self, endpoint: WebhookEndpoint) -> None:
        """Remove one with its deliveries."""
        self._session.execute(
            delete(WebhookDelivery).where(col(WebhookDelivery.endpoint_id) == endpoint.id)
        )
        self._session.delete(endpoint)
        self._session.flush()

    def waiting(self) -> dict[str, int]:
        """How many deliveries wait, by endpoint; those that are done are not looked at."""
        waiting = (
            select(func.count())
            .where(
                col(WebhookDelivery.endpoint_id) == col(WebhookEndpoint.id),
                col(WebhookDelivery.due_at).is_not(None),
            )
            .scalar_subquery()
        )
        query = select(col(WebhookEndpoint.id), waiting)
        return {row[0]: row[1] for row in self._session.execute(query)}

    def deliveries(
        self, endpoint_id: str, *, before: int, limit: int
    ) -> list[tuple[WebhookDelivery, str]]:
        """An endpoint's deliveries with the kinds of their messages, newest first."""
        query = (
            select(WebhookDelivery, col(WebhookMessage.kind))
            .join(WebhookMessage, col(WebhookMessage.id) == col(WebhookDelivery.message_id))
            .where(
                col(WebhookDelivery.endpoint_id) == endpoint_id, col(WebhookDelivery.id) < before
            )
            .order_by(col(WebhookDelivery.id).desc())
            .limit(limit)
        )
        return [(row[0], row[1]) for row in self._session.execute(query)]

    def delivery(self, endpoint_id: str, number: int) -> tuple[WebhookDelivery, str] | None:
        """One delivery of an endpoint, with the kind of its message."""
        found = self.deliveries(endpoint_id, before=number + 1, limit=1)
        return found[0] if found and found[0][0].id == number else None
