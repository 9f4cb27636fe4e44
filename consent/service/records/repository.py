"""Writing history: every change of a cell, its event and its leaf, in the caller's transaction.

This is the only place that adds consent events, so each has exactly one leaf. Rows go to the
tables themselves rather than through mapped objects: a registration writes a dozen of them.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, insert, select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.log import tree
from consent.log.leaf import KEY_BYTES, LoggedEvent
from consent.purpose import Category, ConsentState, Purpose
from consent.service.database import chunks
from consent.service.records.tables import LogKey, LogNode
from consent.service.tables import METADATA, ConsentEvent

_ADD_EVENTS = insert(METADATA.tables["consent_event"])
_ADD_NODES = insert(METADATA.tables["log_node"])
_ADD_KEYS = insert(METADATA.tables["log_key"])
# The last leaf has the highest position of all nodes. It is no event's number that counts: the
# events of a shopper who was erased are gone, and their leaves stay.
_LAST_NODE = select(func.max(col(LogNode.position)))
_NODES = select(col(LogNode.position), col(LogNode.hash)).where(
    col(LogNode.position).in_(bindparam("positions", expanding=True))
)
_KEYS = select(col(LogKey.shopper_id), col(LogKey.key)).where(
    col(LogKey.shopper_id).in_(bindparam("shoppers", expanding=True))
)


class LogRepository:
    """The log as one transaction sees and grows it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def size(self) -> int:
        """How many leaves there are."""
        last = self._session.scalar(_LAST_NODE)
        return 0 if last is None else last // 2 + 1

    def nodes(self, positions: Collection[int]) -> dict[int, bytes]:
        """Stored nodes by position."""
        found: dict[int, bytes] = {}
        for part in chunks(positions):
            rows = self._session.execute(_NODES, {"positions": part})
            found |= dict(rows.all())
        return found

    def append(self, events: Sequence[LoggedEvent], *, entropy: Callable[[int], bytes]) -> None:
        """Add events to the history and their leaves to the log.

        A shopper without a key gets one. Guarantee: both or neither, with the transaction.
        """
        if not events:
            return
        size = self.size()
        keys = self._ensured_keys({event.shopper for event in events}, entropy)
        peaks = self.nodes(tree.needed([tree.Span(0, size)])) if size else {}
        made = tree.grow(size, peaks, [event.leaf(keys[event.shopper]) for event in events])
        rows = [_row(event, leaf) for leaf, event in enumerate(events, start=size)]
        self._session.execute(_ADD_EVENTS, rows)
        nodes = [{"position": position, "hash": node} for position, node in made.items()]
        self._session.execute(_ADD_NODES, nodes)

    def keys(self, shoppers: Iterable[str]) -> dict[str, bytes]:
        """The log keys of those shoppers who have one."""
        found: dict[str, bytes] = {}
        for part in chunks(shoppers):
            rows = self._session.execute(_KEYS, {"shoppers": part})
            found |= dict(rows.all())
        return found

    def _ensured_keys(
        self, shoppers: Collection[str], entropy: Callable[[int], bytes]
    ) -> Mapping[str, bytes]:
        known = self.keys(shoppers)
        new = {who: entropy(KEY_BYTES) for who in shoppers if who not in known}
        if new:
            rows = [{"shopper_id": who, "key": key} for who, key in new.items()]
            self._session.execute(_ADD_KEYS, rows)
        return known | new

    def events(
        self, shopper_id: str, *where: ColumnElement[bool], limit: int | None = None
    ) -> list[tuple[int, LoggedEvent]]:
        """A shopper's events with the numbers of their leaves, oldest first."""
        query = (
            select(ConsentEvent)
            .where(col(ConsentEvent.shopper_id) == shopper_id, *where)
            .order_by(col(ConsentEvent.leaf))
            .limit(limit)
        )
        return [(row.leaf, _event(row)) for row in self._session.scalars(query)]

    def events_after(
        self, shopper_id: str, leaf: int, *, limit: int
    ) -> list[tuple[int, LoggedEvent]]:
        """The events whose leaves come after one."""
        return self.events(shopper_id, col(ConsentEvent.leaf) > leaf, limit=limit)

    def events_of_epoch(self, shopper_id: str, epoch: int) -> list[tuple[int, LoggedEvent]]:
        """The events of one epoch: at most one a cell."""
        return self.events(shopper_id, col(ConsentEvent.epoch) == epoch)

    def events_by_epoch(
        self, shopper_id: str, epochs: Collection[int]
    ) -> dict[int, list[LoggedEvent]]:
        """The events of some epochs."""
        found: dict[int, list[LoggedEvent]] = {epoch: [] for epoch in epochs}
        for part in chunks(epochs):
            for _, event in self.events(shopper_id, col(ConsentEvent.epoch).in_(part)):
                found[event.epoch].append(event)
        return found


def _row(event: LoggedEvent, leaf: int) -> dict[str, Any]:
    return {
        "shopper_id": event.shopper,
        "purpose": event.purpose,
        "category": event.category,
        "state": event.state,
        "notice_version": event.notice,
        "language": event.language,
        "epoch": event.epoch,
        "time": event.time,
        "expires_at": event.expires_at,
        "leaf": leaf,
    }


def _event(row: ConsentEvent) -> LoggedEvent:
    return LoggedEvent(
        shopper=row.shopper_id,
        epoch=row.epoch,
        purpose=Purpose(row.purpose),
        category=Category(row.category),
        state=ConsentState(row.state),
        notice=row.notice_version,
        language=row.language,
        time=row.time,
        expires_at=row.expires_at,
    )
