import hashlib
from typing import Any

import pytest

from consent.ages import AgeBand
from consent.notice import SHIPPED
from consent.purpose import Category, Cell, ConsentState, Decision, Purpose
from consent.service.notices.service import publish, read_all
from crypto.errors import ConsentError, InvalidInputError
from tests.unit.consent.harness import (
    GIVE,
    NOTICE,
    TASK,
    TRAIN_PURCHASES,
    WITHDRAW,
    Stage,
)

RESEARCH = Cell(Purpose.RESEARCH, Category.PURCHASES)
BOTH = {TRAIN_PURCHASES: Decision.GIVEN, RESEARCH: Decision.GIVEN}


def cells(stage: Stage, device: Any) -> dict[Cell, ConsentState]:
    who = device.shopper
    return stage.client.consents(who, device.shoppers[who]).cells


def test_a_new_service_has_the_first_notice(stage: Stage) -> None:
    answer = stage.http.get("/v1/notices").json()
    assert answer["current"] == NOTICE
    (only,) = answer["notices"]
    for language in ("en", "zh"):
        found = stage.http.get(f"/v1/notices/{NOTICE}?language={language}").json()
        exact = (SHIPPED / NOTICE / f"{language}.md").read_bytes()
        assert found["text"].encode() == exact
        assert found["sha256"] == only["sha256"][language] == hashlib.sha256(exact).hexdigest()
    assert stage.http.get(f"/v1/notices/{NOTICE}").json()["language"] == "en"


@pytest.mark.parametrize(
    ("path", "status"),
    [("unpublished", 404), ("..%2F..", 404), (f"{NOTICE}?language=fr", 422), ("x" * 200, 422)],
)
def test_other_notices_are_not_found(stage: Stage, path: str, status: int) -> None:
    assert stage.http.get(f"/v1/notices/{path}").status_code == status


def test_decisions_name_a_published_notice(stage: Stage) -> None:
    device = stage.device()
    who, token = device.shopper, device.shoppers[device.shopper]
    with pytest.raises(ConsentError, match=r"422.*No notice"):
        stage.client.register(GIVE, notice_version="unpublished")
    with pytest.raises(ConsentError, match=r"422.*No notice"):
        stage.client.decide(who, token, WITHDRAW, notice_version="2026-12")
    assert stage.client.consents(who, token).epoch == 1


def test_publishing_ends_only_what_it_touches(stage: Stage) -> None:
    touched, other = stage.device(decisions=BOTH), stage.device(decisions=BOTH)
    aside = stage.device(decisions={TRAIN_PURCHASES: Decision.GIVEN})
    refused = stage.device(decisions={TRAIN_PURCHASES: Decision.REFUSED})
    grants = [*stage.grants(touched).values(), *stage.grants(aside).values()]
    stage.decide(other, {RESEARCH: Decision.WITHDRAWN})
    assert stage.publish("2027-01", touches=[Purpose.RESEARCH]) == 1
    assert cells(stage, touched)[RESEARCH] is ConsentState.EXPIRED
    assert cells(stage, touched)[TRAIN_PURCHASES] is ConsentState.GIVEN
    assert cells(stage, other)[RESEARCH] is ConsentState.WITHDRAWN
    assert stage.client.standing(grants) == {grants[1]}
    assert stage.publish("2027-02", touches=[Purpose.TRAIN]) == 3
    assert not stage.client.standing(grants)
    assert cells(stage, refused)[TRAIN_PURCHASES] is ConsentState.REFUSED
    assert stage.client.eligible(TASK, [touched.name, aside.name]) == ()


def test_publishing_many_is_one_change_a_shopper(stage: Stage) -> None:
    store = stage.device(kind="store", shoppers=12)
    assert stage.publish("2027-01", touches=[Purpose.TRAIN]) == 12
    for who, token in store.shoppers.items():
        found = stage.client.consents(who, token)
        assert found.epoch == 2
        assert found.cells[TRAIN_PURCHASES] is ConsentState.EXPIRED


def test_consent_is_asked_again_under_the_new_words(stage: Stage) -> None:
    device = stage.device()
    who, token = device.shopper, device.shoppers[device.shopper]
    stage.publish("2027-01", touches=[Purpose.TRAIN])
    with pytest.raises(ConsentError, match=r"409.*show version 2027-01"):
        stage.client.decide(who, token, GIVE, notice_version=NOTICE)
    stage.client.decide(who, token, WITHDRAW, notice_version=NOTICE)
    stage.client.decide(who, token, GIVE, notice_version="2027-01")
    assert stage.grants(device)


def test_a_spelling_correction_ends_nothing(stage: Stage) -> None:
    device = stage.device()
    grants = stage.grants(device)
    assert stage.publish("2027-01") == 0
    assert stage.client.standing(grants.values()) == set(grants.values())
    assert read_all(stage.context).current == "2027-01"


def test_publishing_again_changes_nothing(stage: Stage) -> None:
    stage.publish("2027-01", touches=[Purpose.TRAIN])
    stage.client.register(GIVE, notice_version="2027-01", age_band=AgeBand.ADULT)
    assert publish(stage.context, "2027-01") == 0
    assert len(read_all(stage.context).notices) == 2
    with pytest.raises(InvalidInputError, match="was replaced by 2027-01"):
        publish(stage.context, NOTICE)
    with pytest.raises(InvalidInputError, match="No notice 'other'"):
        publish(stage.context, "other")


def test_a_published_text_never_changes(stage: Stage) -> None:
    stage.publish("2027-01")
    (stage.settings.notices[-1] / "2027-01" / "zh.md").write_text("别的")
    with pytest.raises(InvalidInputError, match="another text"):
        publish(stage.context, "2027-01")
    assert "别的" not in stage.http.get("/v1/notices/2027-01?language=zh").text
