"""Quotas: one count for all processes, kept over a restart, under keys that say nothing."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from starlette.types import Scope

from consent.service import rates
from consent.service.database import DatabaseBusyError
from consent.service.peer import peer
from consent.service.problems import Problem
from consent.service.quotas import DEFAULTS, Kind, Quotas
from consent.service.settings import Settings, create_home
from crypto.errors import InvalidInputError
from tests.conftest import NewDatabase
from tests.unit.consent.harness import NOTICE, Stage

THREE = Quotas(named={Kind.LOGIN: "3 per minute", Kind.REGISTER: "2 per hour"})
BODY: dict[str, Any] = {"consents": [], "notice_version": NOTICE}


@pytest.fixture
def strict(tmp_path: Path, new_database: NewDatabase) -> Any:
    made = Stage(tmp_path / "strict", database=new_database, quotas=THREE)
    yield made
    made.close()


def refused(call: Callable[[], None]) -> Problem:
    with pytest.raises(Problem) as caught:
        call()
    return caught.value


def test_the_quota_holds_and_names_the_wait(strict: Stage) -> None:
    for _ in range(3):
        rates.check(strict.context, "login", "ann")
    problem = refused(lambda: rates.check(strict.context, "login", "ann"))
    assert problem.status == 429
    assert problem.kind == rates.TOO_MANY
    assert problem.headers is not None
    wait = int(problem.headers["Retry-After"])
    assert 1 <= wait <= 120
    strict.clock.now += wait - 2
    refused(lambda: rates.check(strict.context, "login", "ann"))
    strict.clock.now += 2
    rates.check(strict.context, "login", "ann")


def test_keys_and_kinds_are_counted_apart(strict: Stage) -> None:
    for _ in range(3):
        rates.check(strict.context, "login", "ann")
    rates.check(strict.context, "login", "bea")
    rates.check(strict.context, "step-up", "ann")
    with pytest.raises(ValueError, match="anything"):
        rates.check(strict.context, "anything", "ann")


def test_processes_share_the_count_and_a_restart_keeps_it(strict: Stage) -> None:
    other = strict.again()
    with ThreadPoolExecutor(8) as pool:

        def attempt(number: int) -> bool:
            context = (strict if number % 2 else other).context
            try:
                rates.check(context, "login", "ann")
            except Problem:
                return False
            return True

        assert sum(pool.map(attempt, range(24))) == 3
    other.close()
    later = strict.again()
    refused(lambda: rates.check(later.context, "login", "ann"))
    later.close()


def test_the_table_says_nothing_and_is_pruned(strict: Stage) -> None:
    rates.check(strict.context, "login", "ann@example.com")
    query = text("SELECT * FROM hit")
    with strict.context.database.reading() as session:
        rows = [str(row) for row in session.execute(query)]
    assert rows
    assert not any("ann" in row for row in rows)
    assert rates.hidden(strict.context, "login", "ann@example.com") in rows[0]
    strict.clock.now += 3600
    rates.check(strict.context, "login", "bea")
    with strict.context.database.reading() as session:
        assert len(session.execute(query).all()) == 1


def test_nothing_is_tried_when_the_database_cannot_say(
    strict: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> Any:
        raise DatabaseBusyError("away")

    monkeypatch.setattr(strict.context.database, "writing", away)
    assert refused(lambda: rates.check(strict.context, "login", "ann")).status == 503
    answer = strict.http.post("/v1/shoppers", json=BODY)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"


def test_registering_is_bounded_by_the_address(strict: Stage) -> None:
    for _ in range(2):
        assert strict.http.post("/v1/shoppers", json=BODY).status_code == 201
    answer = strict.http.post("/v1/shoppers", json=BODY, headers={"X-Forwarded-For": "192.0.2.9"})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["type"] == rates.TOO_MANY


def test_one_address_cannot_crowd_out_the_others_but_the_coordinator_is_let_through(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path, quotas=Quotas(named={Kind.PEER: "5 per hour"}))
    statuses = [stage.http.get("/v1/healthz").status_code for _ in range(6)]
    assert 200 in statuses
    assert statuses[-1] == 429
    wrong = {"Authorization": "Bearer no-coordinator"}
    assert stage.http.get("/v1/healthz", headers=wrong).status_code == 429
    answer = stage.http.get("/v1/healthz")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    for _ in range(6):
        assert stage.http.get("/v1/healthz", headers=stage.coordinator).status_code == 200
    stage.close()


def scope(client: str | None, *forwarded: str) -> Scope:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return {"type": "http", "headers": headers, "client": client and (client, 1)}


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, ["192.0.2.1"], "10.0.0.1"),
        (1, ["192.0.2.1"], "192.0.2.1"),
        (1, ["6.6.6.6, 192.0.2.1"], "192.0.2.1"),
        (1, ["6.6.6.6", "192.0.2.1"], "192.0.2.1"),
        (2, ["6.6.6.6, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
        (2, ["192.0.2.1"], "10.0.0.1"),
        (1, [], "10.0.0.1"),
        (1, ["not an address"], "10.0.0.1"),
        (1, ["2001:db8:1:2:3::4"], "2001:db8:1:2::/64"),
        (1, ["::ffff:192.0.2.1"], "192.0.2.1"),
    ],
)
def test_only_the_operators_proxies_are_believed(
    proxies: int, forwarded: list[str], expected: str
) -> None:
    assert peer(scope("10.0.0.1", *forwarded), trusted_proxies=proxies) == expected


def test_a_socket_without_an_address_has_a_quota_too() -> None:
    assert peer(scope(None), trusted_proxies=0) == "unknown"


def test_quotas_are_kept_with_the_home(tmp_path: Path) -> None:
    create_home(tmp_path, issuer="shop", quotas=THREE)
    assert Settings.load(tmp_path).quotas == THREE
    for kind in DEFAULTS:
        assert Quotas().of(kind) is not None
        assert Quotas.off().of(kind) is None
    wrong: list[Any] = [{"login": "often"}, {"anything": "1 per minute"}, {"login": 3}, []]
    for value in wrong:
        with pytest.raises(InvalidInputError):
            Quotas.from_json(value)
    with pytest.raises(InvalidInputError, match=r"within 0\.\.8"):
        Settings(
            database=tmp_path / "d",
            signing_key=tmp_path / "k",
            issuer="i",
            coordinator_token_hash="",
            trusted_proxies=9,
        )
