"""``fedcart device serve``: on loopback alone, and nothing is told before it listens."""

import socket
import threading
import webbrowser
from typing import Any

import httpx
import pytest
import uvicorn

from client.page import serve as serving
from crypto.errors import FedcartError
from tests.unit.client.shop import Shop


def test_it_listens_on_loopback_before_it_tells_an_address(
    ready: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    opened: list[str] = []
    seen: list[Any] = []

    def run(self: uvicorn.Server, sockets: list[socket.socket]) -> None:
        seen.append(sockets[0].getsockname())

    monkeypatch.setattr(uvicorn.Server, "run", run)
    monkeypatch.setattr(webbrowser, "open", opened.append)
    serving.serve(ready.home, ready.releases, port=free(), show=told.append, open_it=True)
    assert seen[0][0] == "127.0.0.1"
    assert told == opened
    assert f":{seen[0][1]}/open?key=" in told[0]


def test_a_taken_port_tells_no_address(ready: Shop) -> None:
    told: list[str] = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(FedcartError, match=f"Port {port} can't be used"):
            serving.serve(ready.home, ready.releases, port=port, show=told.append, open_it=False)
    assert told == []


def test_a_real_server_lets_one_browser_in(ready: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    servers: list[uvicorn.Server] = []
    run = uvicorn.Server.run

    def remembered(self: uvicorn.Server, sockets: list[socket.socket]) -> None:
        servers.append(self)
        run(self, sockets)

    monkeypatch.setattr(uvicorn.Server, "run", remembered)
    monkeypatch.setattr(uvicorn.Server, "install_signal_handlers", lambda _: None, raising=False)
    told: list[str] = []
    there = threading.Event()

    def show(address: str) -> None:
        told.append(address)
        there.set()

    thread = threading.Thread(
        target=serving.serve,
        args=(ready.home, ready.releases),
        kwargs={"port": free(), "show": show, "open_it": False},
    )
    thread.start()
    assert there.wait(20)
    try:
        transport = httpx.HTTPTransport(retries=5)
        with httpx.Client(transport=transport, trust_env=False, timeout=20) as browser:
            assert browser.get(told[0], follow_redirects=True).status_code == 200
            assert browser.get(told[0]).status_code == 403
        assert len(told) == 2
    finally:
        servers[0].should_exit = True
        thread.join(20)
    assert not thread.is_alive()


def free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
