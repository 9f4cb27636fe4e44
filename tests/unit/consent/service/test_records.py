"""The log and the receipts over the API."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from typer.testing import CliRunner

from consent import dpv
from consent.cli import app
from consent.log.head import TreeHead
from consent.notice import Language
from consent.purpose import CELLS, Category, Cell, ConsentState, Decision, Purpose
from consent.receipt import Controller
from consent.service.receipts import page, words
from consent.service.settings import Settings
from crypto.wire import SignedRecord
from tests.unit.consent.harness import GIVE, NOTICE, WITHDRAW, Device, Stage

MANY = dict.fromkeys(CELLS[:6], Decision.GIVEN)


def get(stage: Stage, path: str, device: Device | None = None, **headers: str) -> httpx.Response:
    if device is not None:
        headers["Authorization"] = f"Bearer {device.shoppers[device.shopper]}"
    return stage.http.get(path, headers=headers)


def receipt(stage: Stage, device: Device, record: int = 1) -> httpx.Response:
    return get(stage, f"/v1/shoppers/{device.shopper}/receipts/{record}", device)


def head(stage: Stage) -> TreeHead:
    record = SignedRecord.from_json(stage.http.get("/v1/log/head").json())
    return TreeHead.verify(record, stage.service_key)


def test_heads_follow_the_log(stage: Stage) -> None:
    assert head(stage).size == 0
    stage.device(decisions=MANY)
    first = head(stage)
    stage.clock.now += 5
    assert (first.size, head(stage)) == (6, first)
    stage.device()
    assert head(stage).size == 7
    assert head(stage).time == first.time + 5000
    page_1 = stage.http.get("/v1/log/heads?limit=2").json()
    rest = stage.http.get(f"/v1/log/heads?cursor={page_1['next']}").json()
    found = [
        TreeHead.verify(SignedRecord.from_json(record), stage.service_key).size
        for record in page_1["heads"] + rest["heads"]
    ]
    assert (found, rest["next"]) == ([0, 6, 7], None)


@pytest.mark.parametrize("query", ["first=0&second=1", "first=2&second=1", "first=1&second=2", ""])
def test_consistency_is_of_trees_that_were(stage: Stage, query: str) -> None:
    stage.device()
    assert stage.http.get(f"/v1/log/consistency?{query}").status_code == 422


def test_a_shopper_gets_her_own_entries_only(stage: Stage) -> None:
    hers, mine = stage.device(decisions=MANY), stage.device()
    stage.decide(mine, WITHDRAW)
    found = get(stage, f"/v1/shoppers/{mine.shopper}/log", mine).json()
    assert [entry["index"] for entry in found["events"]] == [6, 7]
    assert {entry["event"]["shopper"] for entry in found["events"]} == {mine.shopper}
    later = get(stage, f"/v1/shoppers/{mine.shopper}/log?cursor=6", mine).json()
    assert [entry["index"] for entry in later["events"]] == [7]
    theirs = get(stage, f"/v1/shoppers/{hers.shopper}/log", hers).json()
    assert theirs["key"] != found["key"]


def test_another_shoppers_records_are_404(stage: Stage) -> None:
    hers, mine = stage.device(), stage.device()
    paths = (f"/v1/shoppers/{hers.shopper}/{end}" for end in ("log", "receipts", "receipts/1"))
    for path in paths:
        assert get(stage, path, hers).status_code == 200
        assert get(stage, path, mine).status_code == 404
        assert get(stage, path).status_code == 401
    assert receipt(stage, mine, 2).status_code == 404
    for record in ("x", "-1", "9" * 30):
        assert get(stage, f"/v1/shoppers/{mine.shopper}/receipts/{record}", mine).status_code == 422
    silent = stage.device(decisions={})
    assert get(stage, f"/v1/shoppers/{silent.shopper}/receipts", silent).json()["receipts"] == []
    assert get(stage, f"/v1/shoppers/{silent.shopper}/log", silent).status_code == 404


def test_receipts_come_in_pages(stage: Stage) -> None:
    device = stage.device(decisions={**MANY, **GIVE})
    for decisions in (WITHDRAW, GIVE, WITHDRAW):
        stage.decide(device, decisions)
    path = f"/v1/shoppers/{device.shopper}/receipts?limit=3"
    first = get(stage, path, device).json()
    assert [entry["changes"] for entry in first["receipts"]] == [7, 1, 1]
    rest = get(stage, f"{path}&cursor={first['next']}", device).json()
    assert [entry["record"] for entry in rest["receipts"]] == [4]
    assert rest["next"] is None


def test_a_receipt_has_the_fields_of_the_standard(stage: Stage) -> None:
    device = stage.device(decisions=MANY)
    answer = receipt(stage, device)
    assert answer.headers["content-type"] == "application/ld+json"
    found = answer.json()
    assert found["schema_version"] == "ISO/IEC TS 27560:2023"
    assert found["pii_principal_id"] == device.shopper
    assert found["privacy_notice"][0]["version"] == NOTICE
    (processing,) = found["pii_processing"]
    assert processing["purpose_terms"][0] == "dpv:ProvideProductRecommendations"
    assert len(processing["pii_information"]) == len(found["events"]) == 6
    assert found["events"][0]["event_state"] == "dpv:ConsentGiven"
    assert found["events"][0]["validity_duration"] == f"PT{396 * 86400}S"
    controller = found["party_identification"][0]
    assert controller["name"] == "not stated"
    used = {term for purpose in Purpose for term in dpv.PURPOSES[purpose]}
    used |= set(dpv.CATEGORIES.values()) | set(dpv.STATES.values())
    assert {term.split(":")[0] for term in used} <= found["@context"].keys()
    assert set(found) - {"@context", "@id", "@type"} <= found["@context"].keys()
    assert "fedcart:TrainSharedModels" in used


def test_the_language_that_was_shown_is_recorded(stage: Stage) -> None:
    body = {"consents": [], "notice_version": NOTICE, "language": "zh", "age_band": "adult"}
    entry = {"purpose": "research", "category": "purchases", "decision": "given"}
    made = stage.http.post("/v1/shoppers", json={**body, "consents": [entry]}).json()
    device = Device(shoppers={made["shopper"]: made["token"]})
    assert receipt(stage, device).json()["language"] == "zh"
    assert stage.http.post("/v1/shoppers", json={**body, "language": "fr"}).status_code == 422


def test_an_expiry_has_a_receipt_that_says_who_did_it(stage: Stage) -> None:
    device = stage.device()
    stage.publish("2027-01", touches=[Purpose.TRAIN])
    (event,) = receipt(stage, device, 2).json()["events"]
    assert (event["event_state"], event["entity_id"]) == ("dpv:ConsentExpired", "service")
    assert event["logged_event"]["notice"] == "2027-01"


@pytest.mark.parametrize("language", list(Language))
def test_the_page_reads_in_both_languages(stage: Stage, language: Language) -> None:
    evil = Controller(name="<script>alert(1)</script>")
    other = Stage(stage.home, settings=replace(stage.settings, controller=evil))
    device = other.device(decisions=dict.fromkeys(CELLS, Decision.GIVEN))
    path = f"/v1/shoppers/{device.shopper}/receipts/1?language={language}"
    answer = get(other, path, device, Accept="text/html,*/*;q=0.1")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == page.POLICY
    assert page.POLICY.startswith("default-src 'none'")
    assert f'<html lang="{language}">' in answer.text
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert not any(mark in answer.text for mark in ("http:", "https:", "src=", "url(", "@import"))
    for name in (*words.PURPOSES[language].values(), *words.CATEGORIES[language].values()):
        assert name in answer.text
    assert words.PAGE[language]["not stated"] in answer.text
    other.close()


def test_every_language_has_every_word() -> None:
    kinds: list[tuple[Any, Any]] = [
        (words.PURPOSES, set(Purpose)),
        (words.CATEGORIES, set(Category)),
        (words.STATES, set(ConsentState)),
        (words.PAGE, words.PAGE[Language.EN].keys()),
    ]
    for texts, names in kinds:
        assert all(texts[language].keys() == names for language in Language)


@pytest.mark.parametrize("table", ["log_node", "log_head", "published_notice", "notice_text"])
def test_records_are_append_only(stage: Stage, table: str) -> None:
    stage.device()
    head(stage)
    delete = text(f"DELETE FROM {table}")
    with (
        pytest.raises(IntegrityError, match="append-only"),
        stage.context.database.writing() as session,
    ):
        session.execute(delete)


def test_destroying_a_key_unlinks_its_leaves_and_nothing_else(stage: Stage) -> None:
    gone, stays = stage.device(decisions=MANY), stage.device()
    before = head(stage)
    with stage.context.database.writing() as session:
        session.execute(text("DELETE FROM log_key WHERE shopper_id = :who"), {"who": gone.shopper})
    assert receipt(stage, gone).status_code == 404
    assert head(stage) == before
    assert receipt(stage, stays).status_code == 200


def test_operators_publish_and_expire(tmp_path: Path) -> None:
    runner, home = CliRunner(), str(tmp_path / "home")
    named = ["--controller", "Shop Ltd", "--contact", "privacy@shop.example"]
    assert runner.invoke(app, ["init", "--home", home, *named]).exit_code == 0
    controller = Settings.load(tmp_path / "home").controller
    assert (controller.name, controller.address) == ("Shop Ltd", "not stated")
    assert json.loads(runner.invoke(app, ["expire", "--home", home]).output) == {"shoppers": 0}
    done = runner.invoke(app, ["notice", "publish", NOTICE, "--home", home])
    assert json.loads(done.output) == {"current": NOTICE, "consent_ended": 0}
    assert runner.invoke(app, ["notice", "publish", "nope", "--home", home]).exit_code != 0


def test_only_whole_cells_are_named_in_a_receipt(stage: Stage) -> None:
    device = stage.device(
        decisions={Cell(Purpose.RESEARCH, Category.BROWSING): Decision.REFUSED, **GIVE}
    )
    found = receipt(stage, device).json()
    assert [entry["purpose"] for entry in found["pii_processing"]] == [
        "research",
        "train-shared-models",
    ]
    refused = found["events"][0]
    assert refused["event_state"] == "dpv:ConsentRefused"
    assert "validity_duration" not in refused
