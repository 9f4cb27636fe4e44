"""Delivering what is in the outbox: at least once, by one process at a time, patiently.

A worker leases a few deliveries in one short transaction, sends them outside of any, and writes
down each outcome in another. If it dies in between, the lease runs out and somebody sends again,
under the same ``webhook-id``. An attempt that failed is repeated after a growing, jittered delay,
up to MAX_ATTEMPTS times; an endpoint that failed rests a while, so that a dead one holds up nobody.
After days of failure it is disabled, which the audit trail tells.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from consent.service.audit import service as audit
from consent.service.context import Context
from consent.service.webhooks import signing
from consent.service.webhooks.repository import Attempt, OutboxRepository
from consent.service.webhooks.sender import DEADLINE_S, Outcome, Sender
from consent.service.webhooks.service import Status
from consent.service.webhooks.subscriptions import rules

_SECOND_MS: Final = 1000
_HOUR_MS: Final = 60 * 60 * _SECOND_MS
# Seconds before the second attempt, the third and so on: 24 hours in all.
DELAYS_S: Final = (5, 60, 5 * 60, 30 * 60, 2 * 3600, 6 * 3600, 15 * 3600)
MAX_ATTEMPTS: Final = len(DELAYS_S) + 1
JITTER: Final = 0.2
REST_MS: Final = 5 * 60 * _SECOND_MS
GIVE_UP_MS: Final = 72 * _HOUR_MS
DISABLE_MS: Final = 5 * 24 * _HOUR_MS
_BATCH: Final = 5
LEASE_MS: Final = 3 * _BATCH * int(DEADLINE_S) * _SECOND_MS  # resolving names takes time too


@dataclass(frozen=True, kw_only=True)
class Pass:
    """What one pass did."""

    delivered: int = 0
    failed: int = 0


def deliver(
    context: Context,
    sender: Sender | None = None,
    *,
    stopping: Callable[[], bool] = lambda: False,
) -> Pass:
    """Try everything that is due, once.

    Several processes may run it at the same time: each delivery is held by one of them.
    """
    delivered = failed = 0
    while not stopping() and (batch := _lease(context)):
        sender = sender or Sender(rules=rules(context))  # not for the passes that find nothing
        resting: set[str] = set()
        for attempt in batch:
            if stopping() or attempt.endpoint.id in resting:
                _give_back(context, attempt)
                continue
            outcome = _try(context, sender, attempt)
            _record(context, attempt, outcome)
            delivered, failed = delivered + outcome.delivered, failed + (not outcome.delivered)
            if not outcome.delivered:
                resting.add(attempt.endpoint.id)
    return Pass(delivered=delivered, failed=failed)


def delay_ms(context: Context, attempts: int) -> int:
    """How long to wait after that many attempts, with jitter so that retries don't gather."""
    seconds = DELAYS_S[min(attempts, len(DELAYS_S)) - 1]
    share = int.from_bytes(context.settings.entropy(2)) / 65535  # 0 to 1
    return int(seconds * _SECOND_MS * (1 - JITTER + 2 * JITTER * share))


def _lease(context: Context) -> list[Attempt]:
    now = context.now_ms()
    with context.database.reading() as session:  # most passes find nothing and take no lock
        if not OutboxRepository(session).due(now, limit=1):
            return []
    with context.database.writing() as session:
        found = OutboxRepository(session).due(now, limit=_BATCH)
        for attempt in found:
            attempt.delivery.leased_until = now + LEASE_MS
    return found


def _try(context: Context, sender: Sender, attempt: Attempt) -> Outcome:
    body = attempt.message.body
    if context.now_ms() >= attempt.delivery.leased_until:  # somebody else may hold it by now
        return Outcome(delivered=False, word="not sent in time")
    try:
        headers = signing.headers(context, attempt.endpoint, attempt.message.id, body)
    except signing.LostSecretError:
        return Outcome(delivered=False, word="not sent: rotate the secret, the key has changed")
    return sender.send(attempt.endpoint.url, headers, body.encode())


def _give_back(context: Context, leased: Attempt) -> None:
    with context.database.writing() as session:
        found = OutboxRepository(session).attempt(leased.delivery.id)
        if found is not None and found.delivery.leased_until == leased.delivery.leased_until:
            found.delivery.leased_until = 0


def _record(context: Context, leased: Attempt, outcome: Outcome) -> None:
    now = context.now_ms()
    with context.database.writing() as session:
        outbox = OutboxRepository(session)
        found = outbox.attempt(leased.delivery.id)
        if found is None or found.delivery.leased_until != leased.delivery.leased_until:
            return  # removed meanwhile, or leased by somebody else after this one took too long
        delivery, _, endpoint = found
        delivery.leased_until, delivery.attempts = 0, delivery.attempts + 1
        delivery.outcome = outcome.word
        if outcome.delivered:
            delivery.due_at, delivery.ended_at = None, now
            delivery.status = Status.DELIVERED.value
            endpoint.failing_since, endpoint.rests_until = None, 0
            return
        wait = delay_ms(context, delivery.attempts)
        endpoint.failing_since = endpoint.failing_since or now
        endpoint.rests_until = now + min(wait, REST_MS)
        delivery.due_at = now + wait
        if delivery.attempts >= MAX_ATTEMPTS or now - delivery.created_at > GIVE_UP_MS:
            delivery.due_at, delivery.ended_at = None, now
            delivery.status = Status.FAILED.value
        if outcome.gone or now - endpoint.failing_since > DISABLE_MS:
            why = "the receiver is gone (410)" if outcome.gone else "days of failure"
            endpoint.disabled_at, endpoint.disabled_why = now, why
            endpoint.version += 1
            session.flush()
            ended = outbox.end_all(
                endpoint.id, status=Status.FAILED.value, outcome="webhook disabled", now=now
            )
            audit.record(
                context,
                session,
                None,
                "webhook.disabled",
                endpoint.id,
                {"why": why, "given_up": ended},
            )
