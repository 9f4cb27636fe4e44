"""Accounts: registering, logging in, passwords, recovery, roles."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import select

from consent.credentials import account_name, new_password
from consent.service.accounts import service, staff
from consent.service.accounts.passwords import Passwords
from consent.service.accounts.repository import AccountRepository
from consent.service.accounts.tables import Account
from consent.service.principals import Role
from consent.service.problems import Problem
from consent.service.quotas import Kind, Quotas
from consent.service.tables import METADATA, Shopper
from crypto.errors import InvalidInputError
from tests.unit.consent.harness import QUICK, Stage
from tests.unit.consent.service.people import (
    NEW_PASSWORD,
    PASSWORD,
    Person,
    bearer,
    log_in,
    operator,
    recover,
    register,
    registration,
)

UNFIT: list[dict[str, Any]] = [
    {"name": "a"},
    {"name": "a" * 65},
    {"name": "two words"},
    {"name": "a\0b"},
    {"name": "a\u202eb"},
    {"name": "\ud800\ud800"},
    {"password": "short"},
    {"password": "x" * 257},
    {"password": "Password 123"},
    {"password": "aaaaaaaaaaaa"},
    {"password": "\ud800" * 12},
    {"name": "anna.anna.anna", "password": "ANNA.anna.anna"},
    {"password": None},
    {"role": "operator"},
    {"label": "\0"},
]


def count(stage: Stage, table: str) -> int:
    with stage.context.database.reading() as session:
        return len(session.execute(select(METADATA.tables[table])).all())


class TestRegistering:
    def test_a_shopper_with_her_account_and_login(self, stage: Stage) -> None:
        anna = register(stage, "Anna")
        assert len(set(anna.codes)) == 10
        state = anna.call("GET", "/account").json()
        assert state["name"] == "anna"
        assert (state["role"], state["shopper"]) == ("shopper", anna.shopper)
        assert state["recovery_codes_left"] == 10
        cells = anna.call("GET", f"/shoppers/{anna.shopper}/consents").json()["consents"]
        assert {cell["state"] for cell in cells} == {"given", "unknown"}

    def test_a_name_is_taken_once_however_it_is_written(self, stage: Stage) -> None:
        register(stage, "Anna")
        for name in ("anna", " ANNA ", "Ａｎｎａ"):
            assert stage.http.post("/v1/accounts", json=registration(name)).status_code == 409
        assert (count(stage, "shopper"), count(stage, "account")) == (1, 1)

    def test_nothing_is_half_made(self, stage: Stage) -> None:
        wrong = registration()
        wrong["shopper"]["notice_version"] = "unpublished"
        assert stage.http.post("/v1/accounts", json=wrong).status_code == 422
        assert (count(stage, "shopper"), count(stage, "account")) == (0, 0)

    def test_one_of_two_at_once_gets_the_name(self, stage: Stage) -> None:
        with ThreadPoolExecutor(4) as pool:
            answers = list(
                pool.map(lambda _: stage.http.post("/v1/accounts", json=registration()), range(4))
            )
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        assert count(stage, "shopper") == 1

    def test_what_can_not_be_is_refused_without_an_echo(self, stage: Stage) -> None:
        for change in UNFIT:
            answer = stage.http.post(
                "/v1/accounts",
                content=json.dumps(registration(**change)),  # escapes what UTF-8 has not
                headers={"Content-Type": "application/json"},
            )
            assert answer.status_code == 422, change
            sent = [str(text) for text in change.values() if len(str(text)) > 4]
            assert not [text for text in sent if text in answer.text]
        assert count(stage, "account") == 0

    def test_the_registration_has_no_token_for_devices(self, stage: Stage) -> None:
        """Nobody holds the token of a shopper who registered in the panel."""
        answer = stage.http.post("/v1/accounts", json=registration())
        assert set(answer.json()) == {"account", "shopper", "recovery_codes", "session"}

    def test_a_device_only_shopper_gets_an_account(self, stage: Stage) -> None:
        device = stage.device()
        path, token = f"/v1/shoppers/{device.shopper}/account", device.shoppers[device.shopper]
        body = {"name": "Anna", "password": PASSWORD}
        other = stage.device()
        foreign = stage.http.post(path, json=body, headers=bearer(other.shoppers[other.shopper]))
        assert foreign.status_code == 404
        made = stage.http.post(path, json=body, headers=bearer(token))
        assert made.status_code == 201
        assert log_in(stage).json()["shopper"] == device.shopper
        again = stage.http.post(path, json={**body, "name": "eve-2"}, headers=bearer(token))
        assert again.status_code == 409
        consents = stage.http.get(f"/v1/shoppers/{device.shopper}/consents", headers=bearer(token))
        assert consents.status_code == 200  # the device goes on

    def test_registrations_of_one_peer_are_counted(self, tmp_path: Any) -> None:
        stage = Stage(tmp_path / "few", quotas=Quotas(named={Kind.REGISTER: "1 per hour"}))
        register(stage, "anna")
        assert stage.http.post("/v1/accounts", json=registration("berta")).status_code == 429
        stage.close()


class TestLoggingIn:
    def test_the_token_is_a_bearer_token(self, stage: Stage) -> None:
        anna = register(stage)
        answer = log_in(stage, " ANNA")
        assert answer.status_code == 201
        assert answer.json()["role"] == "shopper"
        again = Person(stage, "anna", answer.json()["token"])
        assert again.call("GET", f"/shoppers/{anna.shopper}/consents").status_code == 200

    def test_whatever_is_wrong_the_answer_is_the_same(self, stage: Stage) -> None:
        register(stage)
        staff.add(stage.context, "operator", "no-password-yet")
        staff.add(stage.context, "operator", "closed")
        staff.close(stage.context, "closed")
        tries = [
            ("Anna", "not her password"),
            ("nobody", PASSWORD),
            ("no name at all \0", PASSWORD),
            ("no-password-yet", PASSWORD),
            ("closed", PASSWORD),
        ]
        answers = [log_in(stage, *each) for each in tries]
        assert {answer.status_code for answer in answers} == {401}
        assert len({answer.content for answer in answers}) == 1

    def test_an_unknown_name_costs_one_comparison_like_a_known_one(self, stage: Stage) -> None:
        """Time does not tell which names there are: the hashing is the same."""
        register(stage)
        work: list[str] = []

        class Spy(PasswordHash):
            def verify_and_update(self, password: Any, hash: Any) -> tuple[bool, str | None]:  # noqa: A002
                work.append(str(hash).split("$")[3])
                return super().verify_and_update(password, hash)

        stage.context.passwords.hasher = Spy(QUICK.hashers)
        for name in ("anna", "nobody", "no name at all"):
            log_in(stage, name, "not the password")
        assert len(work) == 3
        assert len(set(work)) == 1  # the same parameters, so the same time and memory

    def test_no_transaction_waits_for_the_hash(self, stage: Stage) -> None:
        anna = register(stage)

        class Writing(PasswordHash):
            writes = 0

            def verify_and_update(self, password: Any, hash: Any) -> tuple[bool, str | None]:  # noqa: A002
                with stage.context.database.writing():
                    self.writes += 1
                return super().verify_and_update(password, hash)

            def hash(self, password: Any, *, salt: bytes | None = None) -> str:
                with stage.context.database.writing():
                    self.writes += 1
                return super().hash(password, salt=salt)

        hasher = Writing(QUICK.hashers)
        stage.context.passwords.hasher = hasher
        assert log_in(stage).status_code == 201
        change = {"old_password": PASSWORD, "new_password": NEW_PASSWORD}
        assert anna.call("PUT", "/account/password", change).status_code == 204
        assert recover(stage, "anna", anna.codes[0]).status_code == 204
        register(stage, "berta")
        assert hasher.writes >= 5

    def test_an_old_hash_is_renewed(self, stage: Stage) -> None:
        register(stage)
        stage.context.passwords.hasher = PasswordHash(
            [Argon2Hasher(time_cost=2, memory_cost=64, parallelism=1)]
        )
        assert log_in(stage).status_code == 201
        with stage.context.database.reading() as session:
            account = AccountRepository(session).by_name("anna")
        assert account is not None
        assert "t=2" in str(account.password_hash)
        assert log_in(stage).status_code == 201

    def test_tries_are_counted_by_name(self, stage: Stage) -> None:
        register(stage)
        register(stage, "berta")
        tries = [log_in(stage, password=f"wrong password {n}").status_code for n in range(11)]
        assert tries == [401] * 10 + [429]
        refused = log_in(stage)
        assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)
        assert log_in(stage, "berta").status_code == 201
        stage.clock.now += 30 * 60
        assert log_in(stage).status_code == 201

    def test_tries_are_counted_by_peer(self, tmp_path: Any) -> None:
        stage = Stage(tmp_path / "few", quotas=Quotas(named={Kind.LOGIN_PEER: "3 per hour"}))
        tries = [log_in(stage, f"somebody-{n}").status_code for n in range(4)]
        assert tries == [401, 401, 401, 429]
        stage.close()

    def test_a_flood_is_turned_away_and_not_queued(self) -> None:
        inside, go = threading.Event(), threading.Event()

        class Slow(PasswordHash):
            def hash(self, password: Any, *, salt: bytes | None = None) -> str:
                inside.set()
                assert go.wait(10)
                return super().hash(password, salt=salt)

        passwords = Passwords(at_once=1, waiting=1)
        passwords.hasher = Slow(QUICK.hashers)
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(passwords.hash, PASSWORD)
            assert inside.wait(10)
            second = pool.submit(passwords.hash, PASSWORD)
            while passwords._room.acquire(blocking=False):
                passwords._room.release()
            with pytest.raises(Problem) as refused:
                passwords.hash(PASSWORD)
            go.set()
            assert first.result()
            assert second.result()
        assert refused.value.status == 503
        assert passwords.verify(PASSWORD, passwords.hash(PASSWORD)).right


class TestPasswords:
    def test_no_other_login_survives_a_change(self, stage: Stage) -> None:
        anna = register(stage)
        other = Person(stage, "anna", log_in(stage).json()["token"])
        assert other.call("GET", "/account").status_code == 200
        change = {"old_password": PASSWORD, "new_password": NEW_PASSWORD}
        assert anna.call("PUT", "/account/password", change).status_code == 204
        assert other.call("GET", "/account").status_code == 401
        assert other.call("GET", f"/shoppers/{anna.shopper}/consents").status_code == 404
        assert anna.call("GET", "/account").status_code == 200
        assert log_in(stage).status_code == 401
        assert log_in(stage, password=NEW_PASSWORD).status_code == 201

    def test_a_login_with_the_old_password_that_is_under_way_does_not_open(
        self, stage: Stage
    ) -> None:
        anna = register(stage)

        class Overtaken(PasswordHash):
            def verify_and_update(self, password: Any, hash: Any) -> tuple[bool, str | None]:  # noqa: A002
                stage.context.passwords.hasher = QUICK
                change = {"old_password": PASSWORD, "new_password": NEW_PASSWORD}
                assert anna.call("PUT", "/account/password", change).status_code == 204
                return super().verify_and_update(password, hash)

        stage.context.passwords.hasher = Overtaken(QUICK.hashers)
        assert log_in(stage).status_code == 401

    def test_a_change_needs_the_old_password_or_a_fresh_proof(self, stage: Stage) -> None:
        anna = register(stage)
        stage.clock.now += 11 * 60
        bare = anna.call("PUT", "/account/password", {"new_password": NEW_PASSWORD})
        assert (bare.status_code, bare.json()["type"]) == (403, "urn:fedcart:problem:step-up")
        wrong = {"old_password": "not the password", "new_password": NEW_PASSWORD}
        assert anna.call("PUT", "/account/password", wrong).status_code == 403
        proof = anna.call("POST", "/sessions/current/proof", {"password": PASSWORD})
        assert proof.status_code == 204
        done = anna.call("PUT", "/account/password", {"new_password": NEW_PASSWORD})
        assert done.status_code == 204

    def test_a_wrong_proof_proves_nothing_and_is_counted(self, stage: Stage) -> None:
        anna = register(stage)
        stage.clock.now += 11 * 60
        proof = {"password": "not the password"}
        tries = [anna.call("POST", "/sessions/current/proof", proof).status_code for _ in range(11)]
        assert tries == [403] * 10 + [429]
        assert anna.call("POST", "/account/recovery-codes").status_code == 403

    def test_every_keyboard_makes_the_same_password(self, stage: Stage) -> None:
        register(stage, password="cafe\u0301 by the sea")
        assert log_in(stage, password="caf\u00e9 by the sea").status_code == 201

    def test_nothing_secret_is_stored(self, stage: Stage) -> None:
        anna = register(stage)
        with stage.context.database.reading() as session:
            rows = [
                str(session.execute(select(METADATA.tables[name])).all())
                for name in ("account", "account_session", "account_code", "shopper")
            ]
        stored = "".join(rows)
        codes = [code.replace("-", "") for code in anna.codes]
        assert not [text for text in (PASSWORD, anna.token, *anna.codes, *codes) if text in stored]
        assert "argon2id" in stored

    def test_the_work_is_todays_recommendation(self) -> None:
        assert "$argon2id$v=19$m=65536,t=3,p=4$" in Passwords().hash(PASSWORD)


class TestRecovery:
    def test_a_code_sets_a_password_once_and_ends_every_login(self, stage: Stage) -> None:
        anna = register(stage)
        code = anna.codes[3].lower().replace("-", " ")
        assert recover(stage, "ANNA", code).status_code == 204
        assert anna.call("GET", "/account").status_code == 401
        assert log_in(stage, password=NEW_PASSWORD).status_code == 201
        assert recover(stage, "anna", code).status_code == 401
        assert recover(stage, "anna", anna.codes[4]).status_code == 204

    def test_a_code_is_used_once_at_once(self, stage: Stage) -> None:
        anna = register(stage)
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: recover(stage, "anna", anna.codes[0]), range(4)))
        assert sorted(answer.status_code for answer in found) == [204, 401, 401, 401]

    def test_a_refused_password_costs_no_code(self, stage: Stage) -> None:
        anna = register(stage)
        assert recover(stage, "anna", anna.codes[0], "password1234").status_code == 422
        assert recover(stage, "anna", anna.codes[0]).status_code == 204

    def test_codes_are_ones_own(self, stage: Stage) -> None:
        anna, berta = register(stage), register(stage, "berta")
        answers = [
            recover(stage, "berta", anna.codes[0]),
            recover(stage, "nobody", anna.codes[0]),
            recover(stage, "anna", "AAAA-AAAA-AAAA-AAAA"),
        ]
        assert {answer.status_code for answer in answers} == {401}
        assert len({answer.content for answer in answers}) == 1
        assert berta.call("GET", "/account").status_code == 200

    def test_tries_are_counted(self, stage: Stage) -> None:
        anna = register(stage)
        tries = [recover(stage, "anna", f"AAAA-{n}").status_code for n in range(6)]
        assert tries == [401] * 5 + [429]
        assert recover(stage, "anna", anna.codes[0]).status_code == 429

    def test_new_codes_replace_the_old_ones(self, stage: Stage) -> None:
        anna = register(stage)
        new = anna.call("POST", "/account/recovery-codes").json()["recovery_codes"]
        assert not set(new) & set(anna.codes)
        assert recover(stage, "anna", anna.codes[0]).status_code == 401
        assert recover(stage, "anna", new[0]).status_code == 204


class TestStaff:
    def test_a_setup_code_works_for_a_day(self, stage: Stage) -> None:
        late, soon = (staff.add(stage.context, "operator", name) for name in ("late", "soon"))
        stage.clock.now += 24 * 3600 - 1
        assert recover(stage, "soon", soon.setup_code).status_code == 204
        stage.clock.now += 1
        assert recover(stage, "late", late.setup_code).status_code == 401

    def test_a_new_start_ends_what_was(self, stage: Stage) -> None:
        olga = operator(stage)
        first = staff.add(stage.context, "operator", "Olga")
        second = staff.add(stage.context, "operator", "Olga")
        assert olga.call("GET", "/account").status_code == 401
        assert log_in(stage, "olga").status_code == 401
        assert recover(stage, "olga", first.setup_code).status_code == 401
        assert recover(stage, "olga", second.setup_code).status_code == 204

    def test_a_closed_account_is_closed(self, stage: Stage) -> None:
        olga = operator(stage)
        assert [account.name for account in staff.accounts(stage.context)] == ["olga"]
        staff.close(stage.context, "Olga")
        assert olga.call("GET", "/account").status_code == 401
        assert log_in(stage, "olga").status_code == 401
        for act in (staff.close, lambda context, name: staff.add(context, "operator", name)):
            with pytest.raises(InvalidInputError):
                act(stage.context, "olga")

    def test_shoppers_are_not_made_or_closed_here(self, stage: Stage) -> None:
        register(stage)
        for role in ("shopper", "store", "coordinator", ""):
            with pytest.raises(InvalidInputError, match="role"):
                staff.add(stage.context, role, "new-one")
        with pytest.raises(InvalidInputError):
            staff.close(stage.context, "anna")
        with pytest.raises(InvalidInputError, match="taken"):
            staff.add(stage.context, "operator", "anna")

    def test_no_account_of_a_role_that_does_not_log_in(self, stage: Stage) -> None:
        wrong = [(Role.STORE, None), (Role.COORDINATOR, None), (Role.SHOPPER, None)]
        for role, shopper in (*wrong, (Role.AUDITOR, "x")):
            with (
                stage.context.database.reading() as session,
                pytest.raises(ValueError, match="rol"),
            ):
                service.create_account(
                    stage.context, session, role=role, shopper_id=shopper, name="x-x"
                )


def test_an_erased_account_is_gone(stage: Stage) -> None:
    anna, berta = register(stage), register(stage, "berta")
    with stage.context.database.writing() as session:
        service.erase(stage.context, session, anna.shopper)
    assert anna.call("GET", "/account").status_code == 401
    assert log_in(stage).status_code == 401
    assert count(stage, "account") == count(stage, "account_session") == 1
    assert count(stage, "account_code") == 10
    assert berta.call("GET", "/account").status_code == 200
    with stage.context.database.reading() as session:
        assert session.get(Shopper, anna.shopper) is not None  # her rights' business, not ours
        assert session.get(Account, "x") is None


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Anna", "anna"),
        ("  anna ", "anna"),
        ("ＡＮＮＡ", "anna"),
        ("王小明", "王小明"),
        ("ß-ß", "ss-ss"),
    ],
)
def test_names_are_folded(typed: str, stored: str) -> None:
    assert account_name(typed) == stored == account_name(stored)


@pytest.mark.parametrize("password", ["anna.anna-x", "password 123", "QWERTYUIOP", "1111111112"])
def test_first_guesses_are_no_passwords(password: str) -> None:
    with pytest.raises(InvalidInputError):
        new_password(password, name="anna.anna-x")


def test_no_kinds_of_characters_are_asked_for() -> None:
    assert new_password("ten letter", name="anna") == "ten letter"
    assert new_password("我最喜欢的书在书架上", name="anna")
