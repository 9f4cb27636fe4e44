"""Webhooks: signed, delivered at least once and by one worker at a time, and only to the public."""

import ipaddress
import json
import re
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpcore
import pytest
import time_machine
from standardwebhooks import Webhook, WebhookVerificationError

from consent.service.audit.reading import verify
from consent.service.principals import Role
from consent.service.webhooks import delivery, sender
from consent.service.webhooks.addresses import (
    RefusedAddressError,
    Rules,
    Target,
    is_public,
    parse,
    reachable,
)
from consent.service.webhooks.delivery import DELAYS_S, MAX_ATTEMPTS, deliver
from consent.service.webhooks.repository import OutboxRepository
from consent.service.webhooks.sender import Outcome, Sender
from consent.service.webhooks.service import Kind, emit
from crypto.errors import InvalidInputError
from tests.conftest import NewDatabase
from tests.unit.consent.harness import GIVE, WITHDRAW, Stage
from tests.unit.consent.service.operators import Caller, auditor, bearer, login, operator
from tests.unit.consent.service.receivers import Receiver, certificate, receiving

ALL = [kind.value for kind in Kind]
PUBLIC = "203.0.113.7"  # reserved for documentation: no test ever connects to it
DAY = 24 * 3600
LOCAL = Rules(loopback=True)


@pytest.fixture
def local(tmp_path: Path, new_database: NewDatabase) -> Iterator[Stage]:
    made = Stage(tmp_path / "local", database=new_database, webhooks_allow_loopback=True)
    yield made
    made.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def subscribe(caller: Caller, url: str, kinds: list[str] = ALL) -> Any:
    answer = caller.post("/v1/webhooks", {"url": url, "kinds": kinds})
    assert answer.status_code == 201, answer.text
    return answer.json()


def tell(stage: Stage, **data: object) -> None:
    with stage.context.database.writing() as session:
        emit(stage.context, session, "request.created", data)


def log_of(caller: Caller, endpoint: str) -> list[Any]:
    found: list[Any] = caller.get(f"/v1/webhooks/{endpoint}/deliveries").json()["deliveries"]
    return found


class Scripted(Sender):
    """A sender that answers from a list and touches no network."""

    def __init__(self, *outcomes: Outcome) -> None:
        super().__init__(rules=LOCAL)
        object.__setattr__(self, "outcomes", list(outcomes))
        object.__setattr__(self, "sent", [])

    def send(self, url: str, headers: Any, body: bytes) -> Outcome:
        self.sent.append((url, dict(headers), body))  # type: ignore[attr-defined]
        return self.outcomes.pop(0) if self.outcomes else DOWN  # type: ignore[attr-defined]


DOWN = Outcome(delivered=False, word="status 500")
DONE = Outcome(delivered=True, word="status 204")


