"""Sending one webhook: to an address that was judged, without redirects, within a deadline."""

import socket
import threading
from pathlib import Path

import httpcore
import pytest

from consent.service.webhooks import sender
from consent.service.webhooks.addresses import Rules
from consent.service.webhooks.sender import Outcome, Sender
from tests.unit.consent.service.receivers import Receiver, certificate, receiving
from tests.unit.consent.service.webhook_calls import LOCAL, PUBLIC


def test_a_rebinding_name_gains_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer is judged and used; the second, a private one, is never asked for."""
    answers, connected = [[PUBLIC], ["127.0.0.1"]], []

    def connect(_self: object, host: str, *_: object) -> httpcore.NetworkStream:
        connected.append(host)
        raise httpcore.ConnectError

    monkeypatch.setattr(sender, "reachable", lambda *_: answers.pop(0))
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    outcome = Sender(rules=Rules()).send("https://rebinding.example.com/", {}, b"{}")
    assert (outcome.delivered, connected, len(answers)) == (False, [PUBLIC], 1)
    assert not receiver.arrived


@pytest.mark.parametrize("found", [["127.0.0.1"], [PUBLIC, "127.0.0.1"], ["::1"]])
def test_a_name_of_the_inside_is_not_connected_to(receiver: Receiver, found: list[str]) -> None:
    asked = Sender(rules=Rules(ports=(receiver.port,)), resolve=lambda *_: found)
    outcome = asked.send(f"https://inside.example.com:{receiver.port}/", {}, b"{}")
    assert outcome.word == "refused: the name resolves to an address that is not public"
    assert not receiver.arrived


def test_the_control_fires(receiver: Receiver) -> None:
    outcome = Sender(rules=LOCAL).send(
        f"http://localhost:{receiver.port}/in?x=1", {"webhook-id": "m"}, b"{}"
    )
    assert outcome == Outcome(delivered=True, word="status 204")
    [(path, headers, body)] = receiver.arrived
    assert (path, body, headers["Host"]) == ("/in?x=1", b"{}", f"localhost:{receiver.port}")


def test_redirects_and_proxies_are_not_followed(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as inside:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{inside.port}")
        receiver.status = 307
        receiver.headers = {"Location": f"http://127.0.0.1:{inside.port}/secret"}
        outcome = Sender(rules=LOCAL).send(f"http://127.0.0.1:{receiver.port}/", {}, b"{}")
        assert outcome == Outcome(delivered=False, word="status 307")
        assert (len(receiver.arrived), inside.arrived) == (1, [])


def test_a_long_answer_is_cut_off(receiver: Receiver) -> None:
    receiver.body = b"x" * 4_000_000
    assert Sender(rules=LOCAL).send(f"http://127.0.0.1:{receiver.port}/", {}, b"").delivered


def test_a_trickling_answer_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def trickle() -> None:
            peer, _ = server.accept()
            with peer:
                try:
                    while not done.wait(0.05):
                        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                except OSError:
                    pass

        thread = threading.Thread(target=trickle)
        thread.start()
        patient = Sender(rules=LOCAL, deadline_s=0.5)
        outcome = patient.send(f"http://127.0.0.1:{server.getsockname()[1]}/", {}, b"")
        done.set()
        thread.join()
    assert outcome == Outcome(delivered=False, word="timed out")


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    outcome = Sender(rules=LOCAL).send(f"http://127.0.0.1:{port}/", {}, b"")
    assert outcome == Outcome(delivered=False, word="no connection, or one that broke")


def test_tls_is_checked_against_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is pinned; the name stays in SNI, certificate check and Host."""
    serving, trust = certificate(tmp_path, "hooks.example.com")
    with receiving(serving) as secure:
        monkeypatch.setattr(sender, "reachable", lambda *_: ["127.0.0.1"])
        rules = Rules(ports=(secure.port,))
        good = Sender(rules=rules, trust=trust)
        assert good.send(f"https://hooks.example.com:{secure.port}/", {}, b"{}").delivered
        assert secure.names == ["hooks.example.com"]
        assert secure.arrived[0][1]["Host"] == f"hooks.example.com:{secure.port}"
        other = good.send(f"https://other.example.com:{secure.port}/", {}, b"{}")
        stranger = Sender(rules=rules).send(f"https://hooks.example.com:{secure.port}/", {}, b"{}")
    assert not other.delivered
    assert not stranger.delivered
    assert len(secure.arrived) == 1
