"""Thousands of withdrawals race commits over HTTP: no shopper is summed after she withdrew.

Three judges that share nothing: the service's own audit query; the numbered history, read from the
tables; and the clients' clock, by which a withdrawal that was acknowledged before a commit was
asked for must be respected by it. All three must notice a service whose rule is broken, and the
first two one whose lock is.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import create_engine, text

from consent.ages import AgeBand
from consent.answers import Offer
from consent.client import ConsentClient
from consent.service.context import opened
from consent.service.machines import service as machines
from consent.service.principals import Role
from consent.service.quotas import Quotas
from consent.service.settings import Settings, create_home
from crypto.wire import parse_public_key, thumbprint
from tests.conftest import NewDatabase
from tests.integration.processes import ServiceProcess, running
from tests.integration.race_service import COMMITS_TAKE_NO_TURN, EVERY_GRANT_STANDS, WHOLE
from tests.unit.consent.harness import CONTEXT, GIVE, NOTICE, TASK, WITHDRAW

MANY = {"sqlite": 1_000, "postgresql": 2_000}
FEW = 200
A_ROUND = 50
A_STORE = 5
THREADS = 8
HISTORY = """
SELECT committed_grant.token_id
FROM committed_grant
JOIN participation_grant ON participation_grant.token_id = committed_grant.token_id
JOIN round_commit ON round_commit.id = committed_grant.commit_id
JOIN consent_event ON consent_event.shopper_id = participation_grant.shopper_id
WHERE consent_event.state IN ('withdrawn', 'refused')
AND consent_event.id > participation_grant.after_event
AND consent_event.id <= round_commit.after_event
"""


@dataclass
class Shopper:
    id: str
    token: str
    withdrew: tuple[float, float] = (0.0, 0.0)


@dataclass
class Store:
    """A client that uploads one vector for some shoppers; one who withdraws takes it out."""

    key: Ed25519PrivateKey
    shoppers: list[Shopper]
    grants: tuple[str, ...]

    @property
    def name(self) -> str:
        return thumbprint(self.key.public_key())


@dataclass
class Round:
    name: str
    stores: list[Store] = field(default_factory=list)
    asked: float = 0.0
    answered: float = 0.0
    listed: frozenset[str] = frozenset()


class Race:
    """Shoppers of many rounds; each round commits somewhere among its shoppers' withdrawals."""

    def __init__(self, home: Path, services: Sequence[ServiceProcess], shoppers: int) -> None:
        self.home = home
        self._urls = [service.url for service in services]
        self._mine = threading.local()
        self._open = ExitStack()
        self._order = random.Random(7)
        self.violations = 0
        self.rounds = [Round(f"round-{number}") for number in range(shoppers // A_ROUND)]

    def client(self) -> ConsentClient:
        """One connection a thread; the threads are spread over the services."""
        if not hasattr(self._mine, "client"):
            number = int(threading.current_thread().name.rsplit("_", 1)[-1])
            http = httpx.Client(base_url=self._urls[number % len(self._urls)], timeout=30)
            self._open.enter_context(http)
            self._mine.client = ConsentClient(
                http,
                service_key=Settings.load(self.home).load_key().public_key(),
                coordinator_token=(self.home / "coordinator.token").read_text(),
            )
        found: ConsentClient = self._mine.client
        return found

    def run(self) -> None:
        with self._open, ThreadPoolExecutor(THREADS) as pool:
            self.context = self._open.enter_context(opened(Settings.load(self.home)))
            for round_ in self.rounds:
                round_.stores = list(pool.map(self.enrol, [round_] * (A_ROUND // A_STORE)))
            list(pool.map(lambda act: act(), self.acts()))

    def enrol(self, round_: Round) -> Store:
        key = Ed25519PrivateKey.generate()
        token = machines.add(self.context, Role.STORE, "store").token
        made = [
            self.client().register(
                GIVE,
                notice_version=NOTICE,
                client=key.public_key(),
                kind="store",
                age_band=AgeBand.ADULT,
                store_token=token,
            )
            for _ in range(A_STORE)
        ]
        answer = self.client().participation(
            key,
            task=TASK,
            round_id=round_.name,
            context=CONTEXT,
            shoppers=[one.shopper for one in made],
        )
        grants = tuple(verified.grant.token_id for verified in answer.grants.values())
        return Store(key, [Shopper(one.shopper, one.token) for one in made], grants)

    def acts(self) -> list[Callable[[], None]]:
        """Withdrawals round by round, and each round's commit in the first half of its own."""
        made: list[Callable[[], None]] = []
        for round_ in self.rounds:
            shoppers = [who for store in round_.stores for who in store.shoppers]
            self._order.shuffle(shoppers)
            part = [partial(self.withdraw, who) for who in shoppers]
            made += part
            made.insert(-self._order.randrange(A_ROUND // 2, A_ROUND), partial(self.commit, round_))
        return made

    def withdraw(self, who: Shopper) -> None:
        start = time.perf_counter()
        self.client().decide(who.id, who.token, WITHDRAW, notice_version=NOTICE)
        who.withdrew = (start, time.perf_counter())

    def commit(self, round_: Round) -> None:
        offers = [
            Offer(upload=f"{number:064x}", client=store.name, grants=store.grants)
            for number, store in enumerate(round_.stores)
        ]
        round_.asked = time.perf_counter()
        done = self.client().commit(task=TASK, round_id=round_.name, context=CONTEXT, offers=offers)
        round_.answered = time.perf_counter()
        round_.listed = frozenset(entry.client for entry in done.commit.uploads)

    def audited(self) -> int:
        """Violations by the service's own audit."""
        token = (self.home / "coordinator.token").read_text()
        with httpx.Client(base_url=self._urls[0]) as http:
            key = parse_public_key(http.get("/v1/keys").json()["public_key"], what="key")
            consent = ConsentClient(http, service_key=key, coordinator_token=token)
            return sum(
                consent.funnel(TASK, round_.name).aggregated_after_withdrawal
                for round_ in self.rounds
            )

    def in_history(self) -> int:
        """Violations by the numbered history of decisions."""
        engine = create_engine(Settings.load(self.home).url)
        with engine.connect() as connection:
            found = set(connection.scalars(text(HISTORY)))
        engine.dispose()
        return len(found)

    def by_the_clock(self) -> int:
        """Shoppers who had their withdrawal acknowledged before the commit was asked for."""
        return sum(
            who.withdrew[1] < round_.asked
            for round_ in self.rounds
            for store in round_.stores
            if store.name in round_.listed
            for who in store.shoppers
        )

    def dropped_too_early(self) -> int:
        """Stores that were left out before any of their shoppers had said anything."""
        return sum(
            all(who.withdrew[0] > round_.answered for who in store.shoppers)
            for round_ in self.rounds
            for store in round_.stores
            if store.name not in round_.listed
        )


def race(
    home: Path, database: NewDatabase, *, processes: int, shoppers: int, how: str = WHOLE
) -> Race:
    create_home(home, issuer="race", database=database(), quotas=Quotas.off())
    program: list[str | Path] = ["-m", "tests.integration.race_service", home, how]
    with running(*[program] * processes) as services:
        made = Race(home, services, shoppers)
        made.run()
        made.violations = made.audited()
        return made


@pytest.mark.parametrize(("on", "processes"), [("sqlite", 1), ("postgresql", 2)])
def test_no_shopper_is_summed_after_she_withdrew(
    tmp_path: Path, on: str, processes: int, request: pytest.FixtureRequest
) -> None:
    database = named(on, request)
    made = race(tmp_path / "home", database, processes=processes, shoppers=MANY[on])
    assert (made.violations, made.in_history(), made.by_the_clock()) == (0, 0, 0)
    assert made.dropped_too_early() == 0
    listed = sum(len(round_.listed) for round_ in made.rounds) / (MANY[on] // A_STORE)
    assert 0.05 < listed < 0.95, "both outcomes must occur"


@pytest.mark.parametrize(("on", "processes"), [("sqlite", 1), ("postgresql", 2)])
def test_a_broken_rule_is_caught(
    tmp_path: Path, on: str, processes: int, request: pytest.FixtureRequest
) -> None:
    database = named(on, request)
    made = race(
        tmp_path / "home", database, processes=processes, shoppers=FEW, how=EVERY_GRANT_STANDS
    )
    assert min(made.violations, made.in_history(), made.by_the_clock()) > 0


def test_a_commit_that_takes_no_turn_is_caught(tmp_path: Path, fresh_postgres: NewDatabase) -> None:
    made = race(
        tmp_path / "home",
        fresh_postgres,
        processes=2,
        shoppers=2 * FEW,
        how=COMMITS_TAKE_NO_TURN,
    )
    assert min(made.violations, made.in_history()) > 0


def named(on: str, request: pytest.FixtureRequest) -> NewDatabase:
    if on == "sqlite":
        return lambda: None
    made: NewDatabase = request.getfixturevalue("fresh_postgres")
    return made
