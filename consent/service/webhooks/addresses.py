"""Where webhooks may go: what an operator may name, and which addresses are really connected to.

A name is judged twice. As it is subscribed, by its form alone: one strict pattern, so that no two
parsers can read different hosts out of it. As it is used, by *every* address that it resolves to:
all must be public ones. The connection then goes to one of exactly these addresses, so a name that
answers differently a moment later changes nothing.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from crypto.errors import ConsentError, InvalidInputError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]

MAX_URL: Final = 512
PORTS: Final = frozenset({443, 8443})
_URL: Final = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:.]{2,45}\]|[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<target>/[A-Za-z0-9\-._~%!$&'()*+,;=:@/]*(?:\?[A-Za-z0-9\-._~%!$&'()*+,;=:@/?]*)?)?"
)
_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
# Addresses that mean something special, and those that carry another one inside, which a gateway
# on the way may unwrap. Python knows most of them by itself; which ones depends on its release.
_SPECIAL: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",  # shared by carriers
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # relays of 6to4
        "198.18.0.0/15",  # benchmarks
        "::/96",  # IPv4-compatible
        "::ffff:0:0/96",  # IPv4-mapped
        "::ffff:0:0:0/96",  # IPv4-translated
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # NAT64, local
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)


_ROUTED: Final = ipaddress.ip_network("2000::/3")  # all of IPv6 that is handed out


class RefusedAddressError(ConsentError):
    """Nothing is sent there: the name has no address, or one that is not public."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What is allowed beyond the default.

    Attributes:
        loopback: also ``http://`` and any port, to this machine only; for tests and the demo.
        ports: ports beside 443 and 8443.
    """

    loopback: bool = False
    ports: Collection[int] = ()


@dataclass(frozen=True, kw_only=True)
class Target:
    """A subscribed URL in its parts, from which the request is built; the text isn't read again."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the Host header says."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"https": 443, "http": 80}[self.scheme]
        return shown if self.port == usual else f"{shown}:{self.port}"


def parse(url: str, rules: Rules) -> Target:
    """Read a URL that an operator names.

    Raises:
        InvalidInputError: not of the form, or a scheme, host or port that is not allowed.
    """
    found = _URL.fullmatch(url) if len(url) <= MAX_URL else None
    if found is None:
        raise InvalidInputError(
            f"A webhook's URL is https://host/path in lower-case ASCII with at most {MAX_URL} "
            "characters, without user, password or fragment; write other names in punycode."
        )
    scheme, host = found["scheme"], found["host"].strip("[]")
    port = int(found["port"] or {"https": 443, "http": 80}[scheme])
    local = rules.loopback and _is_loopback(host)
    if not local:
        _check_public(scheme, host, port, rules)
    if port > 65535:
        raise InvalidInputError(f"A port is at most 65535; got {port}.")
    return Target(scheme=scheme, host=host, port=port, path=found["target"] or "/")


def reachable(target: Target, rules: Rules, resolve: Resolve) -> list[str]:
    """Every address of a target, all of which may be connected to.

    Raises:
        RefusedAddressError: there is none, or one of them may not.
    """
    try:
        found = resolve(target.host, target.port)
        addresses = [ipaddress.ip_address(text) for text in dict.fromkeys(found)]
    except (OSError, ValueError) as error:
        raise RefusedAddressError("the name does not resolve") from error
    if not addresses:
        raise RefusedAddressError("the name does not resolve")
    local = rules.loopback and _is_loopback(target.host)
    if not all(address.is_loopback if local else is_public(address) for address in addresses):
        raise RefusedAddressError("the name resolves to an address that is not public")
    return [str(address) for address in addresses]


def is_public(address: Address) -> bool:
    """Whether anybody on the Internet has this address, itself and not wrapped in another."""
    refused = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or getattr(address, "scope_id", None) is not None
    )
    special = any(address in network for network in _SPECIAL if network.version == address.version)
    routed = address.version == 4 or address in _ROUTED
    return address.is_global and routed and not refused and not special


def resolve_by_system(host: str, port: int) -> list[str]:
    """The addresses that the system's resolver has for a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _check_public(scheme: str, host: str, port: int, rules: Rules) -> None:
    if scheme != "https":
        raise InvalidInputError("A webhook's URL begins with https://.")
    allowed = PORTS | frozenset(rules.ports)
    if port not in allowed:
        raise InvalidInputError(
            f"Webhooks go to the ports {', '.join(map(str, sorted(allowed)))}; got {port}. "
            "The service's settings can allow others as webhook_ports."
        )
    literal = _literal(host)
    if literal is not None:
        named = is_public(literal) and str(literal) == host
    else:
        labels = host.split(".")
        named = (
            len(labels) > 1
            and all(_LABEL.fullmatch(label) for label in labels)
            and not labels[-1].isdecimal()
            and not labels[-1].startswith("0x")
        )
    if not named:
        raise InvalidInputError("A webhook's host is a public name or a public address.")


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    literal = _literal(host)
    return host == "localhost" if literal is None else literal.is_loopback
