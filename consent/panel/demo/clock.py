"""The demo's time: moved by hand while months of history are made, then this machine's own."""

import time


class DemoClock:
    """Unix seconds, for ``Settings.clock``."""

    def __init__(self, start: float) -> None:
        self._now: float | None = start

    def __call__(self) -> float:
        """What time it is in the demo."""
        return time.time() if self._now is None else self._now

    def move(self, seconds: float) -> None:
        """Let time pass at once; never beyond the present.

        Raises:
            ValueError: the demo runs already, in real time.
        """
        if self._now is None:
            raise ValueError("The demo's clock runs by itself now.")
        self._now = min(self._now + seconds, time.time())

    def run(self) -> None:
        """From now on, real time."""
        self._now = None