class TestAddresses:
    @pytest.mark.parametrize(
        "url",
        [
            "http://example.com/",
            "https://user@example.com/",
            "https://user:pass@example.com/",
            "https://example.com@127.0.0.1/",
            "https://example.com\\@127.0.0.1/",
            "https://example.com#@127.0.0.1/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://10.0.0.8/",
            "https://172.16.0.1/",
            "https://192.168.1.1/",
            "https://100.64.0.1/",
            "https://169.254.169.254/latest/meta-data/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://0.0.0.0/",
            "https://[::1]/",
            "https://[::]/",
            "https://[fe80::1]/",
            "https://[fc00::1]/",
            "https://[ff0e::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:8.8.8.8]/",
            "https://[::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[64:ff9b:1::7f00:1]/",
            "https://[2001:0:7f00:1::]/",
            "https://[fe80::1%25eth0]/",
            "https://localhost/",
            "https://intranet/",
            "https://example.com./",
            "https://example.com:22/",
            "https://example.com:0443/",
            "https://example.com:99999/",
            "https://example.com:/",
            "https://EXAMPLE.com/",
            "https://exämple.com/",
            "https://example.com/a b",
            "https://example.com/a\r\nHost: x",
            "https://example.com/\x00",
            "https://example..com/",
            "https://-x.example.com/",
            "https:///path",
            "https://",
            "//example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://example.com/",
            "https://example.com/" + "a" * 600,
            "",
        ],
    )
    def test_hostile_urls_are_refused(self, url: str) -> None:
        with pytest.raises(InvalidInputError) as refused:
            parse(url, Rules())
        assert "169.254" not in str(refused.value)

    @pytest.mark.parametrize(
        ("url", "authority", "path"),
        [
            ("https://example.com", "example.com", "/"),
            (
                "https://hooks.example.com:8443/in?a=1&b=%20",
                "hooks.example.com:8443",
                "/in?a=1&b=%20",
            ),
            ("https://xn--exmple-cua.com/x", "xn--exmple-cua.com", "/x"),
            ("https://8.8.8.8/x", "8.8.8.8", "/x"),
            ("https://[2606:4700::1111]/x", "[2606:4700::1111]", "/x"),
        ],
    )
    def test_public_ones_are_read(self, url: str, authority: str, path: str) -> None:
        target = parse(url, Rules())
        assert (target.authority, target.path) == (authority, path)

    def test_settings_widen_ports_and_nothing_else(self) -> None:
        assert parse("https://example.com:9443/", Rules(ports=(9443,))).port == 9443
        for url in ("https://127.0.0.1:9443/", "http://example.com:9443/"):
            with pytest.raises(InvalidInputError):
                parse(url, Rules(ports=(9443,)))

    def test_loopback_is_for_loopback_only(self) -> None:
        for url in ("http://127.0.0.1:8000/x", "http://localhost:1/", "http://[::1]:80/"):
            assert parse(url, LOCAL).scheme == "http"
        for url in ("http://example.com/", "http://10.0.0.1/", "http://127.0.0.1.example.com/"):
            with pytest.raises(InvalidInputError):
                parse(url, LOCAL)
        with pytest.raises(RefusedAddressError):
            reachable(parse("http://localhost:1/", LOCAL), LOCAL, lambda *_: ["10.0.0.1"])

    @pytest.mark.parametrize(
        "found",
        [
            [],
            ["127.0.0.1"],
            ["8.8.8.8", "10.0.0.1"],
            ["8.8.8.8", "::1"],
            ["169.254.169.254"],
            ["::ffff:10.0.0.1"],
            ["2002:a00:1::1"],
            ["64:ff9b::a00:1"],
            ["fe80::1%2"],
            ["224.0.0.1"],
            ["100.64.1.1"],
            ["192.0.0.8"],
            ["fec0::1"],
            ["3fff::1"],
            ["5f00::1"],
            ["2001:db8::1"],
            ["198.18.0.1"],
            ["240.0.0.1"],
            ["not an address"],
        ],
    )
    def test_every_address_of_a_name_must_be_public(self, found: list[str]) -> None:
        with pytest.raises(RefusedAddressError):
            reachable(parse("https://example.com/", Rules()), Rules(), lambda *_: found)

    def test_public_addresses_pass(self) -> None:
        target = parse("https://example.com/", Rules())
        found = ["8.8.8.8", "2606:4700::1111"]
        assert reachable(target, Rules(), lambda *_: found) == found

    def test_a_name_that_does_not_resolve_is_refused(self) -> None:
        def fails(*_: object) -> list[str]:
            raise socket.gaierror

        with pytest.raises(RefusedAddressError):
            reachable(parse("https://example.com/", Rules()), Rules(), fails)


