"""Reading the log: signed heads, consistency, and a shopper's own inclusion proofs.

A head is signed when somebody asks and the log has grown since the last one, so there is at most
one a size and every head that was ever handed out is kept.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from sqlalchemy.orm import Session

from consent.log import tree
from consent.log.head import TreeHead
from consent.log.leaf import LoggedEvent
from consent.receipt import LeafProof, LogProof
from consent.service.context import Context
from consent.service.log.repository import HeadRepository
from consent.service.log.schemas import (
    Consistency,
    Heads,
    LoggedEventSchema,
    OwnLog,
    ProvedEvent,
)
from consent.service.principals import authorised
from consent.service.problems import Problem
from consent.service.records.repository import LogRepository
from consent.service.schemas import SignedRecordSchema
from crypto.errors import InvalidInputError
from crypto.wire import SignedRecord, b64

PAGE: Final = 100


def head(context: Context) -> SignedRecord:
    """The signed head of the log as it is now."""
    with context.database.reading() as session:
        record = _current(session)
    if record is not None:
        return record
    with context.database.writing() as session:
        return _current(session) or _sign(context, session)


def heads(context: Context, cursor: int | None, limit: int) -> Heads:
    """The heads that were handed out, oldest first."""
    with context.database.reading() as session:
        found = HeadRepository(session).after(-1 if cursor is None else cursor, limit=limit)
    records = [SignedRecord.from_bytes(row.record) for row in found]
    return Heads(
        heads=[SignedRecordSchema(**record.to_json()) for record in records],
        next=found[-1].size if len(found) == limit else None,
    )


def consistency(context: Context, first: int, second: int) -> Consistency:
    """The proof that the log only grew from ``first`` to ``second`` leaves.

    Raises:
        InvalidInputError: not 0 < first <= second <= the size of the log.
    """
    with context.database.reading() as session:
        log = LogRepository(session)
        size = log.size()
        if not 0 < first <= second <= size:
            raise InvalidInputError(
                f"Expected 0 < first={first} <= second={second} <= {size}, the size of the log."
            )
        path = tree.consistency(first, second, log.nodes)
    return Consistency(first=first, second=second, path=[b64(part) for part in path])


def own(
    context: Context, shopper_id: str, token: str, cursor: int | None, limit: int = PAGE
) -> OwnLog:
    """A page of a shopper's events with their inclusion proofs.

    Raises:
        Problem: 404, no such shopper, or not her token.
    """
    with context.database.reading() as session:
        authorised(context, session, shopper_id, token)
        after = -1 if cursor is None else cursor
        events = LogRepository(session).events_after(shopper_id, after, limit=limit)
    proof = prove(context, shopper_id, events)
    return OwnLog(
        head=SignedRecordSchema(**proof.head.to_json()),
        key=b64(proof.key),
        events=proved(events, proof),
        next=events[-1][0] if len(events) == limit else None,
    )


def prove(context: Context, shopper_id: str, events: Sequence[tuple[int, LoggedEvent]]) -> LogProof:
    """Where some events of a shopper stand in the log, proved against a head that has them all.

    Raises:
        Problem: 404, she has no key: nothing was ever decided, or her key was destroyed.
    """
    record = head(context)
    size = TreeHead.verify(record, context.key.public_key()).size
    with context.database.reading() as session:
        log = LogRepository(session)
        key = log.keys([shopper_id]).get(shopper_id)
        paths = tree.inclusion([leaf for leaf, _ in events], size, log.nodes)
    if key is None:
        raise Problem(404, "There is nothing of this shopper in the log that could be proved.")
    leaves = tuple(
        LeafProof(index=leaf, path=tuple(path))
        for (leaf, _), path in zip(events, paths, strict=True)
    )
    return LogProof(head=record, key=key, leaves=leaves)


def proved(events: Sequence[tuple[int, LoggedEvent]], proof: LogProof) -> list[ProvedEvent]:
    """Some events, each with its part of the proof that ``prove`` made of them."""
    return [
        ProvedEvent(
            event=LoggedEventSchema(**asdict(event)),
            index=leaf.index,
            path=[b64(part) for part in leaf.path],
        )
        for (_, event), leaf in zip(events, proof.leaves, strict=True)
    ]


def _current(session: Session) -> SignedRecord | None:
    """The latest head, if it has every leaf."""
    latest = HeadRepository(session).latest()
    if latest is None or latest.size != LogRepository(session).size():
        return None
    return SignedRecord.from_bytes(latest.record)


def _sign(context: Context, session: Session) -> SignedRecord:
    log = LogRepository(session)
    size = log.size()
    made = TreeHead(time=context.now_ms(), size=size, root=tree.root(size, log.nodes))
    record = made.sign(context.key)
    HeadRepository(session).add(size=size, record=record.to_bytes())
    return record
