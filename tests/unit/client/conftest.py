"""The real consent service, mounted in this process, and a device beside it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.connection import mount, unmount
from client.events import EventStore
from consent.events import Events
from consent.service.app import create_app
from consent.service.inprocess import InProcessTransport
from consent.service.settings import Settings, create_home
from consent.tasks.catalogue import Catalogue
from crypto.holder_card import HolderCard
from crypto.sums.share_sum.context import generate, public_context_bytes
from tests.unit.client.shop import ITEMS, URL, Shop
from tests.unit.client.stage import Party, make_client
from tests.unit.consent.harness import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "consent")
    yield made
    made.close()


@pytest.fixture
def device(stage: Stage, tmp_path: Path) -> Party:
    return make_client(stage, tmp_path / "device", "ann")


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three key holders' public cards, as they hand them out."""
    files = [tmp_path_factory.mktemp("holders") / f"{k}.card" for k in (1, 2, 3)]
    for number, file in enumerate(files, start=1):
        context = public_context_bytes(generate())
        file.write_bytes(HolderCard.sign(number, context, Ed25519PrivateKey.generate()).to_bytes())
    return files


@pytest.fixture
def shop(tmp_path: Path, cards: list[Path]) -> Iterator[Shop]:
    made = create_home(tmp_path / "consent", issuer="test")
    settings = replace(Settings.load(made.path), durable=False)
    catalogue = Catalogue(
        name="corner",
        level="item",
        items=ITEMS,
        categories=("bakery", "drinks", "dairy", "drinks"),
        departments=("",) * 4,
        products={},
    )
    (tmp_path / "catalogue.json").write_bytes(catalogue.to_bytes())
    transport = InProcessTransport(create_app(settings))
    mount(URL, transport)
    yield Shop(tmp_path, made.public_key, Ed25519PrivateKey.generate(), cards, catalogue)
    unmount(URL)
    transport.close()


@pytest.fixture
def ready(shop: Shop) -> Shop:
    """A device with purchases, and a release to recommend from."""
    shop.enrolled()
    assert shop.import_().code == 0
    shop.release("tea")
    return shop


@pytest.fixture
def read_names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all shoppers whose events were read."""
    names: list[str] = []
    of = EventStore.of

    def watch(self: EventStore, shopper: str) -> Events:
        names.append(shopper)
        return of(self, shopper)

    monkeypatch.setattr(EventStore, "of", watch)
    return names
