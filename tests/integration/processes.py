"""Services as processes of their own, each ended by its id."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


class ServiceProcess:
    """A Python program that prints ``{"ready": url}`` once it listens."""

    def __init__(self, arguments: Sequence[str | Path]) -> None:
        self._child = subprocess.Popen(
            [sys.executable, *map(str, arguments)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        assert line, "The service did not start."
        self.url = str(json.loads(line)["ready"])

    def kill(self) -> None:
        self._child.kill()
        self._left()

    def stop(self) -> None:
        if self._child.returncode is None:
            self._child.terminate()
            self._left()

    def _left(self) -> None:
        self._child.communicate(timeout=20)


@contextmanager
def running(*programs: Sequence[str | Path]) -> Iterator[list[ServiceProcess]]:
    started: list[ServiceProcess] = []
    try:
        for arguments in programs:
            started.append(ServiceProcess(arguments))  # noqa: PERF401 - each is stopped, come what may
        yield started
    finally:
        for service in started:
            service.stop()
