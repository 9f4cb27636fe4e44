"""Taking part in rounds: the Flower SuperNode of a store, told what it needs and no more."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from client.home import ClientHome
from crypto.errors import FedcartError, InvalidInputError


@dataclass(frozen=True, kw_only=True)
class Link:
    """Where the coordinator's SuperLink is, and how it and this node know each other.

    Attributes:
        superlink: its host and port.
        authority: PEM file of whoever signs its certificate; None only without TLS.
        key: this node's private key (EC P-384, PEM), which the operator registered; None where the
            SuperLink admits any node.
        listen: host and port that this node's own processes use.
    """

    superlink: str
    authority: Path | None
    key: Path | None
    listen: tuple[str, int]


def node_command(home: ClientHome, link: Link) -> list[str]:
    """The command of a store's SuperNode.

    Raises:
        InvalidInputError: a key without TLS, which would be shown to whoever listens.
        FedcartError: Flower is not installed beside fedcart.
    """
    program = Path(sys.executable).with_name("flower-supernode")
    if not program.is_file():
        raise FedcartError(f"Flower's command {program} is missing: install flwr beside fedcart.")
    if link.key is not None and link.authority is None:
        raise InvalidInputError("A node's key needs TLS: name the SuperLink's authority.")
    host, port = link.listen
    command = [str(program), "--superlink", link.superlink, "--host", host, "--port", str(port)]
    if link.authority is None:
        command.append("--insecure")
    else:
        command += ["--root-certificates", str(link.authority)]
    if link.key is not None:
        command += ["--auth-supernode-private-key", str(link.key)]
    return [*command, "--node-config", f"home={json.dumps(str(home.path.resolve()))}"]


def node_environment(home: ClientHome, inherited: Mapping[str, str]) -> dict[str, str]:
    """What that command finds in its environment; Flower's own files go into the store's home.

    The command ``fedcart`` has told Flower already to be quiet and to install nothing.
    """
    folder = str(Path(sys.executable).parent)
    return {
        **inherited,
        "FLWR_HOME": str(home.path.resolve() / "flower"),
        "PATH": f"{folder}:{inherited.get('PATH', '')}",  # Flower starts its own commands by name
    }
