"""Which network address a request comes from, as far as that can be trusted.

``X-Forwarded-For`` is written by whoever sends it. Only its last entries come from the operator's
own proxies, one each, and ``Settings.trusted_proxies`` says how many there are: with none, the
header is never read. An IPv6 address stands for its /64, because one subscriber has all of it.
"""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Annotated, Final

from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.types import Scope

UNKNOWN: Final = "unknown"


def peer(scope: Scope, *, trusted_proxies: int) -> str:
    """The address of whoever sent a request; ``unknown`` where the socket has none."""
    direct = _socket(scope)
    if trusted_proxies == 0:
        return direct
    named = ",".join(Headers(scope=scope).getlist("x-forwarded-for")).split(",")
    if len(named) < trusted_proxies:  # it did not come through all of the proxies
        return direct
    return _address(named[-trusted_proxies].strip()) or direct


def _socket(scope: Scope) -> str:
    client = scope.get("client")
    return UNKNOWN if client is None else _address(client[0]) or UNKNOWN


def _address(text: str) -> str | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((int(found), 64), strict=False))


async def _peer(request: Request) -> str:
    settings = request.app.state.context.settings
    return peer(request.scope, trusted_proxies=settings.trusted_proxies)


PeerDep = Annotated[str, Depends(_peer)]
