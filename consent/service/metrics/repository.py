"""Every query of the metrics: a few numbers that only the database has."""

from sqlalchemy import func, select, true
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.rights.tables import RightsRequest
from consent.service.webhooks.tables import WebhookEndpoint


class NumbersRepository:
    """Numbers of the service as one transaction sees them; each is cheap on a large database."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def requests(self, *, now: int) -> tuple[int, int]:
        """How many requests of shoppers are open, and how many of those are overdue."""
        query = (
            select(func.count()).select_from(RightsRequest).where(col(RightsRequest.open) == true())
        )
        overdue = query.where(col(RightsRequest.due_at) < now)
        return self._session.scalar(query) or 0, self._session.scalar(overdue) or 0

    def disabled_webhooks(self) -> int:
        """How many webhooks are stopped."""
        query = select(func.count()).where(col(WebhookEndpoint.disabled_at).is_not(None))
        return self._session.scalar(query) or 0
