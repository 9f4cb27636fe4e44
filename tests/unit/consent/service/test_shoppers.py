import traceback
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from consent.ages import AgeBand
from consent.purpose import CELLS, Category, Cell, ConsentState, Decision, Purpose
from consent.service.tables import METADATA, Shopper
from crypto.errors import ConsentError
from crypto.wire import b64, public_bytes, thumbprint
from tests.unit.consent.harness import (
    GIVE,
    NOTICE,
    TRAIN_PURCHASES,
    WITHDRAW,
    Device,
    Stage,
)

BROWSING = Cell(Purpose.PERSONALISE, Category.BROWSING)
ENTRY = {"purpose": "train-shared-models", "category": "purchases"}


def put(stage: Stage, device: Device, *decisions: str, shopper: str = "") -> httpx.Response:
    who = shopper or device.shopper
    return stage.http.put(
        f"/v1/shoppers/{who}/consents",
        json={
            "decisions": [{**ENTRY, "decision": decision} for decision in decisions],
            "notice_version": NOTICE,
        },
        headers={"Authorization": f"Bearer {device.shoppers[device.shopper]}"},
    )


def test_health_and_keys(stage: Stage) -> None:
    assert stage.http.get("/v1/healthz").json() == {"status": "ok"}
    assert stage.client.keys().issuer == "test-consent"


def test_nothing_is_preselected(stage: Stage) -> None:
    made = stage.client.register({}, notice_version=NOTICE)
    found = stage.client.consents(made.shopper, made.token)
    assert made.epoch == found.epoch == 0
    assert found.cells == dict.fromkeys(CELLS, ConsentState.UNKNOWN)


def test_registration_records_what_was_said_and_no_more(stage: Stage) -> None:
    made = stage.client.register(
        {TRAIN_PURCHASES: Decision.GIVEN, BROWSING: Decision.REFUSED},
        notice_version=NOTICE,
        age_band=AgeBand.ADULT,
    )
    cells = stage.client.consents(made.shopper, made.token).cells
    assert made.epoch == 1
    assert cells.pop(TRAIN_PURCHASES) is ConsentState.GIVEN
    assert cells.pop(BROWSING) is ConsentState.REFUSED
    assert set(cells.values()) == {ConsentState.UNKNOWN}


def test_a_matrix_shows_notice_and_time(stage: Stage) -> None:
    device = stage.device()
    answer = stage.http.get(
        f"/v1/shoppers/{device.shopper}/consents",
        headers={"Authorization": f"Bearer {device.shoppers[device.shopper]}"},
    )
    given = next(cell for cell in answer.json()["consents"] if cell["state"] == "given")
    assert given == {
        **ENTRY,
        "state": "given",
        "notice_version": NOTICE,
        "since": int(stage.clock.now * 1000),
        "expires_at": int((stage.clock.now + 396 * 86_400) * 1000),
    }
    assert answer.headers["cache-control"] == "no-store"


def test_every_change_raises_the_epoch(stage: Stage) -> None:
    device = stage.device()
    epochs = [
        stage.decide(device, decisions)
        for decisions in (WITHDRAW, GIVE, GIVE, {BROWSING: Decision.REFUSED})
    ]
    assert epochs == [2, 3, 4, 5]


def test_a_withdrawal_of_what_was_never_given_changes_nothing(stage: Stage) -> None:
    device = stage.device()
    decisions = {TRAIN_PURCHASES: Decision.WITHDRAWN, BROWSING: Decision.WITHDRAWN}
    with pytest.raises(ConsentError, match=r"409.*personalise-on-device / browsing"):
        stage.decide(device, decisions)
    after = stage.client.consents(device.shopper, device.shoppers[device.shopper])
    assert after.epoch == 1
    assert after.cells[TRAIN_PURCHASES] is ConsentState.GIVEN


def test_a_repeated_withdrawal_is_no_error(stage: Stage) -> None:
    device = stage.device()
    assert put(stage, device, "withdrawn").status_code == 200
    assert put(stage, device, "withdrawn").status_code == 200


def test_a_cell_is_decided_once_a_request(stage: Stage) -> None:
    assert put(stage, stage.device(), "given", "withdrawn").status_code == 422


