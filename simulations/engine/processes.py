"""Processes of a federation on this machine: each with its log, each ended with all it started.

Every process leads a process group of its own. Some of Flower's leave the group of their parent,
so each process also carries a mark in its environment, which descendants inherit and which Linux
shows; elsewhere they end by themselves when they miss their parent.
"""

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from crypto.errors import FedcartError

MARK = "FEDCART_FAMILY"
POLL_S = 0.1
STOP_S = 15.0
TAIL_LINES = 15


@dataclass(frozen=True, kw_only=True)
class Process:
    """A running process that writes its output to ``log``; ``mark`` is its family's."""

    name: str
    log: Path
    mark: str
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
        """End it and everything that it started: asked to at first, killed if that takes long.

        Raises:
            FedcartError: something of it is still there after it was killed.
        """
        self.signal(signal.SIGTERM)
        if self._gone():
            return
        self.signal(signal.SIGKILL)
        for each in family(self.mark):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        if not self._gone():
            raise self.failure(f"(process {self.child.pid}) left processes behind")

    def _gone(self) -> bool:
        """Whether it and all its descendants end within ``STOP_S`` seconds."""
        deadline = time.monotonic() + STOP_S
        while self.running or family(self.mark):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True


def family(mark: str) -> list[int]:
    """Ids of the processes that carry a mark; none where the system does not show it."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if wanted in file.read_bytes().split(b"\0"):
                found.append(int(file.parent.name))
    return found


@contextmanager
def started(
    name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str]
) -> Iterator[Process]:
    """A command as a child process, ended with all its descendants whatever happens."""
    mark = secrets.token_hex(16)
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603 - our own commands, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**environment, MARK: mark},
            start_new_session=True,
        )
    process = Process(name=name, log=log, mark=mark, child=child)
    try:
        yield process
    finally:
        process.stop()


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
