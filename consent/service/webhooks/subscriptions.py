"""Operators' endpoints: subscribing, changing, rotating the secret, looking at deliveries.

Whatever could send events somewhere else needs a fresh proof of who the operator is, and stands in
the audit trail.
"""

from typing import Final

from sqlalchemy.orm import Session

from consent.service import etag
from consent.service.audit import service as audit
from consent.service.context import Context
from consent.service.principals import Principal, Role, proved, required
from consent.service.problems import Problem
from consent.service.tokens import token_hash
from consent.service.webhooks import signing
from consent.service.webhooks.addresses import Rules, parse
from consent.service.webhooks.repository import EndpointRepository
from consent.service.webhooks.schemas import (
    Deliveries,
    Delivery,
    Endpoint,
    EndpointChange,
    Endpoints,
    NewSecret,
    Subscribed,
    Subscription,
)
from consent.service.webhooks.service import Kind, Status
from consent.service.webhooks.tables import WebhookDelivery, WebhookEndpoint

MAX_ENDPOINTS: Final = 50
PAGE: Final = 100
NEWEST: Final = 2**53
OVERLAP_MS: Final = 24 * 60 * 60 * 1000
_NONE: Final = "There is no such webhook."


def rules(context: Context) -> Rules:
    """Where this service's webhooks may go."""
    settings = context.settings
    return Rules(loopback=settings.webhooks_allow_loopback, ports=settings.webhook_ports)


def subscribe(context: Context, token: str, request: Subscription) -> Subscribed:
    """Add an endpoint; its secret is shown in this answer only.

    Raises:
        InvalidInputError: events may not be sent to this URL.
        Problem: 401, 403 or 404, not an operator who lately showed who she is; 409, too many.
    """
    parse(request.url, rules(context))
    made = WebhookEndpoint(
        id=context.new_id(),
        url=request.url,
        kinds=_words(request.kinds),
        description=request.description,
        secret_hash="",
        created_at=context.now_ms(),
    )
    shown = signing.secret(context, made.id, made.secret_number)
    made.secret_hash = token_hash(shown)
    with context.database.writing() as session:
        operator = _operator(context, session, token)
        endpoints = EndpointRepository(session)
        if len(endpoints.all()) >= MAX_ENDPOINTS:
            raise Problem(409, f"There are {MAX_ENDPOINTS} webhooks already; remove one first.")
        endpoints.add(made)
        details = {"url": made.url, "kinds": made.kinds}
        audit.record(context, session, operator, "webhook.created", made.id, details)
    return Subscribed(endpoint=_endpoint(made, 0), secret=shown)


def read_all(context: Context, token: str) -> Endpoints:
    """Every endpoint.

    Raises:
        Problem: 401 or 404, neither an operator nor an auditor.
    """
    with context.database.reading() as session:
        required(context, session, token, Role.OPERATOR, Role.AUDITOR)
        endpoints = EndpointRepository(session)
        found, waiting = endpoints.all(), endpoints.waiting()
    return Endpoints(endpoints=[_endpoint(row, waiting.get(row.id, 0)) for row in found])


def read(context: Context, token: str, endpoint_id: str) -> Endpoint:
    """One endpoint.

    Raises:
        Problem: 401 or 404, neither an operator nor an auditor, or no such endpoint.
    """
    with context.database.reading() as session:
        required(context, session, token, Role.OPERATOR, Role.AUDITOR)
        endpoints = EndpointRepository(session)
        return _endpoint(_found(endpoints, endpoint_id), endpoints.waiting().get(endpoint_id, 0))


def change(
    context: Context,
    token: str,
    endpoint_id: str,
    request: EndpointChange,
    *,
    if_match: str | None = etag.ANY,
) -> Endpoint:
    """Change an endpoint; ``if_match`` tags the state that the operator looked at.

    Raises:
        InvalidInputError: events may not be sent to this URL.
        Problem: 401, 403 or 404, not an operator who lately showed who she is, or no such
            endpoint; 412, it was changed since.
    """
    if request.url is not None:
        parse(request.url, rules(context))
    with context.database.writing() as session:
        operator = _operator(context, session, token)
        endpoints = EndpointRepository(session)
        row = _found(endpoints, endpoint_id)
        etag.demand(if_match, row.version)
        changes = _apply(row, request, now=context.now_ms())
        row.version += 1
        audit.record(context, session, operator, "webhook.changed", row.id, changes)
        return _endpoint(row, endpoints.waiting().get(row.id, 0))


