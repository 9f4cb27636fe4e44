"""kill -9 in the middle of a thousand writes: what was acknowledged is there afterwards, once.

Shoppers change their minds while a coordinator reports releases, each of them again and again as
after a lost answer. No decision is lost, nobody has points twice, and the log goes on from where it
was: every event proves itself against a head that the earlier head is the beginning of.
"""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from consent.ages import AgeBand
from consent.answers import Offer, ReleaseReport
from consent.client import ConsentClient
from consent.incentive import Incentive
from consent.log.proof import consistent
from consent.service.database import Database, DatabaseBusyError, DatabaseLostError
from consent.service.settings import Settings, create_home
from crypto.errors import ConsentError
from crypto.manifest import Manifest, context_of
from tests import postgres
from tests.integration.processes import ServiceProcess, running
from tests.postgres import Server, own_server
from tests.unit.consent.harness import GIVE, NOTICE, TASK, WITHDRAW, Device
from tests.unit.consent.rounds import COLLECT, make_manifest, report_of, sign
from tests.unit.crypto.samples import plan, signer

WRITES = 1_000
KILL_AFTER = 500
WRITERS = 4
ROUNDS = 12
REPEATS = 12
POINTS = Incentive().points_per_round
HISTORY = "SELECT shopper_id, epoch, state FROM consent_event ORDER BY id"
SHOPPER = "INSERT INTO shopper VALUES (:id, '', 0, 0, 0)"
STATE = ("given", "withdrawn")  # of an odd and an even epoch


@dataclass
class Writer:
    """A shopper who changes her mind all the time, and what was acknowledged to her."""

    id: str
    token: str
    epochs: list[int] = field(default_factory=lambda: [1])


@dataclass
class Coordinator:
    """Rounds whose lists are frozen, their reports, and how many were acknowledged."""

    devices: list[Device] = field(default_factory=list)
    reports: list[tuple[str, ReleaseReport]] = field(default_factory=list)
    acknowledged: int = 0

    def prepare(self, consent: ConsentClient) -> None:
        for _ in range(plan().min_clients):
            device = Device()
            made = consent.register(
                COLLECT,
                notice_version=NOTICE,
                client=device.key.public_key(),
                age_band=AgeBand.ADULT,
            )
            device.shoppers[made.shopper] = made.token
            self.devices.append(device)
        for number in range(ROUNDS):
            self._freeze(consent, make_manifest(f"round-{number}"))

    def _freeze(self, consent: ConsentClient, made: Manifest) -> None:
        record = sign(made)
        assert consent.publish_policy(record, task=TASK, round_id=made.round_id)
        context = context_of(record)
        asked: dict[str, Any] = {"task": TASK, "round_id": made.round_id, "context": context}
        offers = []
        for number, device in enumerate(self.devices):
            answer = consent.participation(device.key, **asked, shoppers=list(device.shoppers))
            grants = tuple(each.grant.token_id for each in answer.grants.values())
            offers.append(Offer(upload=f"{number:064x}", client=device.name, grants=grants))
        consent.commit(**asked, offers=offers)
        self.reports.append((made.round_id, report_of(made, self.devices)))

    def report(self, consent: ConsentClient) -> None:
        """Report every round, and each of them again and again."""
        for round_id, report in self.reports[self.acknowledged :]:
            for repeat in range(REPEATS):
                try:
                    assert consent.released(report, task=TASK, round_id=round_id)
                except ConsentError:
                    return
                self.acknowledged += not repeat

    def balances(self, consent: ConsentClient) -> set[int]:
        """The points of every shopper; each entry is for another round."""
        found = set()
        for device in self.devices:
            points = consent.points(device.shopper, device.shoppers[device.shopper])
            references = [entry.reference for entry in points.entries]
            assert len(set(references)) == len(references)
            assert points.balance == sum(entry.points for entry in points.entries)
            found.add(points.balance)
        return found


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
    create_home(
        home,
        issuer="shop",
        database=postgres.text(server.url) if server else None,
        coordinator_key=signer("coordinator").public_key(),
    )
    coordinator = Coordinator()
    program: list[str | Path] = ["-m", "fedcart", "consent", "serve", "--home", home, "--port", "0"]
    with running(program) as (service,):
        with httpx.Client(base_url=service.url) as http:
            writers = [register(client(home, http)) for _ in range(WRITERS)]
            coordinator.prepare(client(home, http))
            _, before = client(home, http).head()
        write_until_killed(home, service, server, writers, coordinator)
    if server is not None:
        server.recover()
    with running(program) as (service,), httpx.Client(base_url=service.url) as http:
        kept, consent = history(home), client(home, http)
        _, after = consent.head()
        path = consent.consistency(before.size, after.size).path
        assert consistent(before.size, before.root, after.size, after.root, path)
        assert after.size == len(kept)
        for writer in writers:
            mine = [(epoch, state) for who, epoch, state in kept if who == writer.id]
            assert mine == [(n + 1, STATE[n % 2]) for n in range(len(mine))]
            assert len(mine) - len(writer.epochs) in (0, 1)  # one may have been under way
            assert consent.consents(writer.id, writer.token).epoch == len(mine)
            proved = consent.log(writer.id, writer.token)
            assert [(event.epoch, event.state) for event in proved] == mine
        (balance,) = coordinator.balances(consent)
        assert balance // POINTS - coordinator.acknowledged in (0, 1)
        assert coordinator.acknowledged > 0
        coordinator.acknowledged = 0
        coordinator.report(consent)
        assert coordinator.balances(consent) == {ROUNDS * POINTS}
    assert sum(len(writer.epochs) for writer in writers) >= KILL_AFTER


def client(home: Path, http: httpx.Client) -> ConsentClient:
    return ConsentClient(
        http,
        service_key=Settings.load(home).load_key().public_key(),
        coordinator_token=(home / "coordinator.token").read_text(),
    )


def register(consent: ConsentClient) -> Writer:
    made = consent.register(GIVE, notice_version=NOTICE, age_band=AgeBand.ADULT)
    return Writer(made.shopper, made.token)


def write_until_killed(
    home: Path,
    service: ServiceProcess,
    server: Server | None,
    writers: list[Writer],
    coordinator: Coordinator,
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

    def report() -> None:
        with httpx.Client(base_url=service.url) as http:
            coordinator.report(client(home, http))

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        left = [pool.submit(write, writer) for writer in writers] + [pool.submit(report)]
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
