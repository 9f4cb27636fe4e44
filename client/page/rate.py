"""A bound on requests by one caller: so many at once, and so many a minute."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Bucket:
    """A token bucket for each name; names that have been quiet for long are dropped.

    Attributes:
        at_once: how many requests may come together.
        per_minute: how many a minute in the long run.
    """

    at_once: int
    per_minute: float
    clock: Callable[[], float] = time.monotonic
    _left: dict[str, tuple[float, float]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def admits(self, name: str) -> bool:
        """Whether one more request by this name fits; it is counted if so."""
        with self._lock:
            now = self.clock()
            self._sweep(now)
            left, before = self._left.get(name, (float(self.at_once), now))
            left = min(float(self.at_once), left + (now - before) * self.per_minute / 60)
            fits = left >= 1
            self._left[name] = (left - fits, now)
            return fits

    def _sweep(self, now: float) -> None:
        full_after = 60 * self.at_once / self.per_minute
        for name in [name for name, (_, at) in self._left.items() if now - at > full_after]:
            del self._left[name]
