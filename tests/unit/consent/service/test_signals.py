"""Global Privacy Control: honoured at first sight, for browsers and devices, and told."""

from typing import Any

import httpx
import pytest

from consent.answers import Consents
from consent.purpose import Category, Cell, ConsentState, Decision, Purpose
from consent.service.signals.gate import CONFLICT
from tests.unit.consent.harness import CONTEXT, NOTICE, TASK, TRAIN_PURCHASES, Device, Stage
from tests.unit.consent.rounds import COLLECT, balance, release

PERSONAL = Cell(Purpose.PERSONALISE, Category.PURCHASES)
POINTS = Cell(Purpose.VALUE_SHARING, Category.PURCHASES)
GIVEN = {PERSONAL: Decision.GIVEN, TRAIN_PURCHASES: Decision.GIVEN, POINTS: Decision.GIVEN}
GPC = {"Sec-GPC": "1"}


def call(stage: Stage, device: Device, method: str, what: str, **options: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {device.shoppers[device.shopper]}"}
    headers |= options.pop("headers", {})
    path = f"/v1/shoppers/{device.shopper}/{what}"
    return stage.http.request(method, path, headers=headers, **options)


def matrix(stage: Stage, device: Device) -> Consents:
    return stage.client.consents(device.shopper, device.shoppers[device.shopper])


def yes(cell: Cell, **more: Any) -> dict[str, Any]:
    entry = {"purpose": cell.purpose, "category": cell.category, "decision": "given"}
    return {"decisions": [entry], "notice_version": NOTICE, **more}


def test_the_first_sight_ends_what_leaves_the_device_and_nothing_else(stage: Stage) -> None:
    device = stage.device(decisions=GIVEN)
    grants = stage.grants(device)
    assert stage.client.standing(grants.values())
    call(stage, device, "GET", "consents", headers=GPC)
    after = matrix(stage, device)
    assert after.cells[TRAIN_PURCHASES] is ConsentState.WITHDRAWN
    assert after.cells[POINTS] is ConsentState.WITHDRAWN
    assert after.cells[PERSONAL] is ConsentState.GIVEN
    assert not stage.client.standing(grants.values())


@pytest.mark.parametrize("value", ["0", "true", "", "2"])
def test_other_values_say_nothing(stage: Stage, value: str) -> None:
    device = stage.device(decisions=GIVEN)
    call(stage, device, "GET", "consents", headers={"Sec-GPC": value})
    assert matrix(stage, device).epoch == 1
    assert call(stage, device, "GET", "signals").json()["gpc"] == "not-seen"


def test_it_is_told_what_was_done(stage: Stage) -> None:
    device = stage.device(decisions=GIVEN)
    found = call(stage, device, "GET", "signals", headers=GPC).json()
    assert found["gpc"] == "honoured"
    assert found["since"] == int(stage.clock.now * 1000)
    ended = {(cell["purpose"], cell["category"]) for cell in found["withdrawn"]}
    assert ended == {tuple(TRAIN_PURCHASES), tuple(POINTS)}
    assert found["points_conflict"] is True
    assert found["affirmed"] == []


def test_seen_again_it_changes_nothing(stage: Stage) -> None:
    device = stage.device(decisions=GIVEN)
    for _ in range(3):
        call(stage, device, "GET", "consents", headers=GPC)
    assert matrix(stage, device).epoch == 2


def test_a_yes_is_affirmed_or_not_taken_whatever_carries_it(stage: Stage) -> None:
    device = stage.device(decisions=GIVEN)
    call(stage, device, "GET", "consents", headers=GPC)
    for headers in (GPC, {}):
        tag = {"If-Match": '"2"', **headers}
        answer = call(stage, device, "PUT", "consents", json=yes(TRAIN_PURCHASES), headers=tag)
        assert (answer.status_code, answer.json()["type"]) == (409, CONFLICT)
    assert matrix(stage, device).epoch == 2
    body = yes(TRAIN_PURCHASES, confirm_signal=True)
    tag = {"If-Match": '"2"', **GPC}
    assert call(stage, device, "PUT", "consents", json=body, headers=tag).status_code == 200
    call(stage, device, "GET", "consents", headers=GPC)  # does not undo what she affirmed
    assert matrix(stage, device).cells[TRAIN_PURCHASES] is ConsentState.GIVEN
    found = call(stage, device, "GET", "signals").json()
    assert found["affirmed"] == [{"purpose": "train-shared-models", "category": "purchases"}]


def test_what_stays_on_the_device_needs_no_affirmation(stage: Stage) -> None:
    device = stage.device(decisions={})
    call(stage, device, "GET", "consents", headers=GPC)
    tag = {"If-Match": '"0"', **GPC}
    answer = call(stage, device, "PUT", "consents", json=yes(PERSONAL), headers=tag)
    assert answer.status_code == 200


def test_it_binds_registrations(stage: Stage) -> None:
    entry = yes(TRAIN_PURCHASES)["decisions"]
    body = {"consents": entry, "notice_version": NOTICE, "age_band": "adult"}
    answer = stage.http.post("/v1/shoppers", json=body, headers=GPC)
    assert (answer.status_code, answer.json()["type"]) == (409, CONFLICT)
    body["confirm_signal"] = True
    made = stage.http.post("/v1/shoppers", json=body, headers=GPC).json()
    device = Device(shoppers={made["shopper"]: made["token"]})
    found = call(stage, device, "GET", "signals").json()
    assert (found["gpc"], found["withdrawn"]) == ("honoured", [])
    assert len(found["affirmed"]) == 1


def test_a_device_that_sends_it_binds_its_shoppers(stage: Stage) -> None:
    device = stage.device(decisions=GIVEN)
    stage.http.headers["Sec-GPC"] = "1"
    answer = stage.client.participation(
        device.key, task=TASK, round_id="r", context=CONTEXT, shoppers=list(device.shoppers)
    )
    del stage.http.headers["Sec-GPC"]
    assert not answer.grants
    assert matrix(stage, device).cells[TRAIN_PURCHASES] is ConsentState.WITHDRAWN


def test_points_stop_and_none_are_taken_back(pinned: Stage) -> None:
    device = pinned.device(decisions=COLLECT)
    release(pinned, device, round_id="round-1")
    before = balance(pinned, device)
    assert before > 0
    call(pinned, device, "GET", "consents", headers=GPC)
    epoch = matrix(pinned, device).epoch
    body = yes(TRAIN_PURCHASES, confirm_signal=True)
    tag = {"If-Match": f'"{epoch}"', **GPC}
    assert call(pinned, device, "PUT", "consents", json=body, headers=tag).status_code == 200
    release(pinned, device, round_id="round-2")  # she takes part, and is out of the programme
    assert balance(pinned, device) == before
    assert call(pinned, device, "GET", "signals").json()["points_conflict"] is True
    body = yes(POINTS, confirm_signal=True)
    tag = {"If-Match": f'"{epoch + 1}"', **GPC}
    assert call(pinned, device, "PUT", "consents", json=body, headers=tag).status_code == 200
    assert call(pinned, device, "GET", "signals").json()["points_conflict"] is False
    release(pinned, device, round_id="round-3")
    assert balance(pinned, device) > before


def test_once_it_is_gone_the_next_sight_is_the_first(stage: Stage) -> None:
    device = stage.device(decisions=GIVEN)
    call(stage, device, "GET", "consents", headers=GPC)
    assert call(stage, device, "DELETE", "signals/gpc", headers=GPC).status_code == 409
    assert call(stage, device, "DELETE", "signals/gpc").status_code == 204
    assert call(stage, device, "GET", "signals").json()["gpc"] == "not-seen"
    assert matrix(stage, device).cells[TRAIN_PURCHASES] is ConsentState.WITHDRAWN
    tag = {"If-Match": '"2"'}
    answer = call(stage, device, "PUT", "consents", json=yes(TRAIN_PURCHASES), headers=tag)
    assert answer.status_code == 200
    call(stage, device, "GET", "consents", headers=GPC)
    assert matrix(stage, device).cells[TRAIN_PURCHASES] is ConsentState.WITHDRAWN


def test_a_strangers_signal_changes_nothing(stage: Stage) -> None:
    device, other = stage.device(decisions=GIVEN), stage.device(decisions=GIVEN)
    headers = {"Authorization": f"Bearer {other.shoppers[other.shopper]}", **GPC}
    path = f"/v1/shoppers/{device.shopper}/consents"
    assert stage.http.get(path, headers=headers).status_code == 404
    assert matrix(stage, device).epoch == 1
    assert matrix(stage, other).epoch == 2  # it was hers, wherever she sent it


def test_the_resource_says_that_it_is_honoured(stage: Stage) -> None:
    answer = stage.http.get("/.well-known/gpc.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["gpc"] is True
