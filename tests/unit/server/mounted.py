"""Applications of key holders, each made once in a test run: stations take their turns behind them.

An application remembers nothing: whatever a key holder knows is in its station and on its disk.
"""

from typing import Any, cast

from crypto.keyholder.service import app_of
from crypto.keyholder.station import Station

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
