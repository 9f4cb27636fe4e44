"""Open logins: how they end, who sees them, and what a token of one role can never get."""

from typing import Any

import httpx
import pytest

from consent.service.accounts import service
from consent.service.accounts.lifetimes import Lifetimes
from consent.service.accounts.tables import Account
from consent.service.principals import Role
from crypto.errors import InvalidInputError
from tests.unit.consent.harness import Stage
from tests.unit.consent.service.people import Person, log_in, operator, register

HOUR = 3600
WRONG_LIFETIMES: list[object] = [
    {"hours": 0},
    {"idle_minutes": 1},
    {"hours": 1, "idle_minutes": 61},
    {"x": 1},
    [],
]


def again(stage: Stage, name: str = "Anna") -> Person:
    return Person(stage, name, log_in(stage, name).json()["token"])


def alive(person: Person) -> bool:
    status = person.call("GET", "/account").status_code
    assert status in (200, 401)
    return status == 200


def test_a_login_that_is_used_lives_for_a_day(stage: Stage) -> None:
    used = register(stage)
    unused = again(stage)
    for _ in range(2 * 24 - 1):
        stage.clock.now += HOUR / 2
        assert alive(used)
    assert not alive(unused)
    stage.clock.now += HOUR / 2
    assert not alive(used)


def test_an_idle_login_dies_after_an_hour(stage: Stage) -> None:
    anna = register(stage)
    stage.clock.now += HOUR - 1
    assert alive(anna)
    stage.clock.now += HOUR
    assert not alive(anna)
    path = f"/shoppers/{anna.shopper}/consents"
    assert anna.call("GET", path).status_code == 404


def test_the_lifetimes_are_settings() -> None:
    assert Lifetimes.from_json({"hours": 2}) == Lifetimes(hours=2)
    assert Lifetimes.from_json(Lifetimes().to_json()) == Lifetimes()
    refused: list[Any] = [
        {"hours": 0},
        {"idle_minutes": 1},
        {"hours": 1, "idle_minutes": 61},
        {"x": 1},
        [],
    ]
    for wrong in refused:
        with pytest.raises(InvalidInputError):
            Lifetimes.from_json(wrong)


def test_own_logins_are_listed_and_ended(stage: Stage) -> None:
    anna = register(stage, label="Firefox, Linux")
    other, berta = again(stage), register(stage, "berta")
    found = anna.call("GET", "/sessions").json()["sessions"]
    assert [each["current"] for each in found].count(True) == 1
    assert {each["label"] for each in found} == {"Firefox, Linux", ""}
    assert not [text for text in (anna.token, other.token) if text in str(found)]
    theirs = next(each["id"] for each in found if not each["current"])
    assert berta.call("DELETE", f"/sessions/{theirs}").status_code == 404
    assert anna.call("DELETE", f"/sessions/{theirs}").status_code == 204
    assert anna.call("DELETE", f"/sessions/{theirs}").status_code == 404
    assert (alive(anna), alive(other), alive(berta)) == (True, False, True)


def test_all_or_all_others_end(stage: Stage) -> None:
    anna, other, berta = register(stage), again(stage), register(stage, "berta")
    assert anna.call("DELETE", "/sessions?keep_current=true").status_code == 204
    assert (alive(anna), alive(other)) == (True, False)
    other = again(stage)
    assert anna.call("DELETE", "/sessions").status_code == 204
    assert (alive(anna), alive(other), alive(berta)) == (False, False, True)


def test_logging_out_ends_it(stage: Stage) -> None:
    anna, other = register(stage), again(stage)
    assert anna.call("DELETE", "/sessions/current").status_code == 204
    assert (alive(anna), alive(other)) == (False, True)


def test_a_change_of_credentials_can_keep_only_a_login_of_the_same_account(stage: Stage) -> None:
    anna, berta = register(stage), register(stage, "berta")
    with stage.context.database.writing() as session:
        principal, account = service.signed_in(stage.context, session, anna.token)
        theirs, _ = service.signed_in(stage.context, session, berta.token)
        service.credentials_changed(stage.context, session, account, keep=theirs.session)
        assert account.version == 1
    assert (alive(anna), alive(berta)) == (False, True)
    assert principal.role is Role.SHOPPER


def test_labels_are_printable_and_short(stage: Stage) -> None:
    anna = register(stage)
    with stage.context.database.writing() as session:
        _, account = service.signed_in(stage.context, session, anna.token)
        label = "a\u202eb\n" + "x" * 99
        token = service.open_session(stage.context, session, account, label=label)
    found = Person(stage, "anna", token).call("GET", "/sessions").json()["sessions"]
    assert [each["label"] for each in found if each["current"]] == ["a b " + "x" * 60]


class TestScopes:
    def test_no_login_and_no_token_gets_a_wider_role(self, stage: Stage) -> None:
        """There is no way over HTTP to an account or token of another role than one's own."""
        anna, olga = register(stage), operator(stage)
        device = stage.device()
        tokens = {
            "shopper": anna.token,
            "device": device.shoppers[device.shopper],
            "store": stage.store_token("north"),
            "operator": olga.token,
            "coordinator": stage.token,
            "nobody": "",
        }
        for name, token in tokens.items():
            caller = Person(stage, name, token)
            for method, path, body in ATTEMPTS:
                answer = caller.call(method, path, body)
                assert not _gained(answer), (name, path, answer.text)
        assert _roles(stage) == {"shopper", "operator"}

    def test_a_token_that_is_no_login_has_no_account(self, stage: Stage) -> None:
        device = stage.device()
        for token in (stage.store_token("north"), device.shoppers[device.shopper], stage.token):
            caller = Person(stage, "machine", token)
            proof = {"password": "anything at all"}
            assert caller.call("POST", "/sessions/current/proof", proof).status_code == 404
            for path in ("/account", "/sessions"):
                assert caller.call("GET", path).status_code == 404


ATTEMPTS = [
    ("POST", "/tokens", {"role": "operator", "name": "mine"}),
    ("PUT", "/account", {"role": "operator"}),
    ("PUT", "/account/language", {"language": "en", "role": "operator"}),
    ("POST", "/accounts", {"name": "eve-1", "password": "a long walk", "role": "operator"}),
    ("POST", "/sessions", {"name": "eve-1", "password": "a long walk", "role": "operator"}),
    ("POST", "/sessions/current/proof", {"password": "a long walk", "role": "operator"}),
]


def _gained(answer: httpx.Response) -> bool:
    return answer.status_code < 400


def _roles(stage: Stage) -> set[str]:
    with stage.context.database.reading() as session:
        return {row.role for row in session.query(Account)}
