"""The services of a simulated federation: as processes on loopback, or mounted in this process."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from client.connection import connect, disconnect, mount, unmount
from consent.service.app import create_app as consent_app
from consent.service.inprocess import InProcessTransport
from consent.service.settings import Settings
from crypto.errors import FedcartError
from crypto.keyholder.home import load
from crypto.keyholder.peers import HttpVotes, Peer, read_card, set_peers
from crypto.keyholder.service import create_app as holder_app
from simulations.engine.processes import free_ports

START_S = 60.0
STOP_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Service:
    """A running service. ``process`` is None when it is mounted in this process."""

    url: str
    process: subprocess.Popen[str] | None = None

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process is None:
            unmount(self.url)
        else:
            self.process.kill()
            self.process.wait(STOP_S)


@contextmanager
def running(
    consent_home: Path, holder_homes: Sequence[Path], *, processes: bool, logs: Path | None = None
) -> Iterator[tuple[Service, list[Service]]]:
    """The consent service and the key holders, stopped at the end whatever happens.

    Args:
        consent_home: the consent service's home.
        holder_homes: the key holders' homes, in their order.
        processes: start each as a process; else they are mounted in this one.
        logs: folder for what the processes complain about; None leaves it on stderr.

    Raises:
        FedcartError: one of them did not come up within ``START_S`` seconds.
    """
    with ExitStack() as stack:
        if not processes:
            yield _mounted(consent_home, holder_homes, stack)
            return
        ports = free_ports(len(holder_homes))
        introduce(holder_homes, [f"http://127.0.0.1:{port}" for port in ports])
        commands = [["consent", "serve", "--home", str(consent_home), "--port", "0"]]
        commands += [
            ["keyholder", "serve", "--home", str(home), "--port", str(port)]
            for home, port in zip(holder_homes, ports, strict=True)
        ]
        names = ["consent", *(f"keyholder-{k}" for k in range(1, len(holder_homes) + 1))]
        started = [
            stack.enter_context(process(command, log=logs and logs / f"{name}.log"))
            for name, command in zip(names, commands, strict=True)
        ]
        urls = [await_ready(child) for child in started]
        for url in urls:
            stack.callback(disconnect, url)
        services = [
            Service(url=url, process=child) for url, child in zip(urls, started, strict=True)
        ]
        yield services[0], services[1:]


def introduce(homes: Sequence[Path], urls: Sequence[str]) -> None:
    """Tell key holders of each other: each pins the identities of the other two."""
    peers = []
    for home, url in zip(homes, urls, strict=True):
        card = read_card(home)
        peers.append(Peer(number=card.number, identity=card.identity, url=url))
    for place, home in enumerate(homes):
        set_peers(home, [*peers[:place], *peers[place + 1 :]])


def _mounted(
    consent_home: Path, holder_homes: Sequence[Path], stack: ExitStack
) -> tuple[Service, list[Service]]:
    apps = {"http://consent.in-process": consent_app(Settings.load(consent_home))}
    urls = [f"http://keyholder-{number}.in-process" for number in range(1, 1 + len(holder_homes))]
    introduce(holder_homes, urls)
    for url, home in zip(urls, holder_homes, strict=True):
        apps[url] = holder_app(load(home), source=HttpVotes(connect))
    for url, app in apps.items():
        transport = InProcessTransport(app)
        stack.callback(transport.close)
        mount(url, transport)
        stack.callback(unmount, url)
    consent, *holders = [Service(url=url) for url in apps]
    return consent, holders


@contextmanager
def process(
    arguments: Sequence[str], *, log: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A ``fedcart`` command as a child process, ended by its id; its stderr goes to ``log``."""
    command = [sys.executable, "-m", "fedcart", *arguments]
    with log.open("ab") if log else nullcontext() as errors:
        child = subprocess.Popen(  # noqa: S603 - our own command, no shell
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=os.environ.copy()
        )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(STOP_S)
        if child.stdout is not None:
            child.stdout.close()


def await_ready(child: subprocess.Popen[str]) -> str:
    """The URL of the JSON line that a service prints once it listens.

    Raises:
        FedcartError: it ended or said nothing in time.
    """
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and child.poll() is None:
        line = _line(child.stdout, deadline)
        if line.startswith("{"):
            return str(json.loads(line)["ready"])
    raise FedcartError(f"A service did not start: {child.args!r}. Run it by hand to see why.")


def _line(stream: IO[str] | None, deadline: float) -> str:
    if stream is None:
        return ""
    ready, _, _ = select.select([stream], [], [], max(0.0, deadline - time.monotonic()))
    return stream.readline() if ready else ""
