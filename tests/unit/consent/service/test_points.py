"""Points are flat, for those who opted in, never taken back, and turned into codes once."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from consent.incentive import OPT_IN, Incentive, notice
from consent.notice import Language
from consent.purpose import Category, Cell, Decision, Purpose
from consent.redemption import Redemption
from consent.service.points import service
from tests.unit.consent.harness import GIVE, WITHDRAW, Device, Stage
from tests.unit.consent.rounds import COLLECT, STOP_COLLECTING, balance, bearer, release
from tests.unit.crypto.samples import signer

DAY = 86_400


def make_code(
    stage: Stage, device: Device, points: object = 3, *, key: str = "k-1", token: str | None = None
) -> httpx.Response:
    headers = bearer(token or device.shoppers[device.shopper])
    return stage.http.post(
        f"/v1/shoppers/{device.shopper}/codes",
        json={"points": points},
        headers={**headers, "Idempotency-Key": key},
    )


def device_token(device: Device) -> str:
    return device.shoppers[device.shopper]


def redeem(
    stage: Stage, till: Device, code: str, *, sale: str = "sale-1", **changes: Any
) -> httpx.Response:
    fields: dict[str, Any] = {
        "code": code,
        "sale": sale,
        "client_key": till.key.public_key(),
        "issued_at": int(stage.clock.now),
    }
    record = Redemption(**(fields | changes)).sign(till.key)
    token = till.store_token or device_token(till)
    return stage.http.post("/v1/codes/redeem", json=record.to_json(), headers=bearer(token))


class TestCredits:
    def test_flat_for_everybody_who_opted_in_and_nobody_else(self, pinned: Stage) -> None:
        store = pinned.device(kind="store", shoppers=3, decisions=COLLECT)
        plain = pinned.device()
        sensitive = pinned.device(
            decisions={**GIVE, Cell(Purpose.VALUE_SHARING, Category.SENSITIVE): Decision.GIVEN}
        )
        refused = pinned.device(decisions={**GIVE, OPT_IN: Decision.REFUSED})
        for number in (1, 2):
            release(pinned, store, plain, sensitive, refused, round_id=f"round-{number}")
        for shopper in store.shoppers:
            assert balance(pinned, store, shopper) == 10
        assert [balance(pinned, each) for each in (plain, sensitive, refused)] == [0, 0, 0]

    def test_not_for_rounds_without_her(self, pinned: Stage) -> None:
        inside, outside = pinned.device(), pinned.device(decisions=COLLECT)
        release(pinned, inside)
        assert balance(pinned, outside) == 0

    def test_nothing_is_taken_back(self, pinned: Stage) -> None:
        noes: list[Mapping[Cell, Decision]] = [
            STOP_COLLECTING,
            WITHDRAW,
            {**WITHDRAW, **STOP_COLLECTING},
            dict.fromkeys(COLLECT, Decision.REFUSED),
        ]
        devices = [pinned.device(decisions=COLLECT) for _ in noes]
        release(pinned, *devices)
        for device, decisions in zip(devices, noes, strict=True):
            pinned.decide(device, decisions)
            assert balance(pinned, device) == 5
            assert make_code(pinned, device, 5).status_code == 201

    def test_withdrawn_or_expired_collects_no_more(self, pinned: Stage) -> None:
        stopped, expired = pinned.device(decisions=COLLECT), pinned.device(decisions=COLLECT)
        release(pinned, stopped, expired)
        pinned.decide(stopped, STOP_COLLECTING)
        pinned.clock.now += pinned.settings.validity_days * DAY
        for device in (stopped, expired):
            pinned.decide(device, GIVE)
        release(pinned, stopped, expired, round_id="round-2")
        assert [balance(pinned, each) for each in (stopped, expired)] == [5, 5]

    def test_entries_say_where_points_come_from(
        self, pinned: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "PAGE", 2)
        device = pinned.device(decisions=COLLECT)
        for number in (1, 2, 3):
            release(pinned, device, round_id=f"round-{number}")
        code = make_code(pinned, device, 4).json()["id"]
        found = pinned.client.points(device.shopper, device.shoppers[device.shopper])
        moves = [(each.debit, each.credit, each.points) for each in found.entries]
        assert moves == [("shopper", "redeemed", 4)] + [("issuer", "shopper", 5)] * 3
        assert found.entries[0].reference == code
        assert found.balance == 11

    def test_the_ledger_is_append_only(self, pinned: Stage) -> None:
        device, till = pinned.device(decisions=COLLECT), pinned.device(kind="store")
        release(pinned, device)
        redeem(pinned, till, make_code(pinned, device).json()["code"])
        for table in ("points_entry", "discount_code", "code_use"):
            with (
                pytest.raises(IntegrityError, match="append-only"),
                pinned.context.database.writing() as session,
            ):
                session.execute(text(f"DELETE FROM {table}"))


class TestCodes:
    def test_a_code_is_worth_its_points_and_stored_as_a_hash(self, pinned: Stage) -> None:
        device = pinned.device(decisions=COLLECT)
        release(pinned, device)
        made = make_code(pinned, device).json()
        assert (made["points"], made["value"], made["balance"]) == (3, "0.03 USD", 2)
        assert made["expires_at"] == int((pinned.clock.now + 365 * DAY) * 1000)
        bare = made["code"].replace("-", "")
        with pinned.context.database.reading() as session:
            rows = session.execute(text("SELECT * FROM discount_code")).all()
        assert hashlib.sha256(bare.encode()).hexdigest() in str(rows)
        assert bare not in str(rows)
        assert len(bare) == 24

    def test_the_same_key_costs_once_and_gets_the_same_code(self, pinned: Stage) -> None:
        device, other = pinned.device(decisions=COLLECT), pinned.device(decisions=COLLECT)
        release(pinned, device, other)
        first = make_code(pinned, device)
        assert make_code(pinned, device).content == first.content
        assert balance(pinned, device) == 2
        answer = make_code(pinned, device, 1)
        assert answer.status_code == 422
        assert make_code(pinned, other).json()["code"] != first.json()["code"]

    def test_a_balance_is_never_overdrawn(self, pinned: Stage) -> None:
        device = pinned.device(decisions=COLLECT)
        answer = make_code(pinned, device, 1)
        assert answer.status_code == 409
        release(pinned, device)
        assert make_code(pinned, device, 6).status_code == 409
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda n: make_code(pinned, device, 2, key=f"k-{n}"), range(12)))
        assert sorted(answer.status_code for answer in made) == [201] * 2 + [409] * 10
        assert balance(pinned, device) == 1

    def test_a_repeated_request_in_parallel_costs_once(self, pinned: Stage) -> None:
        device = pinned.device(decisions=COLLECT)
        release(pinned, device)
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: make_code(pinned, device, 1), range(8)))
        assert len({answer.json()["code"] for answer in made}) == 1
        assert balance(pinned, device) == 4

    def test_points_are_counted(self, pinned: Stage) -> None:
        device = pinned.device()
        for points in (0, -1, 1.5, "3", True, None, 10**9):
            assert make_code(pinned, device, points).status_code == 422

    def test_needs_a_key(self, pinned: Stage) -> None:
        device = pinned.device()
        for headers in ({}, {"Idempotency-Key": "with space"}, {"Idempotency-Key": "x" * 256}):
            answer = pinned.http.post(
                f"/v1/shoppers/{device.shopper}/codes",
                json={"points": 1},
                headers=bearer(device.shoppers[device.shopper]) | headers,
            )
            assert answer.status_code == 422


class TestTill:
    def test_a_code_works_once(self, pinned: Stage) -> None:
        device, till = pinned.device(decisions=COLLECT), pinned.device(kind="store")
        elsewhere = pinned.device(kind="store")
        release(pinned, device)
        code = make_code(pinned, device).json()["code"]
        first = redeem(pinned, till, code)
        assert (first.json()["points"], first.json()["value"]) == (3, "0.03 USD")
        pinned.clock.now += 600
        assert redeem(pinned, till, code.lower().replace("-", " ")).content == first.content
        for again in (
            redeem(pinned, till, code, sale="sale-2"),
            redeem(pinned, elsewhere, code),
        ):
            assert again.status_code == 404

    def test_wrong_used_and_expired_are_answered_alike(self, pinned: Stage) -> None:
        device, till = pinned.device(decisions=COLLECT), pinned.device(kind="store")
        release(pinned, device)
        used, late = (make_code(pinned, device, 2, key=key).json()["code"] for key in "ab")
        redeem(pinned, till, used)
        pinned.clock.now += 365 * DAY
        answers = [redeem(pinned, till, code, sale="sale-2") for code in (used, late, "A" * 24)]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1

    def test_only_a_stores_token_with_a_client_of_its_own_redeems(self, pinned: Stage) -> None:
        device, till = pinned.device(decisions=COLLECT), pinned.device(kind="store")
        release(pinned, device)
        code = make_code(pinned, device).json()["code"]
        stranger = Device(store_token=till.store_token)  # the right token, an unknown key
        foreign = Device(key=till.key, store_token=pinned.store_token("elsewhere"))
        for caller in (device, stranger, foreign):
            answers = [redeem(pinned, caller, each) for each in (code, "A" * 24)]
            assert {answer.status_code for answer in answers} == {404}
            assert answers[0].content == answers[1].content
        assert redeem(pinned, Device(key=till.key, store_token="x"), code).status_code == 401
        assert redeem(pinned, till, code).status_code == 200

    def test_only_fresh_requests_under_the_own_key(self, pinned: Stage) -> None:
        device, till = pinned.device(decisions=COLLECT), pinned.device(kind="store")
        release(pinned, device)
        code = make_code(pinned, device).json()["code"]
        for change in (
            {"issued_at": int(pinned.clock.now) - 61},
            {"issued_at": int(pinned.clock.now) + 61},
            {"client_key": device.key.public_key()},
            {"sale": "../x"},
            {"code": "AAAA"},
        ):
            assert redeem(pinned, till, **({"code": code} | change)).status_code == 422
        assert redeem(pinned, till, code).status_code == 200

    def test_racing_tills_redeem_once(self, pinned: Stage) -> None:
        device = pinned.device(decisions=COLLECT)
        tills = [pinned.device(kind="store") for _ in range(4)]
        release(pinned, device)
        code = make_code(pinned, device).json()["code"]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda till: redeem(pinned, till, code), tills))
        assert sorted(answer.status_code for answer in found) == [200, 404, 404, 404]


def test_other_shoppers_and_roles_see_nothing(pinned: Stage) -> None:
    mine, other = pinned.device(decisions=COLLECT), pinned.device()
    release(pinned, mine)
    path = f"/v1/shoppers/{mine.shopper}/points"
    for token in (other.shoppers[other.shopper], pinned.token):
        assert pinned.http.get(path, headers=bearer(token)).status_code == 404
        assert make_code(pinned, mine, token=token).status_code == 404
    assert pinned.http.get(path).status_code == 401
    assert balance(pinned, mine) == 5


class TestIncentive:
    @pytest.mark.parametrize("language", list(Language))
    def test_the_notice_states_the_terms(self, tmp_path: Path, language: Language) -> None:
        terms = Incentive(points_per_round=7, point_value="0.02 EUR")
        stage = Stage(tmp_path, incentive=terms)
        found = stage.http.get("/v1/incentive", params={"language": language}).json()
        stage.close()
        assert (found["points_per_round"], found["point_value"]) == (7, "0.02 EUR")
        for part in ("7 ", "0.02 EUR", "0.14 EUR", "365", "7081", "value-sharing"):
            assert part in found["text"], part
        assert "{" not in found["text"]
        assert found["sha256"] == hashlib.sha256(found["text"].encode()).hexdigest()

    def test_both_languages_have_the_same_parts(self) -> None:
        texts = [notice(Incentive(), language) for language in Language]
        headings = [sum(line.startswith("#") for line in each.splitlines()) for each in texts]
        bullets = [sum(line.startswith("- ") for line in each.splitlines()) for each in texts]
        assert len(set(headings)) == len(set(bullets)) == 1

    def test_none_is_offered_when_it_is_switched_off(self, tmp_path: Path) -> None:
        stage = Stage(
            tmp_path,
            incentive=Incentive(points_per_round=0),
            coordinator_key=signer("coordinator").public_key(),
        )
        device = stage.device(decisions=COLLECT)
        release(stage, device)
        assert stage.http.get("/v1/incentive").status_code == 404
        assert balance(stage, device) == 0
        [entry] = stage.client.diary(device.shopper, device.shoppers[device.shopper]).entries
        assert entry.points == 0
        stage.close()

    def test_after_a_new_key_old_codes_work_and_are_not_shown(self, pinned: Stage) -> None:
        device, till = pinned.device(decisions=COLLECT), pinned.device(kind="store")
        release(pinned, device)
        code = make_code(pinned, device).json()["code"]
        changed = replace(pinned.context, key=signer("another"))
        pinned.app.state.context = changed
        assert make_code(pinned, device).status_code == 409
        assert redeem(pinned, till, code).status_code == 200