def rotate(context: Context, token: str, endpoint_id: str) -> NewSecret:
    """Make a new secret, shown in this answer only; the old one signs too for 24 hours.

    Raises:
        Problem: 401, 403 or 404, not an operator who lately showed who she is, or no such
            endpoint.
    """
    with context.database.writing() as session:
        operator = _operator(context, session, token)
        row = _found(EndpointRepository(session), endpoint_id)
        row.secret_number += 1
        row.overlap_until = context.now_ms() + OVERLAP_MS
        row.version += 1
        shown = signing.secret(context, row.id, row.secret_number)
        row.secret_hash = token_hash(shown)
        audit.record(context, session, operator, "webhook.secret-rotated", row.id)
    return NewSecret(endpoint=row.id, secret=shown, overlap_until=row.overlap_until)


def remove(context: Context, token: str, endpoint_id: str) -> None:
    """Remove an endpoint with everything that waits for it.

    Raises:
        Problem: 401, 403 or 404, not an operator who lately showed who she is, or no such
            endpoint.
    """
    with context.database.writing() as session:
        operator = _operator(context, session, token)
        endpoints = EndpointRepository(session)
        row = _found(endpoints, endpoint_id)
        endpoints.remove(row)
        audit.record(context, session, operator, "webhook.removed", row.id, {"url": row.url})


def deliveries(
    context: Context, token: str, endpoint_id: str, cursor: int | None, limit: int = PAGE
) -> Deliveries:
    """A page of what was sent to an endpoint, or waits for it.

    Raises:
        Problem: 401 or 404, neither an operator nor an auditor, or no such endpoint.
    """
    before = NEWEST if cursor is None else cursor
    with context.database.reading() as session:
        required(context, session, token, Role.OPERATOR, Role.AUDITOR)
        endpoints = EndpointRepository(session)
        _found(endpoints, endpoint_id)
        found = endpoints.deliveries(endpoint_id, before=before, limit=limit)
    return Deliveries(
        deliveries=[_delivery(row, kind) for row, kind in found],
        next=found[-1][0].id if len(found) == limit else None,
    )


def replay(context: Context, token: str, endpoint_id: str, number: int) -> Delivery:
    """Send one event once more, under the same id, from the next pass on.

    Raises:
        Problem: 401, 403 or 404, not an operator who lately showed who she is, or no such
            delivery; 409, it is being sent, or its endpoint is stopped.
    """
    with context.database.writing() as session:
        operator = _operator(context, session, token)
        endpoints = EndpointRepository(session)
        endpoint, now = _found(endpoints, endpoint_id), context.now_ms()
        found = endpoints.delivery(endpoint_id, number)
        if found is None:
            raise Problem(404, "There is no such delivery.")
        row, kind = found
        if endpoint.disabled_at is not None:
            raise Problem(409, "This webhook is stopped; enable it first.")
        if row.leased_until > now:
            raise Problem(409, "This event is being sent just now; look again in a minute.")
        row.due_at, row.attempts, row.status, row.ended_at = now, 0, Status.PENDING.value, None
        row.created_at = now
        audit.record(
            context, session, operator, "webhook.replayed", endpoint_id, {"delivery": number}
        )
        return _delivery(row, kind)


def _operator(context: Context, session: Session, token: str) -> Principal:
    operator = required(context, session, token, Role.OPERATOR)
    proved(context, operator)
    return operator


def _found(endpoints: EndpointRepository, endpoint_id: str) -> WebhookEndpoint:
    row = endpoints.find(endpoint_id)
    if row is None:
        raise Problem(404, _NONE)
    return row


def _apply(row: WebhookEndpoint, request: EndpointChange, *, now: int) -> dict[str, object]:
    changes = request.model_dump(mode="json", exclude_none=True)
    if request.url is not None:
        row.url = request.url
    if request.kinds is not None:
        row.kinds = _words(request.kinds)
    if request.description is not None:
        row.description = request.description
    if request.enabled is True:
        row.disabled_at, row.disabled_why, row.failing_since, row.rests_until = None, "", None, 0
    if request.enabled is False and row.disabled_at is None:
        row.disabled_at, row.disabled_why = now, "by an operator"
    return changes


def _words(kinds: list[Kind]) -> str:
    return " ".join(dict.fromkeys(kind.value for kind in kinds))


def _endpoint(row: WebhookEndpoint, waiting: int) -> Endpoint:
    return Endpoint(
        id=row.id,
        url=row.url,
        kinds=[Kind(kind) for kind in row.kinds.split()],
        description=row.description,
        created_at=row.created_at,
        enabled=row.disabled_at is None,
        disabled_at=row.disabled_at,
        disabled_why=row.disabled_why,
        failing_since=row.failing_since,
        waiting=waiting,
        version=row.version,
    )


def _delivery(row: WebhookDelivery, kind: str) -> Delivery:
    return Delivery(
        number=row.id or 0,
        message=row.message_id,
        kind=Kind(kind),
        created_at=row.created_at,
        status=Status(row.status),
        attempts=row.attempts,
        outcome=row.outcome,
        due_at=row.due_at,
        ended_at=row.ended_at,
    )
