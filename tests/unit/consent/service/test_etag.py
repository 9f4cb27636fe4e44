"""No update is lost, no withdrawal is refused, and public documents are asked for once."""

from typing import Any

import httpx
import pytest

from consent.purpose import ConsentState, Decision
from consent.service import etag
from consent.service.problems import Problem
from tests.unit.consent.harness import NOTICE, TRAIN_PURCHASES, Device, Stage

YES = {"purpose": "research", "category": "purchases", "decision": "given"}
NO = {"purpose": "train-shared-models", "category": "purchases", "decision": "withdrawn"}


def put(stage: Stage, device: Device, *entries: Any, **headers: str) -> httpx.Response:
    token = device.shoppers[device.shopper]
    return stage.http.put(
        f"/v1/shoppers/{device.shopper}/consents",
        json={"decisions": list(entries), "notice_version": NOTICE},
        headers={"Authorization": f"Bearer {token}"}
        | {name.replace("_", "-"): value for name, value in headers.items()},
    )


def seen(stage: Stage, device: Device) -> str:
    token = device.shoppers[device.shopper]
    path = f"/v1/shoppers/{device.shopper}/consents"
    answer = stage.http.get(path, headers={"Authorization": f"Bearer {token}"})
    return str(answer.headers["etag"])


def test_a_yes_needs_the_tag_of_what_was_seen(stage: Stage) -> None:
    device = stage.device()
    tag = seen(stage, device)
    assert tag == '"1"'
    assert put(stage, device, YES).status_code == 428
    made = put(stage, device, YES, If_Match=tag)
    assert (made.status_code, made.headers["etag"]) == (200, '"2"')
    assert put(stage, device, YES, If_Match=tag).status_code == 412
    assert put(stage, device, YES, If_Match=f"W/{made.headers['etag']}").status_code == 412
    assert put(stage, device, YES, If_Match=f'"9", {made.headers["etag"]}').status_code == 200
    assert put(stage, device, YES, If_Match="*").status_code == 200


def test_a_no_is_always_taken(stage: Stage) -> None:
    device = stage.device()
    assert put(stage, device, NO).status_code == 200
    assert put(stage, device, {**NO, "decision": "refused"}).status_code == 200


def test_a_stale_yes_never_undoes_a_withdrawal(stage: Stage) -> None:
    """Two tabs: one withdraws, the other still shows the old matrix and says yes."""
    device = stage.device()
    old = seen(stage, device)
    assert put(stage, device, NO).status_code == 200
    again = {**NO, "decision": "given"}
    assert put(stage, device, again, If_Match=old).status_code == 412
    consents = stage.client.consents(device.shopper, device.shoppers[device.shopper])
    assert consents.cells[TRAIN_PURCHASES] is ConsentState.WITHDRAWN
    assert put(stage, device, again, If_Match=seen(stage, device)).status_code == 200


def test_expiry_counts_as_a_change_and_the_read_tag_still_fits(stage: Stage) -> None:
    device = stage.device()
    old = seen(stage, device)
    stage.clock.now += 400 * 86400
    assert put(stage, device, YES, If_Match=old).status_code == 412
    assert put(stage, device, YES, If_Match=seen(stage, device)).status_code == 200


def test_the_client_passes_what_was_seen(stage: Stage) -> None:
    device = stage.device()
    token = device.shoppers[device.shopper]
    give = {TRAIN_PURCHASES: Decision.GIVEN}
    made = stage.client.decide(device.shopper, token, give, notice_version=NOTICE, seen_epoch=1)
    assert made.epoch == 2
    with pytest.raises(Exception, match="412"):
        stage.client.decide(device.shopper, token, give, notice_version=NOTICE, seen_epoch=1)
    made = stage.client.decide(device.shopper, token, give, notice_version=NOTICE)
    assert made.epoch == 3


@pytest.mark.parametrize("header", ['"2', "2", "", '""', "W/", ","])
def test_what_is_no_tag_matches_nothing(header: str) -> None:
    with pytest.raises(Problem, match="meanwhile"):
        etag.demand(header, 2)


def test_public_documents_are_sent_once(stage: Stage) -> None:
    for path in ("/v1/keys", "/v1/notices", "/v1/notices/2026-11", "/.well-known/gpc.json"):
        first = stage.http.get(path)
        tag = first.headers["etag"]
        assert first.headers["cache-control"] == "public, no-cache"
        again = stage.http.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert stage.http.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    changed = stage.http.get("/v1/notices").headers["etag"]
    stage.publish("2027-01")
    assert stage.http.get("/v1/notices", headers={"If-None-Match": changed}).status_code == 200


def test_nobodys_data_is_kept_in_caches(stage: Stage) -> None:
    device = stage.device()
    token = device.shoppers[device.shopper]
    path = f"/v1/shoppers/{device.shopper}/consents"
    answer = stage.http.get(path, headers={"Authorization": f"Bearer {token}"})
    assert answer.headers["cache-control"] == "no-store"
