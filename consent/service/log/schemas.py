"""What the service tells about its log. Hashes and keys are base64url."""

from consent.purpose import Category, ConsentState, Purpose
from consent.service.schemas import Schema, SignedRecordSchema


class Heads(Schema):
    """Signed tree heads, oldest first; pass ``next`` as ``cursor`` for those that follow."""

    heads: list[SignedRecordSchema]
    next: int | None = None


class Consistency(Schema):
    """The RFC 9162 proof that the tree of ``first`` leaves begins the tree of ``second``."""

    first: int
    second: int
    path: list[str]


class LoggedEventSchema(Schema):
    """An event exactly as its leaf covers it: canonical JSON of these fields."""

    shopper: str
    epoch: int
    purpose: Purpose
    category: Category
    state: ConsentState
    notice: str
    language: str
    time: int
    expires_at: int | None


class ProvedEvent(Schema):
    """An event, the number of its leaf, and the RFC 9162 inclusion proof in the answer's head."""

    event: LoggedEventSchema
    index: int
    path: list[str]


class OwnLog(Schema):
    """A shopper's own events with their proofs.

    A leaf's input is HMAC-SHA256(``key``, canonical JSON of the event). The key is hers alone:
    whoever has it can look for her events in the log.
    """

    head: SignedRecordSchema
    key: str
    events: list[ProvedEvent]
    next: int | None = None
