"""A scrape: what the process counted, and a few numbers of the database."""

from typing import Final

from sqlalchemy.orm import Session

from consent.service.context import Context
from consent.service.metrics.schemas import Numbers
from consent.service.principals import Role, required
from consent.service.records.repository import LogRepository
from consent.service.retention.repository import RunRepository
from consent.service.rights.repository import RightsRepository
from consent.service.webhooks.repository import EndpointRepository, OutboxRepository

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def scrape(context: Context, token: str) -> bytes:
    """Everything in the text format of Prometheus.

    Raises:
        Problem: 401 or 404, neither an operator nor an auditor.
    """
    with context.database.reading() as session:
        required(context, session, token, Role.OPERATOR, Role.AUDITOR)
        found = numbers(context, session)
    gauges = context.metrics.gauges
    gauges["log_size"].set(found.log_size)
    gauges["requests_open"].set(found.requests_open)
    gauges["requests_overdue"].set(found.requests_overdue)
    gauges["webhook_backlog"].set(found.webhook_backlog)
    gauges["webhooks_disabled"].set(found.webhooks_disabled)
    gauges["retention_last_success_timestamp_seconds"].set(
        (found.retention_last_success or 0) / 1000
    )
    return context.metrics.text()


def overview(context: Context, token: str) -> Numbers:
    """The numbers for an operator's page.

    Raises:
        Problem: 401 or 404, neither an operator nor an auditor.
    """
    with context.database.reading() as session:
        required(context, session, token, Role.OPERATOR, Role.AUDITOR)
        return numbers(context, session)


def numbers(context: Context, session: Session) -> Numbers:
    """The numbers that only the database has, in the caller's transaction."""
    rights = RightsRepository(session)
    return Numbers(
        log_size=LogRepository(session).size(),
        requests_open=rights.count_open(),
        requests_overdue=rights.count_open(due_before=context.now_ms()),
        webhook_backlog=OutboxRepository(session).waiting(),
        webhooks_disabled=EndpointRepository(session).disabled(),
        retention_last_success=RunRepository(session).last_success(),
    )
