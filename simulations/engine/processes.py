"""Processes of a federation on this machine: each with its log, each ended with all it started.

Every process leads a process group of its own. Its log file is locked by the process and by every
descendant that writes there, so that a free lock means that nothing of it is left.
"""

import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from crypto.errors import FedcartError

POLL_S = 0.1
STOP_S = 15.0
TAIL_LINES = 15


@dataclass(frozen=True, kw_only=True)
class Process:
    """A running process that writes its output to ``log``."""

    name: str
    log: Path
    child: subprocess.Popen[bytes]

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.child.poll() is None

    def output(self) -> str:
        """What it has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def failure(self, what: str) -> FedcartError:
        """An error about this process, with the last lines of its log."""
        tail = "\n".join(self.output().splitlines()[-TAIL_LINES:])
        return FedcartError(f"{self.name} {what}. The end of {self.log}:\n{tail}")

    def require(self) -> None:
        """Check that it still runs.

        Raises:
            FedcartError: it has ended; the message has the end of its log.
        """
        if not self.running:
            raise self.failure(f"ended with exit code {self.child.returncode}")

    def await_condition(self, met: Callable[[], bool], *, what: str, timeout: float) -> None:
        """Wait until ``met``, while the process runs.

        Raises:
            FedcartError: it ended before, or ``timeout`` seconds passed.
        """
        deadline = time.monotonic() + timeout
        while not met():
            self.require()
            if time.monotonic() > deadline:
                raise self.failure(f"did not {what} within {timeout:.0f} s")
            time.sleep(POLL_S)

    def signal(self, number: signal.Signals) -> None:
        """Signal its whole group, unless it has ended."""
        if self.running:
            with suppress(ProcessLookupError):
                os.killpg(self.child.pid, number)

    def stop(self) -> None:
        """End it and everything that it started.

        Raises:
            FedcartError: something of it is still there after it was killed.
        """
        self.signal(signal.SIGTERM)
        try:
            self.child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.child.wait(STOP_S)
        deadline = time.monotonic() + STOP_S
        while not _lock(self.log):
            if time.monotonic() > deadline:
                raise self.failure(f"(process {self.child.pid}) left processes behind")
            time.sleep(POLL_S)


@contextmanager
def started(
    name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str]
) -> Iterator[Process]:
    """A command as a child process, ended with all its descendants whatever happens."""
    with log.open("ab") as output:
        fcntl.flock(output, fcntl.LOCK_EX)
        child = subprocess.Popen(  # noqa: S603 - our own commands, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
    process = Process(name=name, log=log, child=child)
    try:
        yield process
    finally:
        process.stop()


def _lock(path: Path) -> bool:
    """Whether nobody holds the lock of a log."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """So many different TCP ports that are free on loopback at this moment."""
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [each.getsockname()[1] for each in sockets]


def listens(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True
