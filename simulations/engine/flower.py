"""Flower's own processes on this machine: a SuperLink, SuperNodes, and runs of our app.

Over TLS, and with node authentication: a SuperLink as it comes admits any SuperNode, this one only
those whose keys were registered before. Whoever reaches its address may register a key, though,
since Flower serves the nodes' API and the operator's on one port: on a network, keep the paths
/v1/control and /v1/runtime to the operator.

Every process has a FLWR_HOME of its own, as on machines of their own: Flower unpacks the app there
without a lock, so two that share one would race.
"""

import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from crypto.errors import FedcartError, InvalidInputError
from fedcart import QUIET
from simulations.engine.certificates import ServerCertificate, make_certificate, make_node_key
from simulations.engine.processes import Process, free_ports, listens, started

HOST = "127.0.0.1"
CONNECTION = "fedcart"
START_S = 120.0
COMMAND_S = 120.0
# How often a node looks for work (seconds); Flower's own default is 1.
WORK_POLL_S = 0.2
_APP = Path(__file__).resolve().parents[2]
_SCRIPTS = Path(sys.executable).parent


@dataclass(frozen=True, kw_only=True)
class SuperLink:
    """A running SuperLink, and the means to command it."""

    process: Process
    port: int
    folder: Path
    logs: Path
    certificate: ServerCertificate

    @property
    def address(self) -> str:
        """Where SuperNodes and the ``flwr`` command reach it."""
        return f"{HOST}:{self.port}"

    def register(self, keys: Sequence[Path]) -> None:
        """Admit SuperNodes by their public keys; do so before they start.

        Raises:
            FedcartError: the SuperLink refused one, or did not answer in time.
        """
        with ExitStack() as stack:
            asked = [
                stack.enter_context(
                    self._flwr(f"register-{number}", "supernode", "register", str(key), CONNECTION)
                )
                for number, key in enumerate(keys)
            ]
            for command in asked:
                _finish(command, timeout=COMMAND_S)

    def run(
        self, config: Mapping[str, str], *, nodes: Sequence["SuperNode"], timeout: float
    ) -> None:
        """Run our app with a run config, and wait for its end.

        Raises:
            FedcartError: the run failed or took longer than ``timeout`` seconds, or the SuperLink
                or a SuperNode ended meanwhile; the message has the end of the log that tells why.
        """
        if not (_APP / "pyproject.toml").is_file():
            raise InvalidInputError(
                f"{_APP} is not fedcart's source tree, which Flower bundles as its app; install "
                "fedcart editable (pip install -e)."
            )
        values = " ".join(f"{key}={json.dumps(value)}" for key, value in config.items())
        arguments = ("run", str(_APP), CONNECTION, "--run-config", values, "--stream")
        watched = (self.process, *(node.process for node in nodes))
        with self._flwr("run", *arguments) as command:
            _finish(command, timeout=timeout, watched=watched)
            status = self._status()
            if status != "finished:completed":
                raise command.failure(f"says that the run is {status}")

    def _status(self) -> str:
        arguments = ("ls", CONNECTION, "--limit", "1", "--format", "json")
        with self._flwr("status", *arguments) as command:
            _finish(command, timeout=COMMAND_S)
            found = re.search(r'"status":\s*"([^"]+)"', command.output())
        return found[1] if found else "unknown"

    @contextmanager
    def _flwr(self, name: str, *arguments: str) -> Iterator[Process]:
        home = self.folder / "operator"
        home.mkdir(exist_ok=True)
        lines = (
            "[superlink]",
            f"default = {json.dumps(CONNECTION)}",
            f"[superlink.{CONNECTION}]",
            f"address = {json.dumps(self.address)}",
            f"root-certificates = {json.dumps(str(self.certificate.authority))}",
        )
        (home / "config.toml").write_text("\n".join(lines) + "\n")
        log = self.logs / f"flwr-{name}.log"
        log.unlink(missing_ok=True)
        command = [_script("flwr"), *arguments]
        with started(f"flwr {name}", command, log=log, environment=environment(home)) as process:
            yield process