def test_an_owner_is_hidden_from_others(stage: Stage) -> None:
    mine, hers = stage.device(), stage.device()
    foreign = put(stage, mine, "withdrawn", shopper=hers.shopper)
    missing = put(stage, mine, "withdrawn", shopper="0" * 32)
    assert foreign.status_code == missing.status_code == 404
    assert foreign.content == missing.content
    assert stage.client.consents(hers.shopper, hers.shoppers[hers.shopper]).epoch == 1


def test_no_token_is_401(stage: Stage) -> None:
    answer = stage.http.get(f"/v1/shoppers/{stage.device().shopper}/consents")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_empty_token_is_nobodys(stage: Stage) -> None:
    answer = stage.http.get(
        f"/v1/shoppers/{'0' * 32}/consents", headers={"Authorization": "Bearer "}
    )
    assert answer.status_code in (401, 404)


def test_pairing_and_replacing_a_client(stage: Stage) -> None:
    device, other = stage.device(), Device()
    who, token = device.shopper, device.shoppers[device.shopper]
    same = stage.client.pair(who, token, client=device.key.public_key())
    assert same == 1
    assert stage.client.pair(who, token, client=other.key.public_key()) == 2
    other.shoppers = device.shoppers
    assert not stage.grants(device)
    assert stage.grants(other).keys() == {who}


def test_a_first_pairing_leaves_the_epoch(stage: Stage) -> None:
    made = stage.client.register({}, notice_version=NOTICE)
    key = Ed25519PrivateKey.generate().public_key()
    assert stage.client.pair(made.shopper, made.token, client=key) == made.epoch


def test_a_client_is_of_one_kind(stage: Stage) -> None:
    device = stage.device()
    store = Ed25519PrivateKey.generate().public_key()
    shop = stage.store_token("shop")
    stage.client.register({}, notice_version=NOTICE, client=store, kind="store", store_token=shop)
    token = device.shoppers[device.shopper]
    with pytest.raises(ConsentError, match=r"409.*store"):
        stage.client.pair(device.shopper, token, client=store, kind="device")
    with pytest.raises(ConsentError, match="409"):
        stage.client.register(GIVE, notice_version=NOTICE, client=store, kind="device")


def test_a_client_key_is_a_key(stage: Stage) -> None:
    body: dict[str, Any] = {
        "consents": [],
        "notice_version": NOTICE,
        "client": {"public_key": "!" * 43, "kind": "device"},
    }
    assert stage.http.post("/v1/shoppers", json=body).status_code == 422
    key = Ed25519PrivateKey.generate().public_key()
    body["client"]["public_key"] = b64(public_bytes(key))
    assert stage.http.post("/v1/shoppers", json=body).status_code == 201
    assert len(thumbprint(key)) == 43


def test_only_hashes_of_tokens_are_stored(stage: Stage) -> None:
    device = stage.device()
    token = device.shoppers[device.shopper]
    with stage.context.database.reading() as session:
        stored = str([session.execute(select(table)).all() for table in METADATA.tables.values()])
    assert device.shopper in stored
    assert token not in stored
    assert stage.token not in stored


@pytest.mark.parametrize(
    "statement", ["DELETE FROM consent_event", "UPDATE consent_event SET epoch = 9"]
)
def test_history_is_append_only(stage: Stage, statement: str) -> None:
    stage.device()
    refused(stage, statement)


def test_no_other_word_replaces_history(stage: Stage) -> None:
    stage.device()
    if isinstance(stage.settings.database, str):
        refused(stage, "TRUNCATE consent_event")
    else:
        refused(stage, "REPLACE INTO consent_event SELECT * FROM consent_event")


def refused(stage: Stage, statement: str) -> None:
    with (
        pytest.raises(IntegrityError, match="append-only"),
        stage.context.database.writing() as session,
    ):
        session.execute(text(statement))


def test_errors_quote_no_rows(stage: Stage) -> None:
    who = stage.device().shopper
    again = {"id": who, "token_hash": "", "epoch": 0, "floor": 0, "created_at": 0}
    with (
        pytest.raises(IntegrityError) as failed,
        stage.context.database.writing() as session,
    ):
        session.execute(insert(Shopper), [again])
    assert who not in "".join(traceback.format_exception(failed.value))
