"""A shopper's own look at what this device keeps of her: see it, put a line right, delete it.

These are her rights over her own data, so no consent is asked for; nothing is computed from it. A
line is what she bought of one item on one day, which is how corrections name it everywhere
(``consent.correction``). What is deleted is overwritten in the file. A correction made here is a
local one: no other device or store hears of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import numpy as np

from client.events import EventStore
from client.home import ClientHome
from consent.correction import SECONDS_PER_DAY, Correction
from consent.events import Events
from crypto.errors import InvalidInputError


@dataclass(frozen=True, kw_only=True)
class Line:
    """What she bought of one item on one day.

    Attributes:
        item: as her purchases name it.
        day: its first second, Unix seconds (the shop's local time read as UTC).
        purchases: how many lines of the store these are.
        quantity: of all of them.
        price: paid in all; None where one of them has none.
        store: where; empty where unknown or in several.
    """

    item: str
    day: int
    purchases: int
    quantity: float
    price: float | None
    store: str


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What stays on this device; ``first`` and ``last`` are None where there is nothing."""

    lines: int
    baskets: int
    items: int
    first: int | None
    last: int | None

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return dict(vars(self))


def kept(home: ClientHome) -> Kept:
    """How much this device keeps, and of which time."""
    events = _events(home)
    return Kept(
        lines=len(events),
        baskets=len(set(events.basket)),
        items=len(set(events.item)),
        first=int(events.time.min()) if len(events) else None,
        last=int(events.time.max()) if len(events) else None,
    )


def own_lines(home: ClientHome, *, named: str = "") -> tuple[Line, ...]:
    """Her purchases by item and day, newest first; of items whose name holds ``named``."""
    events = _events(home)
    rows: dict[tuple[int, str], list[int]] = {}
    wanted = named.casefold()
    for place, (item, time) in enumerate(zip(events.item, events.time.tolist(), strict=True)):
        if wanted in item.casefold():
            rows.setdefault((time - time % SECONDS_PER_DAY, item), []).append(place)
    newest = sorted(rows, key=lambda key: (-key[0], key[1]))
    return tuple(_line(events, key, rows[key]) for key in newest)


def correct(home: ClientHome, item: str, day: str, values: Mapping[str, Any]) -> int:
    """Put right what she bought of an item on a day (``2026-11-30``); how many lines changed.

    Raises:
        WireError: a value out of bounds, or a column that lines don't have.
        InvalidInputError: the device keeps no purchases.
    """
    named = Correction.from_json({"item": item, "day": day, "values": dict(values)})
    return _apply(home, [named])[0]


def delete(home: ClientHome, item: str, day: str) -> int:
    """Delete what she bought of an item on a day; how many lines there were."""
    return _apply(home, [Correction.from_json({"item": item, "day": day, "delete": True})])[1]


def delete_item(home: ClientHome, item: str) -> int:
    """Delete every purchase of an item; how many lines there were."""
    days = {line.day for line in own_lines(home, named=item) if line.item == item}
    return _apply(home, [Correction(item=item, day=day) for day in sorted(days)])[1]


def _apply(home: ClientHome, corrections: Sequence[Correction]) -> tuple[int, int]:
    if not home.events.exists():
        raise InvalidInputError("There are no purchases on this device.")
    with EventStore.open(home.events) as store:
        return store.correct(f"local-{uuid4()}", home.shopper, corrections)


def _events(home: ClientHome) -> Events:
    if not home.events.exists():
        return Events.empty()
    with EventStore.open(home.events) as store:
        return store.of(home.shopper)


def _line(events: Events, key: tuple[int, str], places: list[int]) -> Line:
    day, item = key
    prices, stores = events.price[places], set(events.store[places])
    return Line(
        item=item,
        day=day,
        purchases=len(places),
        quantity=float(events.quantity[places].sum()),
        price=None if np.isnan(prices).any() else float(prices.sum()),
        store=stores.pop() if len(stores) == 1 else "",
    )
