"""Webhooks: subscribed by operators, signed with a secret that is shown once, telling ids only."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import time_machine
from standardwebhooks import Webhook, WebhookVerificationError

from consent.rights.request import RequestKind, RequestState
from consent.service.principals import Role
from consent.service.webhooks import delivery
from consent.service.webhooks.delivery import deliver
from consent.service.webhooks.repository import OutboxRepository
from consent.service.webhooks.service import emit
from tests.unit.consent.harness import GIVE, WITHDRAW, Stage
from tests.unit.consent.service import rights_calls as people
from tests.unit.consent.service.operators import Caller, auditor, bearer, login, operator
from tests.unit.consent.service.receivers import Receiver
from tests.unit.consent.service.webhook_calls import (
    ALL,
    DAY,
    DONE,
    Scripted,
    log_of,
    subscribe,
    tell,
)


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
        first, second = sent.sent
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
    [(_, headers, body)] = sent.sent
    with time_machine.travel(local.clock.now, tick=False):
        for _ in range(2):
            assert names["receive"](made["secret"], headers, body, seen) == 204
        assert names["receive"](made["secret"], headers, body + b" ", seen) == 400
    assert capsys.readouterr().out == "request.created {'request': 'r'}\n"


def test_events_carry_opaque_ids_states_and_times_only(local: Stage) -> None:
    """Whatever a shopper, her login and an operator say, no event repeats a word of it."""
    subscribe(operator(local), "https://example.com/hooks")
    who = people.person(local, decisions={})
    who.headers = people.login(local, Role.SHOPPER, shopper=who.shopper)
    local.decide(who.device, GIVE)
    local.decide(who.device, WITHDRAW)
    asked = who.ask("rectification", note="my secret").json()
    officer, path = operator(local), f"/v1/requests/{asked['id']}"
    for step, body in (("take", None), ("complete", {"answer": "my answer"})):
        done = officer.call("POST", f"{path}/{step}", json=body, headers={"If-Match": "*"})
        assert done.status_code == 200, done.text
    who.erased()
    people.report_all(local, who.device)
    sent = Scripted(*[DONE] * 20)
    deliver(local.context, sent)
    told = [json.loads(body) for _, _, body in sent.sent]
    assert {each["type"] for each in told} == set(ALL)
    words = {*RequestKind, *RequestState}
    for event in told:
        assert event.keys() == {"type", "timestamp", "data"}
        for name, value in event["data"].items():
            opaque = isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32}", value)
            assert opaque or isinstance(value, int) or value in words, (event["type"], name)
