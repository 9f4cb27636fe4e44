"""Requests under one key: executed once, answered alike, and unreadable in the database."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from consent.service.idempotency import service
from consent.service.idempotency.route import repeatable
from consent.service.shoppers import service as shoppers
from tests.unit.consent.harness import NOTICE, Stage
from tests.unit.consent.service.people import register

KEY = "3f1c9d7e5b2a4860"
BODY: dict[str, Any] = {"consents": [], "notice_version": NOTICE}


def send(stage: Stage, body: Any = BODY, key: str = KEY, **headers: str) -> httpx.Response:
    return stage.http.post("/v1/shoppers", json=body, headers={"Idempotency-Key": key} | headers)


def count(stage: Stage, table: str = "shopper") -> int:
    with stage.context.database.reading() as session:
        return int(session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


def test_the_same_request_is_done_once_and_answered_alike(stage: Stage) -> None:
    first, again = send(stage), send(stage)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert count(stage) == 1
    assert send(stage, key="0123456789abcdef").json() != first.json()


def test_without_a_key_each_request_counts(stage: Stage) -> None:
    for _ in range(2):
        stage.http.post("/v1/shoppers", json=BODY)
    assert count(stage) == 2
    assert count(stage, "keyed_request") == 0


def test_another_request_under_the_key_is_refused(stage: Stage) -> None:
    send(stage)
    answer = send(stage, {**BODY, "language": "zh"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("key", ["short", "with spaces in it all", "x" * 256])
def test_a_key_is_long_enough_that_nobody_guesses_it(stage: Stage, key: str) -> None:
    assert send(stage, key=key).status_code == 422
    assert count(stage) == 0


def test_a_refused_request_may_be_repeated(stage: Stage) -> None:
    assert send(stage, {**BODY, "notice_version": "unpublished"}).status_code == 422
    assert count(stage, "keyed_request") == 0
    assert send(stage).status_code == 201


def test_keys_are_forgotten_after_a_day(stage: Stage) -> None:
    first = send(stage).json()
    stage.clock.now += 24 * 3600 - 1
    assert send(stage).json() == first
    stage.clock.now += 2
    assert send(stage).json() != first
    assert count(stage, "keyed_request") == 1


def test_the_database_holds_no_token_and_no_key(stage: Stage) -> None:
    token = send(stage).json()["token"]
    with stage.context.database.reading() as session:
        (row,) = session.execute(text("SELECT * FROM keyed_request")).all()
    stored = b"".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
    assert token.encode() not in stored
    assert KEY.encode() not in stored


def test_a_key_belongs_to_its_caller(stage: Stage) -> None:
    ann, bea = register(stage, "Ann"), register(stage, "Bea")

    def ask(who: Any) -> httpx.Response:
        return stage.http.post(
            f"/v1/shoppers/{who.shopper}/pairing-code",
            json={},
            headers={**who.headers, "Idempotency-Key": KEY},
        )

    first = ask(ann)
    assert first.status_code == 201
    assert ask(ann).json() == first.json()
    assert ask(bea).json() != first.json()
    stage.http.delete("/v1/sessions/current", headers=ann.headers)
    dead = ask(ann)
    assert dead.status_code in (401, 404)
    assert first.json()["code"] not in dead.text


def test_of_many_at_once_one_is_executed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first waits until another one was refused: they are really at the same time."""
    refused, real = threading.Event(), shoppers.register

    def slow(*args: Any, **kwargs: Any) -> Any:
        assert refused.wait(30)
        return real(*args, **kwargs)

    monkeypatch.setattr(shoppers, "register", slow)
    other = stage.again()

    def attempt(number: int) -> httpx.Response:
        answer = send(stage if number % 2 else other)
        if answer.status_code == 409:
            refused.set()
        return answer

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(attempt, range(6)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 201
    assert set(statuses) <= {201, 409}
    assert count(stage) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert answer.headers["retry-after"] == "1"
    assert send(stage).status_code == 201
    assert count(stage) == 1
    other.close()


def test_a_request_that_was_begun_anew_meanwhile_changes_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is stopped for over a minute; its caller asks again, then it wakes up."""
    other, real = stage.again(), shoppers.register
    second: list[httpx.Response] = []

    def stopped(*args: Any, **kwargs: Any) -> Any:
        if stage.clock.now < woken:
            stage.clock.now = woken
            with ThreadPoolExecutor(1) as pool:  # a request of its own, in nobody's context
                second.append(pool.submit(send, other).result())
        return real(*args, **kwargs)

    woken = stage.clock.now + 61
    monkeypatch.setattr(shoppers, "register", stopped)
    first = send(stage)
    assert (first.status_code, second[0].status_code) == (409, 201)
    assert count(stage) == 1
    assert send(stage).json() == second[0].json()
    other.close()


@pytest.mark.parametrize("changed", [False, True])
def test_after_a_crash_it_is_known_whether_something_was_done(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, changed: bool
) -> None:
    """The process dies before (or after) the change, and never keeps or drops its claim."""
    real = shoppers.register

    def dies(*args: Any, **kwargs: Any) -> Any:
        if changed:
            real(*args, **kwargs)
        raise RuntimeError("power failure")

    with monkeypatch.context() as broken:
        broken.setattr(shoppers, "register", dies)
        broken.setattr(service, "drop", lambda *_args, **_options: None)
        assert send(stage).status_code == 500
    assert send(stage).status_code == 409
    stage.clock.now += 61
    answer = send(stage)
    assert answer.status_code == (409 if changed else 201)
    assert count(stage) == 1


def test_a_long_body_is_413_here_too(stage: Stage) -> None:
    content = b" " * (stage.settings.max_body_bytes + 1)
    answer = stage.http.post(
        "/v1/shoppers",
        content=content,
        headers={"Idempotency-Key": KEY, "Content-Type": "application/json"},
    )
    assert answer.status_code == 413


def test_whatever_creates_something_takes_a_key(stage: Stage) -> None:
    paths = {each.path for each in repeatable(stage.app)}
    assert {"/v1/shoppers", "/v1/accounts", "/v1/webhooks"} <= paths
    assert "/v1/shoppers/{shopper}/pairing-code" in paths
    for own in ("codes", "requests"):  # they keep their own, for ever
        assert f"/v1/shoppers/{{shopper}}/{own}" not in paths
