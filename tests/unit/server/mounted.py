"""What is made once of each key holder in a test run: its application and its opening key.

An application remembers nothing: whatever a key holder knows is in its station and on its disk. So
stations take their turns behind it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, cast

import pytest

from crypto.keyholder.service import app_of
from crypto.keyholder.station import Station
from crypto.sums.share_sum.open import OpeningKey

_idle: dict[bytes, list["Mounted"]] = {}


class Mounted:
    """The application of one key holder, before the station that answers at the moment."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self.app = app_of(cast(Station, self))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.station, name)

    @classmethod
    def take(cls, station: Station) -> "Mounted":
        """One that nobody uses, in front of this station."""
        waiting = _idle.get(station.holder.card.to_bytes())
        if not waiting:
            return cls(station)
        found = waiting.pop()
        found.station = station
        return found

    def give_back(self) -> None:
        """The next station of this key holder may have it."""
        _idle.setdefault(self.station.holder.card.to_bytes(), []).append(self)


@contextmanager
def opening_keys_read_once() -> Iterator[None]:
    """A key holder that starts reads its opening key; the same bytes are the same key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OpeningKey, "from_bytes", staticmethod(lru_cache(OpeningKey.from_bytes)))
        yield
