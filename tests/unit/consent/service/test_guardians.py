"""Minors: a yes waits for the guardian, a no never waits, and nobody tries ages until one fits."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from consent.receipt import Controller
from consent.rights.clock import Residence
from consent.service.guardians import gate
from consent.service.rights import service as rights
from consent.service.tables import METADATA
from tests.conftest import NewDatabase
from tests.unit.consent.harness import GIVE, NOTICE, Stage
from tests.unit.consent.service.logins import age_proof
from tests.unit.consent.service.people import Person, register

TRAIN = {"purpose": "train-shared-models", "category": "purchases"}
POINTS = {"purpose": "value-sharing", "category": "purchases"}
HEALTH = {"purpose": "research", "category": "sensitive-product-classes"}
DAY = 86_400


def person(stage: Stage, name: str, band: str, *cells: dict[str, str]) -> Person:
    consents = [{**cell, "decision": "given"} for cell in cells]
    body = {"consents": consents, "notice_version": NOTICE, "age_band": band}
    return register(stage, name, shopper=body)


def own(who: Person, method: str, what: str, body: Any = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return who.stage.http.request(
        method,
        f"/v1/shoppers/{who.shopper}/{what}",
        json=body,
        headers={**who.headers, **named},
    )


def states(who: Person) -> dict[tuple[str, str], str]:
    found = own(who, "GET", "consents").json()["consents"]
    return {(e["purpose"], e["category"]): e["state"] for e in found if e["state"] != "unknown"}


def say(cell: dict[str, str], decision: str) -> dict[str, Any]:
    return {"decisions": [{**cell, "decision": decision}], "notice_version": NOTICE}


def family(stage: Stage, *cells: dict[str, str]) -> tuple[Person, Person]:
    child, mother = person(stage, "Cleo", "13-15", *cells), person(stage, "Mona", "adult")
    code = own(child, "POST", "guardian/codes").json()["code"]
    answer = own(mother, "POST", "wards", {"code": code})
    assert answer.status_code == 201, answer.text
    assert answer.json()["ward"] == child.shopper
    return child, mother


@pytest.fixture
def california(tmp_path: Path, new_database: NewDatabase) -> Iterator[Stage]:
    """A service whose own law lets one decide alone from 13 on."""
    law = Controller(jurisdiction="US-CA")
    made = Stage(tmp_path / "california", database=new_database, controller=law)
    yield made
    made.close()


def reside(who: Person, where: Residence) -> None:
    rights.state_residence(who.stage.context, who.shopper, who.token, where)


def test_who_says_nothing_of_her_age_is_asked_for_nothing_that_leaves_the_device(
    stage: Stage,
) -> None:
    body = {"consents": [{**TRAIN, "decision": "given"}], "notice_version": NOTICE}
    answer = stage.http.post("/v1/shoppers", json=body)
    assert (answer.status_code, answer.json()["type"]) == (409, gate.STATE_AGE)
    local = {"purpose": "personalise-on-device", "category": "purchases"}
    who = person(stage, "Nora", "not-stated", local)
    answer = own(who, "PUT", "consents", say(TRAIN, "given"), If_Match="*")
    assert (answer.status_code, answer.json()["type"]) == (409, gate.STATE_AGE)
    assert own(who, "PUT", "age", {"band": "adult"}).status_code == 200
    assert own(who, "PUT", "consents", say(TRAIN, "given"), If_Match="*").status_code == 200


def test_a_minors_yes_waits_and_permits_nothing(stage: Stage) -> None:
    child = person(stage, "Cleo", "13-15", TRAIN)
    assert states(child) == {tuple(TRAIN.values()): "request-deferred"}
    mother = person(stage, "Mona", "adult")
    code = own(child, "POST", "guardian/codes").json()["code"]
    own(mother, "POST", "wards", {"code": code})
    assert own(mother, "GET", "wards").json()["wards"][0]["waiting"] == 1
    again = own(child, "PUT", "consents", say(TRAIN, "given"), If_Match="*")
    assert again.status_code == 200
    assert states(child) == {tuple(TRAIN.values()): "requested"}


def test_the_guardians_yes_gives_and_either_no_ends(stage: Stage) -> None:
    child, mother = family(stage, TRAIN)
    ward = f"wards/{child.shopper}/consents"
    assert own(mother, "PUT", ward, say(TRAIN, "given")).status_code == 428
    tag = own(mother, "GET", ward).headers["etag"]
    assert own(mother, "PUT", ward, say(TRAIN, "given"), If_Match=tag).status_code == 200
    assert states(child) == {tuple(TRAIN.values()): "given"}
    assert own(child, "PUT", "consents", say(TRAIN, "withdrawn")).status_code == 200
    assert states(child) == {tuple(TRAIN.values()): "withdrawn"}
    own(child, "PUT", "consents", say(TRAIN, "given"), If_Match="*")
    own(mother, "PUT", ward, say(TRAIN, "given"), If_Match="*")
    age_proof(stage)
    assert own(mother, "PUT", ward, say(TRAIN, "refused")).status_code == 200  # no proof needed
    assert states(child) == {tuple(TRAIN.values()): "withdrawn"}


def test_a_guardian_adds_nothing_of_her_own(stage: Stage) -> None:
    child, mother = family(stage)
    ward = f"wards/{child.shopper}/consents"
    assert own(mother, "PUT", ward, say(TRAIN, "given"), If_Match="*").status_code == 409
    assert states(child) == {}


def test_a_guardians_yes_needs_a_fresh_login(stage: Stage) -> None:
    child, mother = family(stage, TRAIN)
    age_proof(stage)
    ward = f"wards/{child.shopper}/consents"
    assert own(mother, "PUT", ward, say(TRAIN, "given"), If_Match="*").status_code == 403
    assert states(child) == {tuple(TRAIN.values()): "request-deferred"}


def test_minors_are_never_asked_for_some_things(stage: Stage) -> None:
    child, _ = family(stage)
    for cell in (HEALTH, POINTS):
        answer = own(child, "PUT", "consents", say(cell, "given"), If_Match="*")
        assert (answer.status_code, answer.json()["type"]) == (409, gate.NEVER)
    assert own(child, "PUT", "consents", say(HEALTH, "refused")).status_code == 200


def test_a_code_works_once_for_an_adult_and_for_a_while(stage: Stage) -> None:
    child, mother = person(stage, "Cleo", "13-15"), person(stage, "Mona", "adult")
    friend = person(stage, "Fred", "16-17")
    code = own(child, "POST", "guardian/codes").json()["code"]
    assert own(friend, "POST", "wards", {"code": code}).status_code == 409
    assert own(child, "POST", "wards", {"code": code}).status_code == 409
    stage.clock.now += 15 * 60
    mother.token = stage.http.post(
        "/v1/sessions", json={"name": "Mona", "password": "a long walk by the sea"}
    ).json()["token"]
    assert own(mother, "POST", "wards", {"code": code}).status_code == 422
    code = own(child, "POST", "guardian/codes").json()["code"]
    assert own(mother, "POST", "wards", {"code": code}).status_code == 201
    assert own(mother, "POST", "wards", {"code": code}).status_code == 422
    assert own(child, "POST", "guardian/codes").status_code == 409


def test_guessing_codes_is_bounded(stage: Stage) -> None:
    mother = person(stage, "Mona", "adult")
    answers = [own(mother, "POST", "wards", {"code": "AAAA-AAAA"}).status_code for _ in range(11)]
    assert answers[:10] == [422] * 10
    assert answers[10] == 429


def test_the_code_is_not_stored(stage: Stage) -> None:
    code = own(person(stage, "Cleo", "13-15"), "POST", "guardian/codes").json()["code"]
    with stage.context.database.reading() as session:
        (stored,) = session.scalars(select(METADATA.tables["guardian_code"].c.code_hash))
    plain = (code, code.replace("-", ""))
    assert stored not in {*plain, *(hashlib.sha256(each.encode()).hexdigest() for each in plain)}


def test_strangers_do_not_use_up_her_tries(stage: Stage) -> None:
    child, mother = person(stage, "Cleo", "13-15"), person(stage, "Mona", "adult")
    stranger = person(stage, "Sara", "adult")
    path = f"/v1/shoppers/{child.shopper}/guardian/codes"
    wards = f"/v1/shoppers/{mother.shopper}/wards"
    for _ in range(11):
        assert stage.http.post(path, headers=stranger.headers).status_code == 404
        asked = stage.http.post(wards, json={"code": "AAAA-AAAA"}, headers=stranger.headers)
        assert asked.status_code == 404
    code = own(child, "POST", "guardian/codes").json()["code"]
    assert own(mother, "POST", "wards", {"code": code}).status_code == 201


def test_a_device_token_is_no_guardian(stage: Stage) -> None:
    child = person(stage, "Cleo", "13-15")
    device = stage.device()
    code = own(child, "POST", "guardian/codes").json()["code"]
    answer = stage.http.post(
        f"/v1/shoppers/{device.shopper}/wards",
        json={"code": code},
        headers={"Authorization": f"Bearer {device.shoppers[device.shopper]}"},
    )
    assert answer.status_code == 403


def test_others_see_no_ward_and_the_guardian_sees_the_matrix_only(stage: Stage) -> None:
    child, mother = family(stage, TRAIN)
    stranger = person(stage, "Sara", "adult")
    for what in (f"wards/{child.shopper}/consents", f"wards/{child.shopper}"):
        method = "GET" if what.endswith("consents") else "DELETE"
        assert own(stranger, method, what).status_code == 404
    assert own(mother, "GET", f"wards/{child.shopper}/consents").status_code == 200
    for what in ("consents", "diary", "points", "receipts", "log", "signals", "requests"):
        path = f"/v1/shoppers/{child.shopper}/{what}"
        assert stage.http.get(path, headers=mother.headers).status_code == 404


@pytest.mark.parametrize("by", ["child", "mother"])
def test_what_a_guardian_gave_ends_with_her(stage: Stage, by: str) -> None:
    child, mother = family(stage, TRAIN)
    ward = f"wards/{child.shopper}"
    own(mother, "PUT", f"{ward}/consents", say(TRAIN, "given"), If_Match="*")
    ended = own(child, "DELETE", "guardian") if by == "child" else own(mother, "DELETE", ward)
    assert ended.status_code == 204
    assert states(child) == {tuple(TRAIN.values()): "expired"}
    assert own(mother, "GET", f"{ward}/consents").status_code == 404
    assert own(child, "GET", "age").json()["guardian"] is False
    assert own(child, "DELETE", "guardian").status_code == 404


def test_growing_up_asks_anew(stage: Stage) -> None:
    child, mother = family(stage, TRAIN)
    ward = f"wards/{child.shopper}/consents"
    own(mother, "PUT", ward, say(TRAIN, "given"), If_Match="*")
    assert own(child, "PUT", "age", {"band": "adult"}).status_code == 409
    stage.clock.now += 31 * DAY
    for who in (child, mother):
        answer = stage.http.post(
            "/v1/sessions", json={"name": who.name, "password": "a long walk by the sea"}
        )
        who.token = answer.json()["token"]
    found = own(child, "PUT", "age", {"band": "adult"}).json()
    assert (found["guardian_needed"], found["guardian"]) == (False, False)
    assert states(child) == {tuple(TRAIN.values()): "expired"}
    assert own(mother, "GET", ward).status_code == 404
    assert own(child, "PUT", "consents", say(TRAIN, "given"), If_Match="*").status_code == 200


def test_a_younger_band_ends_what_it_may_not_have_agreed_to(stage: Stage) -> None:
    who = person(stage, "Una", "adult", TRAIN)
    assert own(who, "PUT", "age", {"band": "13-15"}).status_code == 200
    assert states(who) == {tuple(TRAIN.values()): "expired"}


def test_where_she_lives_decides_too_whether_her_yes_counts(california: Stage) -> None:
    child = person(california, "Cleo", "13-15", TRAIN)
    assert states(child) == {tuple(TRAIN.values()): "given"}
    reside(child, Residence.EEA)
    assert own(child, "GET", "age").json()["guardian_needed"] is True
    assert states(child) == {tuple(TRAIN.values()): "expired"}


def test_who_moves_to_where_she_may_decide_alone_has_no_guardian_any_more(
    california: Stage,
) -> None:
    child = person(california, "Cleo", "13-15")
    reside(child, Residence.EEA)
    mother = person(california, "Mona", "adult")
    assert own(child, "PUT", "consents", say(TRAIN, "given"), If_Match="*").status_code == 200
    code = own(child, "POST", "guardian/codes").json()["code"]
    assert own(mother, "POST", "wards", {"code": code}).status_code == 201
    ward = f"wards/{child.shopper}/consents"
    assert own(mother, "PUT", ward, say(TRAIN, "given"), If_Match="*").status_code == 200
    reside(child, Residence.CALIFORNIA)
    assert states(child) == {tuple(TRAIN.values()): "expired"}
    assert own(mother, "GET", ward).status_code == 404
    assert own(child, "GET", "age").json()["guardian"] is False


def test_a_code_is_worth_nothing_once_she_needs_no_guardian(california: Stage) -> None:
    child, mother = person(california, "Cleo", "13-15"), person(california, "Mona", "adult")
    reside(child, Residence.EEA)
    code = own(child, "POST", "guardian/codes").json()["code"]
    reside(child, Residence.CALIFORNIA)
    assert own(mother, "POST", "wards", {"code": code}).status_code == 422
    assert own(mother, "GET", "wards").json() == {"wards": []}


def test_adults_and_the_stated_need_no_code(stage: Stage) -> None:
    who = person(stage, "Una", "adult")
    assert own(who, "POST", "guardian/codes").status_code == 409


def test_a_waiting_yes_gets_no_grant(stage: Stage) -> None:
    child = person(stage, "Cleo", "13-15", TRAIN)
    assert GIVE  # an adult with the same words is granted
    adult = stage.device()
    assert len(stage.grants(adult)) == 1
    device = stage.device(decisions={})
    device.shoppers = {child.shopper: child.token}
    stage.client.pair(child.shopper, child.token, client=device.key.public_key())
    assert stage.grants(device) == {}
