"""A population: who shops where, and what, as every scenario and evaluation sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from client.importers.times import Clock
from consent.events import Events
from consent.tasks.catalogue import Catalogue
from crypto.errors import InvalidInputError


@dataclass(frozen=True, kw_only=True)
class Population:
    """Shoppers with their events, and the clients that stand for them.

    Attributes:
        name: of the data set.
        note: what a reader must know about the data (origin, what was left out).
        catalogue: the public item list at the recommended level.
        events: all purchase lines, sorted by shopper, then time, then basket.
        stores: silo id to the shoppers whose home store it is.
        devices: shoppers who are clients of their own.
        groups: shopper to stated group labels (e.g. {"age": "65+"}); may cover only some.
        clock: what the events' times are worth; a rhythm, weekday or season may be read only from
            times that have it.
    """

    name: str
    note: str
    catalogue: Catalogue
    events: Events
    stores: Mapping[str, tuple[str, ...]]
    devices: tuple[str, ...]
    groups: Mapping[str, Mapping[str, str]]
    clock: Clock = Clock.WALL

    @cached_property
    def _ranges(self) -> dict[str, tuple[int, int]]:
        shopper = self.events.shopper
        if not len(shopper):
            return {}
        starts = np.flatnonzero(np.concatenate(([True], shopper[1:] != shopper[:-1])))
        edges = [*starts.tolist(), len(self.events)]
        ranges = {str(shopper[low]): (low, high) for low, high in pairwise(edges)}
        if len(ranges) != len(starts):
            raise InvalidInputError("A population's events are sorted by shopper; these are not.")
        return ranges

    @property
    def shoppers(self) -> tuple[str, ...]:
        """All shoppers, in the order of their events."""
        return tuple(self._ranges)

    @property
    def clients(self) -> int:
        """Number of clients: silos and devices."""
        return len(self.stores) + len(self.devices)

    def of(self, shopper: str) -> Events:
        """One shopper's events, oldest first."""
        low, high = self._ranges[shopper]
        return self.events.take(np.arange(low, high))
