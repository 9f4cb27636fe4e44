"""Connections by URL: over the network, or to an application mounted in this process.

Simulations mount services under a URL instead of patching anything; a device that mounts nothing
always goes over the network.
"""

import threading

import httpx

_lock = threading.Lock()
_mounted: dict[str, httpx.BaseTransport] = {}
_open: dict[str, httpx.Client] = {}


def mount(url: str, transport: httpx.BaseTransport) -> None:
    """Serve ``url`` by a transport in this process from now on."""
    with _lock:
        _mounted[url] = transport
        _open.pop(url, None)


def unmount(url: str) -> None:
    """Undo ``mount``; clients made before keep the transport, whose owner closes it."""
    with _lock:
        _mounted.pop(url, None)
        _open.pop(url, None)


def connect(url: str) -> httpx.Client:
    """The process's client for a base URL; proxies of the environment are not used."""
    with _lock:
        if url not in _open:
            _open[url] = httpx.Client(
                base_url=url, timeout=60.0, trust_env=False, transport=_mounted.get(url)
            )
        return _open[url]


def disconnect(url: str) -> None:
    """Close the process's client for a base URL, if there is one."""
    with _lock:
        client = _open.pop(url, None)
    if client is not None:
        client.close()
