"""Connections by URL: over the network, or to an application mounted in this process.

Simulations mount services under a URL instead of patching anything; a device that mounts nothing
always goes over the network.
"""

from functools import lru_cache

import httpx

_mounted: dict[str, httpx.BaseTransport] = {}


def mount(url: str, transport: httpx.BaseTransport) -> None:
    """Serve ``url`` by a transport in this process from now on."""
    _mounted[url] = transport
    connect.cache_clear()


def unmount(url: str) -> None:
    """Undo ``mount``."""
    _mounted.pop(url, None)
    connect.cache_clear()


@lru_cache(maxsize=16)
def connect(url: str) -> httpx.Client:
    """The process's client for a base URL; proxies of the environment are not used."""
    return httpx.Client(base_url=url, timeout=60.0, trust_env=False, transport=_mounted.get(url))
