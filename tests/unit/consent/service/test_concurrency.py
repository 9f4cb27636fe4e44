"""Withdrawals and commits race on one database, from two services with a database handle each."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from consent.answers import Offer
from consent.service import backends, database
from consent.service.records.service import Change, save
from consent.service.shoppers.repository import ShopperRepository
from consent.service.standing.repository import StandingRepository
from crypto.errors import ConsentError
from tests import postgres
from tests.conftest import NewDatabase
from tests.unit.consent.harness import CONTEXT, GIVE, NOTICE, TASK, WITHDRAW, Device, Stage


@pytest.fixture
def other(stage: Stage) -> Iterator[Stage]:
    made = stage.again()
    yield made
    made.close()


def test_withdrawals_land_wholly_before_or_after(stage: Stage, other: Stage) -> None:
    """What was acknowledged before the commit was asked for is out; what came after is in."""
    devices = [stage.device() for _ in range(12)]
    for number in range(6):
        round_id = f"round-{number}"
        offers = [
            Offer(
                upload=f"{i:064x}", client=d.name, grants=tuple(stage.grants(d, round_id).values())
            )
            for i, d in enumerate(devices)
        ]
        enough = threading.Semaphore(0)
        spans: dict[str, tuple[float, float]] = {}

        def withdraw(
            device: Device,
            spans: dict[str, tuple[float, float]] = spans,
            enough: threading.Semaphore = enough,
        ) -> None:
            start = time.perf_counter()
            other.decide(device, WITHDRAW)
            spans[device.name] = (start, time.perf_counter())
            enough.release()

        with ThreadPoolExecutor(4) as pool:
            done = [pool.submit(withdraw, device) for device in devices]
            for _ in range(number):
                enough.acquire()
            asked = time.perf_counter()
            answer = stage.client.commit(
                task=TASK, round_id=round_id, context=CONTEXT, offers=offers
            )
            answered = time.perf_counter()
            for future in done:
                future.result()

        listed = {entry.client for entry in answer.commit.uploads}
        before = {name for name, (_, end) in spans.items() if end < asked}
        after = {name for name, (start, _) in spans.items() if start > answered}
        assert len(before) >= number
        assert not listed & before
        assert listed >= after
        assert stage.client.funnel(TASK, round_id).aggregated_after_withdrawal == 0
        for device in devices:
            stage.decide(device, GIVE)


def together(count: int, call: Callable[[int], object]) -> list[object]:
    barrier = threading.Barrier(count)

    def run(number: int) -> object:
        barrier.wait()
        try:
            return call(number)
        except ConsentError as error:
            return str(error)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_asking_at_once_gives_one_grant(stage: Stage, other: Stage) -> None:
    device = stage.device()
    sides = (stage, other)
    found = together(6, lambda number: sides[number % 2].grants(device)[device.shopper])
    assert len(set(found)) == 1


def test_only_one_of_many_commits_is_made(stage: Stage, other: Stage) -> None:
    devices = [stage.device() for _ in range(4)]
    offers = [
        Offer(upload=f"{i:064x}", client=d.name, grants=tuple(stage.grants(d).values()))
        for i, d in enumerate(devices)
    ]
    sides = (stage, other)
    found = together(
        4,
        lambda number: sides[number % 2].client.commit(
            task=TASK, round_id="round-1", context=CONTEXT, offers=offers[: number + 1]
        ),
    )
    refused = [answer for answer in found if isinstance(answer, str)]
    assert len(refused) == 3
    assert all("409" in answer for answer in refused)


@contextmanager
def writer_elsewhere(stage: Stage) -> Iterator[None]:
    """Another process in the middle of a writing transaction."""
    if isinstance(stage.settings.database, Path):
        file = sqlite3.connect(stage.settings.database, timeout=0, isolation_level=None)
        with closing(file):
            file.execute("BEGIN IMMEDIATE")
            yield
        return
    with postgres.connect(make_url(stage.settings.url)) as server, server.transaction():
        server.execute("SET lock_timeout = 1")
        server.execute("SELECT pg_advisory_xact_lock(%s)", (backends._WRITE_LOCK,))
        yield


def test_a_writer_holds_the_lock_from_its_start(stage: Stage) -> None:
    refused = (sqlite3.OperationalError, psycopg.errors.LockNotAvailable)
    with stage.context.database.writing(), pytest.raises(refused), writer_elsewhere(stage):
        pass
    with writer_elsewhere(stage):
        pass


def test_a_locked_database_is_503(
    tmp_path: Path, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    stage = Stage(tmp_path / "consent", database=new_database)
    device = stage.device()
    with writer_elsewhere(stage):
        with pytest.raises(ConsentError, match="503"):
            stage.decide(device, WITHDRAW)
        token = device.shoppers[device.shopper]
        assert stage.client.consents(device.shopper, token).epoch == 1
    with stage.context.database._lock, pytest.raises(ConsentError, match="503"):
        stage.decide(device, WITHDRAW)
    assert stage.decide(device, WITHDRAW) == 2
    stage.close()


def test_a_reader_sees_one_state(stage: Stage) -> None:
    device = stage.device()
    with stage.context.database.reading() as session:
        shoppers = ShopperRepository(session)
        before = shoppers.cells(device.shopper)[0].epoch
        stage.decide(device, WITHDRAW)
        session.expire_all()
        assert shoppers.cells(device.shopper)[0].epoch == before
    with stage.context.database.reading() as session:
        assert ShopperRepository(session).cells(device.shopper)[0].epoch == before + 1


def test_a_writer_sees_what_was_committed_while_it_waited(stage: Stage, other: Stage) -> None:
    """The lock comes first; what is read afterwards is not older than the lock."""
    device, started = stage.device(), threading.Event()

    def last_event() -> int:
        started.set()
        with other.context.database.writing() as session:
            return StandingRepository(session, now=0).last_event()

    with ThreadPoolExecutor(1) as pool:
        with stage.context.database.writing() as session:
            waiting = pool.submit(last_event)
            started.wait()
            time.sleep(0.1)
            (held,) = ShopperRepository(session).held([device.shopper])
            change = Change(
                shopper=device.shopper, consent=held.consent, cells=list(GIVE), notice=NOTICE
            )
            save(stage.context, session, [change])
            mine = StandingRepository(session, now=0).last_event()
        assert waiting.result() == mine
