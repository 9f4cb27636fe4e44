"""A consent service in this process, with a clock that tests move."""

import atexit
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from fastapi import FastAPI
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import select

from consent.ages import AgeBand
from consent.client import ConsentClient, fetch_keys
from consent.notice import SHIPPED
from consent.purpose import LIVE_STATES, Category, Cell, ConsentState, Decision, Purpose
from consent.service.app import create_app
from consent.service.context import Context
from consent.service.database import Database
from consent.service.inprocess import InProcessTransport
from consent.service.machines import service as machines
from consent.service.notices.service import publish
from consent.service.principals import Role
from consent.service.settings import Settings, create_home
from consent.service.tables import Consent, Shopper
from consent.tasks.names import REQUIRED_PURPOSE, TaskName
from crypto.wire import thumbprint

TASK = TaskName.POPULARITY
CONTEXT = "ab" * 32
NOTICE = "2026-11"
TRAIN_PURCHASES = Cell(Purpose.TRAIN, Category.PURCHASES)
GIVE: Mapping[Cell, Decision] = {TRAIN_PURCHASES: Decision.GIVEN}
WITHDRAW: Mapping[Cell, Decision] = {TRAIN_PURCHASES: Decision.WITHDRAWN}


def write_notice(folder: Path, version: str, *, touches: Iterable[Purpose] = ()) -> Path:
    """A notice that covers everything and touches some purposes; returns the folder of all."""
    made = folder / version
    made.mkdir(parents=True)
    covered = f"purposes = {json.dumps(list(Purpose))}\ncategories = {json.dumps(list(Category))}\n"
    (made / "notice.toml").write_text(f"{covered}touches = {json.dumps(list(touches))}\n")
    (made / "en.md").write_text(f"Notice {version}.")
    (made / "zh.md").write_text(f"告知 {version}。")
    return folder


# Argon2 with little work: tests hash many passwords.
QUICK = PasswordHash([Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1)])


@cache
def _tables() -> Path:
    """An SQLite file with the service's tables and no rows: a copy is cheaper than making one."""
    folder = Path(mkdtemp(prefix="fedcart-tables-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Database(f"sqlite:///{folder / 'consent.db'}", durable=False).close()
    return folder / "consent.db"


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Device:
    """A client's key with the shoppers it stands for: id -> token; and a store's own token."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    shoppers: dict[str, str] = field(default_factory=dict)
    store_token: str | None = None

    @property
    def name(self) -> str:
        return thumbprint(self.key.public_key())

    @property
    def shopper(self) -> str:
        return next(iter(self.shoppers))


class Stage:
    """One service on one database; ``again`` opens a second service on the same one.

    ``database`` makes the URL of a database that nobody else uses; without it, an SQLite file.
    ``changes`` are settings. ``build`` makes the application of them.
    """

    def __init__(
        self,
        home: Path,
        *,
        settings: Settings | None = None,
        database: Callable[[], str | None] | None = None,
        build: Callable[[Settings], FastAPI] = create_app,
        **changes: Any,
    ) -> None:
        self.home = home
        self.clock = Clock()
        if settings is None:
            create_home(home, issuer="test-consent", database=database() if database else None)
            loaded = Settings.load(home)
            if isinstance(loaded.database, Path):
                shutil.copyfile(_tables(), loaded.database)  # and keep its mode
            chosen: dict[str, Any] = {"durable": False, "clock": self.clock} | changes
            settings = Settings(
                database=loaded.database,
                signing_key=loaded.signing_key,
                issuer=loaded.issuer,
                coordinator_token_hash=loaded.coordinator_token_hash,
                notices=(SHIPPED, write_notice(home / "notices", "unpublished")),
                **chosen,
            )
        self.settings = settings
        self.app: FastAPI = build(settings)
        self.context: Context = self.app.state.context
        self.context.passwords.hasher = QUICK
        self.http = httpx.Client(
            transport=InProcessTransport(self.app), base_url="http://consent.test"
        )
        self.service_key: Ed25519PublicKey = fetch_keys(self.http).key
        self.token = (home / "coordinator.token").read_text()
        self.client = ConsentClient(
            self.http,
            service_key=self.service_key,
            coordinator_token=self.token,
            clock=settings.clock,
        )

    def again(self) -> "Stage":
        return Stage(self.home, settings=self.settings)

    def close(self) -> None:
        self.http.close()

    @property
    def coordinator(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def publish(self, version: str, *, touches: Iterable[Purpose] = ()) -> int:
        """Write and publish a notice; for how many shoppers consent ended."""
        write_notice(self.settings.notices[-1], version, touches=touches)
        return publish(self.context, version)

    def store_token(self, name: str) -> str:
        """A new token of a store."""
        return machines.add(self.context, Role.STORE, name).token

    def device(
        self,
        *,
        shoppers: int = 1,
        kind: str = "device",
        decisions: Mapping[Cell, Decision] = GIVE,
    ) -> Device:
        device = Device()
        if kind == "store":
            device.store_token = self.store_token(f"store-{device.name}")
        for _ in range(shoppers):
            made = self.client.register(
                decisions,
                notice_version=NOTICE,
                client=device.key.public_key(),
                kind=kind,
                age_band=AgeBand.ADULT,
                store_token=device.store_token,
            )
            device.shoppers[made.shopper] = made.token
        return device

    def decide(
        self, device: Device, decisions: Mapping[Cell, Decision], *, shopper: str | None = None
    ) -> int:
        who = shopper or device.shopper
        token = device.shoppers[who]
        return self.client.decide(who, token, decisions, notice_version=NOTICE).epoch

    def grants(
        self, device: Device, round_id: str = "round-1", *, context: str = CONTEXT
    ) -> dict[str, str]:
        """Token ids of the device's grants, by shopper."""
        answer = self.client.participation(
            device.key,
            task=TASK,
            round_id=round_id,
            context=context,
            shoppers=list(device.shoppers),
        )
        return {who: verified.grant.token_id for who, verified in answer.grants.items()}


def check_repeated_cells(context: Context) -> None:
    """Every shopper's row says what her cells say: live checks read the row alone."""
    live: dict[str, list[Consent]] = defaultdict(list)
    with context.database.reading() as session:
        for cell in session.scalars(select(Consent)):
            if ConsentState(cell.state) in LIVE_STATES:
                live[cell.shopper_id].append(cell)
        shoppers = session.scalars(select(Shopper)).all()
    required = set(REQUIRED_PURPOSE.values())
    for shopper in shoppers:
        cells = live[shopper.id]
        given = {f"{c.purpose} {c.category}" for c in cells if Purpose(c.purpose) in required}
        assert set(filter(None, shopper.given.split(","))) == given
        assert shopper.ends_at == min((c.expires_at for c in cells if c.expires_at), default=None)
