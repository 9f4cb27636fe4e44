"""kill -9 in the middle of a thousand writes: whatever was acknowledged is there afterwards."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, text

from consent.ages import AgeBand
from consent.client import ConsentClient
from consent.service.database import Database, DatabaseBusyError, DatabaseLostError
from consent.service.settings import Settings, create_home
from crypto.errors import ConsentError
from tests import postgres
from tests.integration.processes import ServiceProcess, running
from tests.postgres import Server, own_server
from tests.unit.consent.harness import GIVE, NOTICE, WITHDRAW

WRITES = 1_000
KILL_AFTER = 500
WRITERS = 4
HISTORY = "SELECT shopper_id, epoch, state FROM consent_event ORDER BY id"
SHOPPER = "INSERT INTO shopper VALUES (:id, '', 0, 0, 0)"
STATE = ("given", "withdrawn")  # of an odd and an even epoch


@dataclass
class Writer:
    """A shopper who changes her mind all the time, and what was acknowledged to her."""

    id: str
    token: str
    epochs: list[int] = field(default_factory=lambda: [1])


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[Server | None]:
    """A PostgreSQL that waits for its disk, or None."""
    if request.param == "sqlite":
        yield None
        return
    with own_server([]) as made:
        yield made


def test_what_was_acknowledged_survives(tmp_path: Path, server: Server | None) -> None:
    home = tmp_path / "home"
    create_home(home, issuer="shop", database=postgres.text(server.url) if server else None)
    program: list[str | Path] = ["-m", "fedcart", "consent", "serve", "--home", home, "--port", "0"]
    with running(program) as (service,):
        with httpx.Client(base_url=service.url) as http:
            writers = [register(client(home, http)) for _ in range(WRITERS)]
        write_until_killed(home, service, server, writers)
    if server is not None:
        server.recover()
    with running(program) as (service,), httpx.Client(base_url=service.url) as http:
        kept = history(home)
        for writer in writers:
            mine = [(epoch, state) for who, epoch, state in kept if who == writer.id]
            assert mine == [(n + 1, STATE[n % 2]) for n in range(len(mine))]
            assert len(mine) - len(writer.epochs) in (0, 1)  # one may have been under way
            found = client(home, http).consents(writer.id, writer.token)
            assert found.epoch == len(mine)
    assert sum(len(writer.epochs) for writer in writers) >= KILL_AFTER


def client(home: Path, http: httpx.Client) -> ConsentClient:
    return ConsentClient(http, service_key=Settings.load(home).load_key().public_key())


def register(consent: ConsentClient) -> Writer:
    made = consent.register(GIVE, notice_version=NOTICE, age_band=AgeBand.ADULT)
    return Writer(made.shopper, made.token)


def write_until_killed(
    home: Path, service: ServiceProcess, server: Server | None, writers: list[Writer]
) -> None:
    acknowledged, enough = itertools.count(1), threading.Event()

    def write(writer: Writer) -> None:
        with httpx.Client(base_url=service.url) as http:
            consent = client(home, http)
            for number in range(WRITES // WRITERS):
                decision = GIVE if number % 2 else WITHDRAW
                try:
                    done = consent.decide(writer.id, writer.token, decision, notice_version=NOTICE)
                except ConsentError:
                    return
                writer.epochs.append(done.epoch)
                if next(acknowledged) >= KILL_AFTER:
                    enough.set()

    with ThreadPoolExecutor(WRITERS) as pool:
        left = [pool.submit(write, writer) for writer in writers]
        assert enough.wait(60)
        if server is not None:
            server.kill()
        service.kill()
        for future in left:
            future.result()


def history(home: Path) -> list[tuple[str, int, str]]:
    engine = create_engine(Settings.load(home).url)
    with engine.connect() as connection:
        found = [(row[0], row[1], row[2]) for row in connection.execute(text(HISTORY))]
    engine.dispose()
    return found


def test_a_server_that_went_away_is_found_again() -> None:
    """Nothing but a call's own answer shows it: no error later, no restart of the service."""
    with own_server([]) as server:
        database = Database(postgres.text(server.url), durable=True)
        with database.writing() as session:
            session.execute(text(SHOPPER), {"id": "a"})
        server.kill()
        with pytest.raises(DatabaseBusyError), database.writing():
            pass
        with pytest.raises(DatabaseBusyError), database.reading() as session:
            session.execute(text("SELECT 1"))
        server.recover()
        with database.reading() as session:
            assert session.scalars(text("SELECT id FROM shopper")).all() == ["a"]
        database.close()


def test_a_connection_that_breaks_in_the_commit_is_not_called_unchanged() -> None:
    with own_server([]) as server:
        database = Database(postgres.text(server.url), durable=True)

        def write() -> None:
            with database.writing() as session:
                session.execute(text(SHOPPER), {"id": "a"})
                server.kill()

        with pytest.raises(DatabaseLostError, match="look whether it was"):
            write()
        database.close()