class TestSender:
    def test_a_rebinding_name_gains_nothing(
        self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
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
    def test_a_name_of_the_inside_is_not_connected_to(
        self, receiver: Receiver, found: list[str]
    ) -> None:
        asked = Sender(rules=Rules(ports=(receiver.port,)), resolve=lambda *_: found)
        outcome = asked.send(f"https://inside.example.com:{receiver.port}/", {}, b"{}")
        assert outcome.word == "refused: the name resolves to an address that is not public"
        assert not receiver.arrived

    def test_the_control_fires(self, receiver: Receiver) -> None:
        outcome = Sender(rules=LOCAL).send(
            f"http://localhost:{receiver.port}/in?x=1", {"webhook-id": "m"}, b"{}"
        )
        assert outcome == Outcome(delivered=True, word="status 204")
        [(path, headers, body)] = receiver.arrived
        assert (path, body, headers["Host"]) == ("/in?x=1", b"{}", f"localhost:{receiver.port}")

    def test_redirects_and_proxies_are_not_followed(
        self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with receiving() as inside:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "https_proxy"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{inside.port}")
            receiver.status = 307
            receiver.headers = {"Location": f"http://127.0.0.1:{inside.port}/secret"}
            outcome = Sender(rules=LOCAL).send(f"http://127.0.0.1:{receiver.port}/", {}, b"{}")
            assert outcome == Outcome(delivered=False, word="status 307")
            assert (len(receiver.arrived), inside.arrived) == (1, [])

    def test_a_long_answer_is_cut_off(self, receiver: Receiver) -> None:
        receiver.body = b"x" * 4_000_000
        assert Sender(rules=LOCAL).send(f"http://127.0.0.1:{receiver.port}/", {}, b"").delivered

    def test_a_trickling_answer_ends_at_the_deadline(self) -> None:
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

    def test_nobody_there(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        outcome = Sender(rules=LOCAL).send(f"http://127.0.0.1:{port}/", {}, b"")
        assert outcome == Outcome(delivered=False, word="no connection, or one that broke")

    def test_tls_is_checked_against_the_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
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
            stranger = Sender(rules=rules).send(
                f"https://hooks.example.com:{secure.port}/", {}, b"{}"
            )
        assert not other.delivered
        assert not stranger.delivered
        assert len(secure.arrived) == 1


class TestSubscribing:
    def test_from_the_change_to_a_verified_message(self, local: Stage, receiver: Receiver) -> None:
        caller = operator(local)
        made = subscribe(caller, f"http://127.0.0.1:{receiver.port}/hooks", ["consent.withdrawn"])
        device = local.device(decisions=GIVE)
        local.decide(device, WITHDRAW)
        assert deliver(local.context) == delivery.Pass(delivered=1)
        [(_, headers, body)] = receiver.arrived
        with time_machine.travel(local.clock.now, tick=False):
            told = Webhook(made["secret"]).verify(body, headers)
            with pytest.raises(WebhookVerificationError):
                Webhook("whsec_" + "A" * 43 + "=").verify(body, headers)
            with pytest.raises(WebhookVerificationError):
                Webhook(made["secret"]).verify(body + b" ", headers)
        assert told["type"] == "consent.withdrawn"
        assert told["data"] == {"shopper": device.shopper, "epoch": 2}
        [entry] = log_of(caller, made["endpoint"]["id"])
        assert (entry["status"], entry["outcome"]) == ("delivered", "status 204")
        assert entry["message"] == headers["webhook-id"]
        assert deliver(local.context) == delivery.Pass()

    def test_the_secret_is_shown_once_and_stored_nowhere(self, local: Stage) -> None:
        caller = operator(local)
        made = subscribe(caller, "https://example.com/hooks")
        shown = caller.get(f"/v1/webhooks/{made['endpoint']['id']}").text
        shown += caller.get("/v1/webhooks").text + caller.get("/v1/audit").text
        assert made["secret"].removeprefix("whsec_") not in shown
        if isinstance(local.settings.database, Path):
            kept = local.settings.database.read_bytes()
            kept += Path(f"{local.settings.database}-wal").read_bytes()
            assert made["endpoint"]["id"].encode() in kept
            assert made["secret"].removeprefix("whsec_").encode() not in kept

    def test_rotation_overlaps(self, local: Stage) -> None:
        caller, sent = operator(local), Scripted(DONE, DONE)
        made = subscribe(caller, "https://example.com/hooks")
        path = f"/v1/webhooks/{made['endpoint']['id']}/secret"
        rotated = caller.post(path).json()
        tell(local)
        deliver(local.context, sent)
        local.clock.now += DAY + 1
        tell(local)
        deliver(local.context, sent)
        first, second = sent.sent  # type: ignore[attr-defined]
        for secret, works in ((made["secret"], [True, False]), (rotated["secret"], [True, True])):
            found = []
            for shift, (_, headers, body) in ((DAY + 1, first), (0, second)):
                with time_machine.travel(local.clock.now - shift, tick=False):
                    try:
                        Webhook(secret).verify(body, headers)
                        found.append(True)
                    except WebhookVerificationError:
                        found.append(False)
            assert found == works

    def test_only_an_operator_who_proved_herself(self, local: Stage) -> None:
        caller, body = operator(local), {"url": "https://example.com/x", "kinds": ALL}
        device = local.device()
        made = subscribe(caller, "https://example.com/hooks")["endpoint"]["id"]
        changes = (
            ("POST", "/v1/webhooks", body),
            ("PATCH", f"/v1/webhooks/{made}", {"enabled": False}),
            ("POST", f"/v1/webhooks/{made}/secret", None),
            ("DELETE", f"/v1/webhooks/{made}", None),
        )
        tokens = {
            login(local, Role.AUDITOR): 404,
            device.shoppers[device.shopper]: 404,
            local.token: 404,
            "nobody": 401,
        }
        for method, path, sent in changes:
            for token, status in tokens.items():
                answer = local.http.request(method, path, json=sent, headers=bearer(token))
                assert answer.status_code == status, (method, path)
        assert auditor(local).get("/v1/webhooks").status_code == 200
        local.clock.now += 11 * 60
        stale = Caller(local, caller.token)
        for method, path, sent in changes:
            answer = stale.call(method, path, json=sent)
            assert answer.status_code == 403
            assert answer.json()["type"].endswith("step-up")

    def test_changes_stop_and_removal_are_audited(self, local: Stage) -> None:
        caller = operator(local)
        made = subscribe(caller, "https://example.com/hooks")["endpoint"]["id"]
        path = f"/v1/webhooks/{made}"
        changed = caller.call("PATCH", path, json={"enabled": False, "kinds": ["consent.given"]})
        assert (changed.json()["enabled"], changed.json()["kinds"]) == (False, ["consent.given"])
        tell(local)
        assert deliver(local.context, Scripted()) == delivery.Pass()
        assert caller.call("PATCH", path, json={"url": "http://10.0.0.1/"}).status_code == 422
        assert caller.call("PATCH", path, json={"enabled": True}).json()["enabled"]
        assert caller.call("DELETE", path).status_code == 204
        assert caller.get(path).status_code == 404
        actions = [entry["action"] for entry in caller.get("/v1/audit").json()["entries"]]
        assert actions == [
            "webhook.removed",
            "webhook.changed",
            "webhook.changed",
            "webhook.created",
        ]

    def test_no_lost_update(self, local: Stage) -> None:
        caller = operator(local)
        made = subscribe(caller, "https://example.com/hooks")["endpoint"]["id"]
        path, seen = f"/v1/webhooks/{made}", caller.get(f"/v1/webhooks/{made}").headers["etag"]
        headers = bearer(caller.token) | {"If-Match": seen}
        for status in (200, 412):
            answer = local.http.patch(path, json={"description": "x"}, headers=headers)
            assert answer.status_code == status

    def test_refused_forms(self, local: Stage) -> None:
        caller = operator(local)
        for body in (
            {"url": "https://example.com/", "kinds": []},
            {"url": "https://example.com/", "kinds": ["everything"]},
            {"url": "https://example.com/", "kinds": ALL, "more": 1},
            {"url": "https://example.com/", "kinds": ALL, "description": "\x00"},
            {"url": "https://10.0.0.1/", "kinds": ALL},
        ):
            assert caller.post("/v1/webhooks", body).status_code == 422
        for path in ("/v1/webhooks/abc", "/v1/webhooks/abc/deliveries"):
            assert caller.get(path).status_code == 404

    def test_nothing_is_written_when_nobody_listens(self, stage: Stage) -> None:
        tell(stage)
        with stage.context.database.reading() as session:
            assert OutboxRepository(session).waiting() == 0
        with (
            pytest.raises(ValueError, match="everything"),
            stage.context.database.writing() as session,
        ):
            emit(stage.context, session, "everything", {})


class TestDelivering:
    def test_a_failure_is_repeated_with_growing_delays_and_given_up(self, local: Stage) -> None:
        caller = operator(local)
        made = subscribe(caller, "https://example.com/hooks")["endpoint"]["id"]
        tell(local)
        down = Scripted()
        waits = []
        for attempt in range(MAX_ATTEMPTS):
            assert deliver(local.context, down) == delivery.Pass(failed=1)
            assert deliver(local.context, down) == delivery.Pass()  # not before its time
            [entry] = log_of(caller, made) if attempt < 3 else [None]
            if entry is not None:
                waits.append(entry["due_at"] / 1000 - local.clock.now)
            local.clock.now += 1.25 * DELAYS_S[min(attempt, len(DELAYS_S) - 1)]
        for wait, stated in zip(waits, DELAYS_S, strict=False):
            assert 0.8 * stated - 0.01 <= wait <= 1.2 * stated + 0.01
        [entry] = log_of(operator(local), made)
        assert (entry["status"], entry["attempts"]) == ("failed", MAX_ATTEMPTS)
        assert entry["due_at"] is None
        ids = {headers["webhook-id"] for _, headers, _ in down.sent}  # type: ignore[attr-defined]
        assert ids == {entry["message"]}

    def test_delays_are_a_day_in_all(self) -> None:
        assert timedelta(hours=23) < timedelta(seconds=sum(DELAYS_S)) <= timedelta(hours=24)

    def test_a_dead_endpoint_rests_and_keeps_nobody_waiting(self, local: Stage) -> None:
        caller = operator(local)
        for host in ("dead", "alive"):
            subscribe(caller, f"https://{host}.example.com/hooks")
        for n in range(4):
            tell(local, n=n)

        class OneDead(Scripted):
            def send(self, url: str, headers: Any, body: bytes) -> Outcome:
                self.sent.append(url)  # type: ignore[attr-defined]
                return DOWN if "dead" in url else DONE

        sent = OneDead()
        deliver(local.context, sent)
        urls: list[str] = sent.sent  # type: ignore[attr-defined]
        assert sum("alive" in url for url in urls) == 4
        assert sum("dead" in url for url in urls) == 1

    def test_days_of_failure_disable_an_endpoint(self, local: Stage) -> None:
        caller = operator(local)
        made = subscribe(caller, "https://example.com/hooks")["endpoint"]["id"]
        for _ in range(7):
            tell(local)
            deliver(local.context, Scripted())
            local.clock.now += DAY
        caller = operator(local)
        found = caller.get(f"/v1/webhooks/{made}").json()
        assert (found["enabled"], found["disabled_why"]) == (False, "days of failure")
        assert found["waiting"] == 0
        [entry] = caller.get("/v1/audit", action="webhook.disabled").json()["entries"]
        assert (entry["target"], entry["actor"]) == (made, "service")
        assert caller.call("PATCH", f"/v1/webhooks/{made}", json={"enabled": True}).json()[
            "enabled"
        ]

    def test_gone_disables_at_once(self, local: Stage) -> None:
        made = subscribe(operator(local), "https://example.com/hooks")["endpoint"]["id"]
        tell(local)
        deliver(local.context, Scripted(Outcome(delivered=False, word="status 410", gone=True)))
        found = operator(local).get(f"/v1/webhooks/{made}").json()
        assert "410" in found["disabled_why"]

    def test_a_success_ends_the_count_of_failure(self, local: Stage) -> None:
        made = subscribe(operator(local), "https://example.com/hooks")["endpoint"]["id"]
        tell(local)
        deliver(local.context, Scripted())
        assert operator(local).get(f"/v1/webhooks/{made}").json()["failing_since"]
        local.clock.now += 10
        assert deliver(local.context, Scripted(DONE)).delivered == 1
        assert operator(local).get(f"/v1/webhooks/{made}").json()["failing_since"] is None

    def test_several_workers_send_each_message_once(self, local: Stage) -> None:
        subscribe(operator(local), "https://example.com/hooks")
        for n in range(12):
            tell(local, n=n)
        second = local.again()
        seen: list[str] = []

        class Noting(Scripted):
            def send(self, url: str, headers: Any, body: bytes) -> Outcome:
                seen.append(headers["webhook-id"])
                return DONE

        threads = [
            threading.Thread(target=deliver, args=(each.context, Noting()))
            for each in (local, second, local, second)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        second.close()
        assert len(seen) == len(set(seen)) == 12

    def test_a_worker_that_died_is_stood_in_for(self, local: Stage) -> None:
        subscribe(operator(local), "https://example.com/hooks")
        tell(local)

        class Dying(Scripted):
            def send(self, url: str, headers: Any, body: bytes) -> Outcome:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            deliver(local.context, Dying())
        assert deliver(local.context, Scripted(DONE)) == delivery.Pass()
        local.clock.now += delivery.LEASE_MS / 1000 + 1
        assert deliver(local.context, Scripted(DONE)) == delivery.Pass(delivered=1)

    def test_stopping_leaves_the_rest(self, local: Stage) -> None:
        subscribe(operator(local), "https://example.com/hooks")
        for n in range(3):
            tell(local, n=n)
        done = deliver(
            local.context,
            (sent := Scripted(DONE)),
            stopping=lambda: bool(sent.sent),  # type: ignore[attr-defined]
        )
        assert done == delivery.Pass(delivered=1)
        assert deliver(local.context, Scripted(DONE, DONE)) == delivery.Pass(delivered=2)

    def test_replay_sends_the_same_message(self, local: Stage) -> None:
        caller, sent = operator(local), Scripted(DONE, DONE)
        made = subscribe(caller, "https://example.com/hooks")["endpoint"]["id"]
        tell(local)
        deliver(local.context, sent)
        [entry] = log_of(caller, made)
        path = f"/v1/webhooks/{made}/deliveries/{entry['number']}/replay"
        assert caller.post(path).json()["status"] == "pending"
        deliver(local.context, sent)
        first, second = sent.sent  # type: ignore[attr-defined]
        assert first[2] == second[2]
        assert first[1]["webhook-id"] == second[1]["webhook-id"]
        assert caller.post(path.replace(str(entry["number"]), "999")).status_code == 404
        caller.call("PATCH", f"/v1/webhooks/{made}", json={"enabled": False})
        assert caller.post(path).status_code == 409
        assert verify(local.context).holds

    def test_a_message_falls_with_its_transaction(self, local: Stage) -> None:
        subscribe(operator(local), "https://example.com/hooks")

        def refused() -> None:
            with local.context.database.writing() as session:
                emit(local.context, session, "request.created", {})
                raise RuntimeError

        with pytest.raises(RuntimeError):
            refused()
        assert deliver(local.context, Scripted()) == delivery.Pass()


def test_is_public_knows_targets_as_addresses() -> None:
    assert is_public(ipaddress.ip_address("8.8.8.8"))
    assert not is_public(ipaddress.ip_address(PUBLIC))
    assert Target(scheme="https", host="::2", port=1, path="/").authority == "[::2]:1"


def test_answers_are_never_shown(local: Stage, receiver: Receiver) -> None:
    receiver.status, receiver.body = 500, b"internal secret"
    caller = operator(local)
    made = subscribe(caller, f"http://127.0.0.1:{receiver.port}/")["endpoint"]["id"]
    tell(local)
    deliver(local.context)
    shown = caller.get(f"/v1/webhooks/{made}/deliveries").text
    assert json.loads(shown)["deliveries"][0]["outcome"] == "status 500"
    assert "internal secret" not in shown


def test_the_documented_receiver_works(local: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stated = (Path(__file__).parents[4] / "docs" / "operating.md").read_text()
    [example] = re.findall(r"<!-- tested: receiver -->\n```python\n(.*?)```", stated, re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)  # the document is ours
    sent, seen = Scripted(DONE), set[str]()
    made = subscribe(operator(local), "https://example.com/hooks")
    tell(local, request="r")
    deliver(local.context, sent)
    [(_, headers, body)] = sent.sent  # type: ignore[attr-defined]
    with time_machine.travel(local.clock.now, tick=False):
        for _ in range(2):
            assert names["receive"](made["secret"], headers, body, seen) == 204
        assert names["receive"](made["secret"], headers, body + b" ", seen) == 400
    assert capsys.readouterr().out == "request.created {'request': 'r'}\n"
