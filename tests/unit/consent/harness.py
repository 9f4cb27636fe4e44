"""A consent service in this process, with a clock that tests move."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from fastapi import FastAPI

from consent.client import ConsentClient, fetch_keys
from consent.purpose import Category, Cell, Decision, Purpose
from consent.service.app import create_app
from consent.service.context import Context
from consent.service.inprocess import InProcessTransport
from consent.service.settings import Settings, create_home
from consent.tasks.task import TaskName
from crypto.wire import thumbprint

TASK = TaskName.POPULARITY
CONTEXT = "ab" * 32
NOTICE = "notice-1"
TRAIN_PURCHASES = Cell(Purpose.TRAIN, Category.PURCHASES)
GIVE: Mapping[Cell, Decision] = {TRAIN_PURCHASES: Decision.GIVEN}
WITHDRAW: Mapping[Cell, Decision] = {TRAIN_PURCHASES: Decision.WITHDRAWN}


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Device:
    """A client's key with the shoppers it stands for: id -> token."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    shoppers: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return thumbprint(self.key.public_key())

    @property
    def shopper(self) -> str:
        return next(iter(self.shoppers))


class Stage:
    """One service on one database file; ``again`` opens a second service on the same file."""

    def __init__(self, home: Path, *, settings: Settings | None = None) -> None:
        self.home = home
        self.clock = Clock()
        if settings is None:
            create_home(home, issuer="test-consent")
            loaded = Settings.load(home)
            settings = Settings(
                database=loaded.database,
                signing_key=loaded.signing_key,
                issuer=loaded.issuer,
                coordinator_token_hash=loaded.coordinator_token_hash,
                durable=False,
                clock=self.clock,
            )
        self.settings = settings
        self.app: FastAPI = create_app(settings)
        self.context: Context = self.app.state.context
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

    def device(
        self,
        *,
        shoppers: int = 1,
        kind: str = "device",
        decisions: Mapping[Cell, Decision] = GIVE,
    ) -> Device:
        device = Device()
        for _ in range(shoppers):
            made = self.client.register(
                decisions, notice_version=NOTICE, client=device.key.public_key(), kind=kind
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
