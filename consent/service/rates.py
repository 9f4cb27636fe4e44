"""Quotas on what is worth guessing: logins, codes, pairing, recovery.

Attempts are counted in the database, in a short transaction of their own, so a quota holds across
processes and survives a restart, and an attempt counts even if what follows is rolled back. Call
``check`` before the transaction that does the work, never within it.

Guarantee: fails closed. If the database can't say, the answer is 503 and nothing is tried. Keys are
stored as HMACs under a key of the service's own, so the table holds no address and no name.
"""

import hmac
import math
from typing import Final

from limits import RateLimitItem
from limits.strategies import SlidingWindowCounterRateLimiter

from consent.service.context import Context
from consent.service.database import alone
from consent.service.hits.repository import HitRepository
from consent.service.problems import Problem
from consent.service.quotas import Kind

TOO_MANY: Final = "urn:fedcart:problem:too-many-requests"


def check(context: Context, kind: str, key: str, *, cost: int = 1) -> None:
    """Count one attempt of a kind under a key: an account's name, a peer, a client.

    Raises:
        Problem: 429 with Retry-After, the quota is used up; 503, the database can't say.
        ValueError: an unknown kind.
    """
    quota = context.settings.quotas.of(Kind(kind))
    if quota is None:
        return
    try:
        wait = _wait(context, quota, hidden(context, kind, key), cost)
    except Exception as error:
        raise Problem(503, "Attempts can't be counted now; try again later.") from error
    if wait is not None:
        raise too_many(wait)


def too_many(wait_s: float) -> Problem:
    """The refusal of a caller whose quota is used up for some more seconds."""
    seconds = max(1, math.ceil(wait_s))
    return Problem(
        429,
        f"Too many attempts; try again in {seconds} s.",
        kind=TOO_MANY,
        headers={"Retry-After": str(seconds)},
    )


def hidden(context: Context, kind: str, key: str) -> str:
    """A key as the database has it: hex HMAC-SHA256 of kind and key."""
    secret = context.derived_key("quotas")
    return hmac.digest(secret, f"{kind}\0{key}".encode("utf-8", "surrogatepass"), "sha256").hex()


def room_in(quota: RateLimitItem, window: tuple[int, float, int, float], cost: int) -> float:
    """Seconds until a full sliding window has room for ``cost``, if nobody else uses it."""
    before, rest, current, _ = window
    length, limit = quota.get_expiry(), quota.amount
    if current + cost <= limit:
        return rest - (limit - current - cost) * length / max(before, 1)
    return rest + length - (limit - cost) * length / max(current, 1)


def _wait(context: Context, quota: RateLimitItem, key: str, cost: int) -> float | None:
    with alone(), context.database.writing() as session:
        hits = HitRepository(session, now=context.now())
        hits.prune()
        if SlidingWindowCounterRateLimiter(hits).hit(quota, key, cost=cost):
            return None
        return room_in(quota, hits.get_sliding_window(quota.key_for(key), quota.get_expiry()), cost)
