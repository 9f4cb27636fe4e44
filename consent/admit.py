"""Admission: the only way from raw events to events that a task may see.

``admit`` hands over nothing unless purchases are granted, and blanks what was not: without
``TIME_CONTEXT`` the hour (the day stays, it belongs to the purchase), without ``LOCATION`` the
store, without ``SENSITIVE`` the lines of sensitive product classes.
"""

from collections.abc import Set as AbstractSet
from dataclasses import InitVar, dataclass, replace

import numpy as np

from consent.events import Events
from consent.purpose import Category, Purpose
from crypto.errors import ConsentError

SECONDS_PER_DAY = 86_400
_DOOR = object()


@dataclass(frozen=True, kw_only=True, repr=False)
class ConsentedEvents:
    """One shopper's events, reduced to what she granted for one purpose. Made only by ``admit``."""

    events: Events
    purpose: Purpose
    categories: frozenset[Category]
    door: InitVar[object]

    def __post_init__(self, door: object) -> None:
        if door is not _DOOR:
            raise TypeError("ConsentedEvents are made by consent.admit.admit alone.")

    def __repr__(self) -> str:
        return f"ConsentedEvents({len(self.events)} lines, {self.purpose})"

    def __reduce__(self) -> str:
        raise TypeError("ConsentedEvents must not leave the client: contribute a sealed update.")


def admit(
    events: Events,
    *,
    purpose: Purpose,
    categories: AbstractSet[Category],
    sensitive_items: AbstractSet[str],
) -> ConsentedEvents:
    """Reduce one shopper's events to the granted categories.

    Args:
        events: hers alone.
        purpose: what for.
        categories: what she granted for it.
        sensitive_items: ids of the items of sensitive classes, as the public item list has them;
            their lines stay behind without ``SENSITIVE``.

    Raises:
        ConsentError: purchases are not among the granted categories, or the lines belong to more
            than one shopper (a grant is one shopper's).
    """
    if Category.PURCHASES not in categories:
        raise ConsentError(f"Purchases are not granted for {purpose}: no events are handed over.")
    if len(events) and len(set(events.shopper)) != 1:
        raise ConsentError("Events of several shoppers were offered under one grant.")
    if Category.SENSITIVE not in categories and sensitive_items:
        keep = np.fromiter((name not in sensitive_items for name in events.item), bool, len(events))
        events = events.take(keep)
    if Category.TIME_CONTEXT not in categories:
        events = replace(events, time=events.time - events.time % SECONDS_PER_DAY)
    if Category.LOCATION not in categories:
        blank = np.full(len(events), "", dtype=object)
        events = replace(events, store=blank)
    return ConsentedEvents(
        events=events, purpose=purpose, categories=frozenset(categories), door=_DOOR
    )
