"""The tables of webhooks: who is told, what is to be told, and how far that is."""

from sqlalchemy import Index
from sqlmodel import Field

from consent.service.tables import BIG, Base


class WebhookEndpoint(Base, table=True):
    """An address that an operator subscribed to some kinds of events.

    No secret is stored: it is derived of the service's key, the id and the number of the secret.
    ``secret_hash`` tells whether it still can be. The earlier secret signs too until
    ``overlap_until``. ``failing_since`` is the first failure after the last success; nothing is
    sent before ``rests_until``.
    """

    __tablename__ = "webhook_endpoint"

    id: str = Field(primary_key=True)
    url: str
    kinds: str
    description: str = ""
    secret_number: int = 1
    secret_hash: str
    overlap_until: int = Field(default=0, sa_type=BIG)
    created_at: int = Field(sa_type=BIG)
    disabled_at: int | None = Field(default=None, sa_type=BIG)
    disabled_why: str = ""
    failing_since: int | None = Field(default=None, sa_type=BIG)
    rests_until: int = Field(default=0, sa_type=BIG)
    version: int = 1


class WebhookMessage(Base, table=True):
    """One event, in the outbox from the transaction that it tells of; ``body`` is what is sent."""

    __tablename__ = "webhook_message"

    id: str = Field(primary_key=True)
    kind: str
    body: str
    created_at: int = Field(sa_type=BIG, index=True)


class WebhookDelivery(Base, table=True):
    """One message on its way to one endpoint.

    ``due_at`` is when it is tried next, null once it is delivered or given up. A worker holds it
    until ``leased_until``; nobody else tries it before.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        Index("webhook_delivery_due", "due_at", "leased_until"),
        Index("webhook_delivery_waiting", "endpoint_id", "due_at"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    message_id: str = Field(foreign_key="webhook_message.id", index=True)
    endpoint_id: str = Field(foreign_key="webhook_endpoint.id", index=True)
    created_at: int = Field(sa_type=BIG, index=True)
    due_at: int | None = Field(default=None, sa_type=BIG)
    leased_until: int = Field(default=0, sa_type=BIG)
    attempts: int = 0
    status: str
    outcome: str = ""
    ended_at: int | None = Field(default=None, sa_type=BIG)