@dataclass(frozen=True, kw_only=True)
class SuperNode:
    """A running SuperNode."""

    name: str
    process: Process

    def await_connected(self) -> None:
        """Wait until the SuperLink has admitted it.

        Raises:
            FedcartError: it was refused, or was not admitted in time.
        """
        self.process.await_condition(
            lambda: "SuperNode ID:" in self.process.output(), what="connect", timeout=START_S
        )


@contextmanager
def superlink(folder: Path, *, logs: Path) -> Iterator[SuperLink]:
    """A SuperLink with TLS and node authentication, its state in ``folder``.

    Raises:
        FedcartError: it does not listen in time.
    """
    certificate = make_certificate(folder / "tls")
    (port,) = free_ports(1)
    command = [
        *(_script("flower-superlink"), "--host", HOST, "--port", str(port)),
        *("--database", str(folder / "superlink.db"), "--enable-supernode-auth"),
        *("--ssl-ca-certfile", str(certificate.authority)),
        *("--ssl-certfile", str(certificate.certificate)),
        *("--ssl-keyfile", str(certificate.key)),
    ]
    home = environment(folder / "superlink")
    with started("superlink", command, log=logs / "superlink.log", environment=home) as process:
        process.await_condition(lambda: listens(port), what="listen", timeout=START_S)
        yield SuperLink(
            process=process, port=port, folder=folder, logs=logs, certificate=certificate
        )


@contextmanager
def supernodes(
    link: SuperLink, configs: Mapping[str, Mapping[str, str]]
) -> Iterator[list[SuperNode]]:
    """A registered and connected SuperNode for each name, with its node config.

    Raises:
        FedcartError: one could not be registered, or did not connect in time.
    """
    folder = link.folder / "nodes"
    folder.mkdir(exist_ok=True)
    keys = {name: folder / f"{name}.key" for name in configs}
    link.register([make_node_key(key) for key in keys.values()])
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(supernode(link, name, keys[name], config, port=port))
            for (name, config), port in zip(configs.items(), free_ports(len(configs)), strict=True)
        ]
        stack.callback(_end_together, nodes)
        for node in nodes:
            node.await_connected()
        yield nodes


@contextmanager
def supernode(
    link: SuperLink, name: str, key: Path, config: Mapping[str, str], *, port: int
) -> Iterator[SuperNode]:
    """A SuperNode that shows a key to the SuperLink; it may not be admitted yet."""
    settings = " ".join(f"{field}={json.dumps(value)}" for field, value in config.items())
    command = [
        *(_script("flower-supernode"), "--superlink", link.address),
        *("--root-certificates", str(link.certificate.authority)),
        *("--auth-supernode-private-key", str(key)),
        *("--host", HOST, "--port", str(port), "--node-config", settings),
    ]
    log = link.logs / f"{name}.log"
    home = environment(link.folder / "nodes" / name)
    with started(name, command, log=log, environment=home) as process:
        yield SuperNode(name=name, process=process)


def _end_together(nodes: Sequence[SuperNode]) -> None:
    for node in nodes:
        node.process.signal(signal.SIGTERM)


def environment(home: Path) -> dict[str, str]:
    """The environment of a Flower process: quiet, on loopback, with a FLWR_HOME of its own."""
    return (
        os.environ
        | QUIET
        | {
            "FLWR_HOME": str(home),
            "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": str(WORK_POLL_S),
            "NO_PROXY": f"{HOST},localhost",
            # Empty is off: nodes compile the bundle once, not once a message.
            "PYTHONDONTWRITEBYTECODE": "",
            # Flower starts its own commands by name.
            "PATH": f"{_SCRIPTS}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONUNBUFFERED": "1",
        }
    )


def _script(name: str) -> str:
    path = _SCRIPTS / name
    if not path.is_file():
        raise FedcartError(f"Flower's command {path} is missing: install flwr beside fedcart.")
    return str(path)


def _finish(command: Process, *, timeout: float, watched: Sequence[Process] = ()) -> None:
    def ended() -> bool:
        for process in watched:
            process.require()
        return not command.running

    command.await_condition(ended, what="end", timeout=timeout)
    if command.child.returncode:
        raise command.failure(f"failed with exit code {command.child.returncode}")
