"""Requests that may be sent again: under one key, one of them is executed.

============================  ==================================================================
the same key again            answer
============================  ==================================================================
after a success               the same answer, with ``Idempotency-Replayed: true``; nothing is done
with another request          422
while the first is running    409 with Retry-After
after over a minute of that   as after a crash; the first can change nothing any more
after the first was refused   executed: a refusal changed nothing
after a crash                 executed, if the first changed nothing; else 409, look what was done
after 24 hours                executed: the key is forgotten
============================  ==================================================================

A key belongs to one caller and one route. Whether a request changed something is written in the
transaction of the change, so a crash leaves no doubt.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.orm import Session

from consent.service.context import Context
from consent.service.idempotency.repository import KeyedRepository
from consent.service.idempotency.tables import KeyedRequest
from consent.service.problems import Problem
from crypto.wire import canonical

KEPT_MS: Final = 24 * 60 * 60 * 1000
CLAIMED_MS: Final = 60 * 1000
_NONCE_BYTES: Final = 12


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A stored answer: its status, headers and body."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Keyed:
    """One request under its key.

    Attributes:
        caller: what the caller authenticates with; empty for nobody.
        route: method and path.
        key: the idempotency key as it was sent.
        content: everything that must be the same when it is sent again.
    """

    caller: str
    route: str
    key: str
    content: bytes

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 of what must be the same."""
        return hashlib.sha256(self.content).hexdigest()

    def key_hash(self, context: Context) -> str:
        """Under which the request is stored."""
        parts = "\0".join((self.caller, self.route, self.key)).encode("utf-8", "surrogateescape")
        return hmac.digest(context.derived_key("idempotency names"), parts, "sha256").hex()

    def cipher(self, context: Context) -> AESGCM:
        """What its answer is encrypted with: nobody has it without the key that was sent."""
        return AESGCM(context.derived_key("idempotency answers", salt=self.key.encode()))


@dataclass(frozen=True, kw_only=True)
class Claim:
    """That a request is being executed: under which name, and until when nobody else may begin."""

    key_hash: str
    until: int


def claim(context: Context, request: Keyed) -> Answer | Claim:
    """Take a request on: execute it, then ``keep`` or ``drop`` the claim; or the answer it had.

    Raises:
        Problem: 422, the key was used for another request; 409, the first is running, or it changed
            something and its answer was lost.
    """
    key_hash, now = request.key_hash(context), context.now_ms()
    made = Claim(key_hash=key_hash, until=now + CLAIMED_MS)
    with context.database.writing() as session:
        kept = KeyedRepository(session)
        kept.prune(now=now)
        row = kept.find(key_hash)
        if row is not None:
            answer = _judge(context, request, row, now)
            if answer is not None:
                return answer
            kept.forget(key_hash)
        kept.add(
            KeyedRequest(
                key_hash=key_hash,
                fingerprint=request.fingerprint,
                claimed_until=made.until,
                expires_at=now + KEPT_MS,
            )
        )
    return made


def mark_changed(claim: Claim, session: Session) -> None:
    """Note in a transaction that the request changes something there.

    Raises:
        Problem: 409, it took so long that another one took it on: this one may change nothing.
    """
    if not KeyedRepository(session).mark_changed(claim.key_hash, claimed_until=claim.until):
        raise Problem(409, "This took too long and was begun anew; look what was done.")


def keep(context: Context, request: Keyed, claim: Claim, answer: Answer) -> None:
    """Store the answer of a request that succeeded."""
    nonce = context.settings.entropy(_NONCE_BYTES)
    plain = canonical(
        {"status": answer.status, "headers": answer.headers, "body": answer.body.decode()}
    )
    sealed = nonce + request.cipher(context).encrypt(nonce, plain, claim.key_hash.encode())
    with context.database.writing() as session:
        KeyedRepository(session).keep(claim.key_hash, sealed, claimed_until=claim.until)


def drop(context: Context, claim: Claim, *, failed: bool) -> None:
    """Forget a request that was refused; one that ``failed`` only if it changed nothing."""
    with context.database.writing() as session:
        kept = KeyedRepository(session)
        row = kept.find(claim.key_hash)
        mine = row is not None and row.claimed_until == claim.until
        if row is not None and mine and not (failed and row.changed):
            kept.forget(row.key_hash)


def _judge(context: Context, request: Keyed, row: KeyedRequest, now: int) -> Answer | None:
    if row.fingerprint != request.fingerprint:
        raise Problem(422, "This Idempotency-Key was used for another request.")
    if row.answer is not None:
        return _opened(context, request, row)
    if row.changed and now >= row.claimed_until:
        raise Problem(409, "This was done before and its answer was lost; look what is there.")
    if now < row.claimed_until:
        raise Problem(
            409, "The same request is being executed; try again.", headers={"Retry-After": "1"}
        )
    return None


def _opened(context: Context, request: Keyed, row: KeyedRequest) -> Answer:
    sealed = row.answer or b""
    nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        plain = request.cipher(context).decrypt(nonce, text, row.key_hash.encode())
    except InvalidTag as error:  # the service's key was replaced since
        raise Problem(409, "This was done before and can't be shown again.") from error
    found: dict[str, Any] = json.loads(plain)
    return Answer(status=found["status"], headers=found["headers"], body=found["body"].encode())
