"""A store with a till's database, before the real consent service."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from client.home import ClientHome
from consent.service.context import opened
from consent.service.instructions import service as instructions
from consent.service.machines import service as machines
from consent.service.principals import Role
from consent.service.settings import Settings
from crypto.secret_file import write_secret
from tests.postgres import Postgres, text
from tests.unit.client.conftest import cards, shop
from tests.unit.client.shop import Shop
from tests.unit.client.store.till import TillDatabase
from tests.unit.commands import Outcome, fedcart

__all__ = ["cards", "shop"]


@pytest.fixture(params=["sqlite", "postgresql"])
def till(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TillDatabase]:
    if request.param == "sqlite":
        yield TillDatabase.make(f"sqlite:///{tmp_path / 'till.db'}", tmp_path)
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    yield TillDatabase.make(text(postgres.empty()), tmp_path)


class Counter:
    """A store's counter: the commands that a store's operator types."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.home = shop.folder / "store"
        self.token_file = shop.folder / "store.token"
        with opened(Settings.load(shop.folder / "consent")) as context:
            write_secret(self.token_file, machines.add(context, Role.STORE, "north").token.encode())

    def init(self, **changed: object) -> Outcome:
        options = {"home": self.home, "consent-token-file": self.token_file}
        return fedcart("store", "init", *self.shop.setup(**(options | changed)))

    def enrol(self, name: str, *words: str) -> Outcome:
        chosen = words or ("--personalise", "--train")
        return fedcart("store", "enrol", name, "--home", self.home, "--age-band", "adult", *chosen)

    def import_(self, till: TillDatabase, *more: str | Path) -> Outcome:
        columns = ["--shopper", "card", "--item", "article", "--time", "sold_at"]
        columns += ["--basket", "receipt", "--quantity", "units", "--price", "paid"]
        named = ["--database", till.url, "--query", str(till.folder / "query.sql")]
        if not (till.folder / "query.sql").exists():
            till.query()
        return fedcart("store", "import", "--home", self.home, *columns, *named, *more)

    def instruct(self, kind: str, shopper: str, **more: Any) -> None:
        """What a shopper asks of the consent service, which tells the store."""
        with (
            opened(Settings.load(self.shop.folder / "consent")) as context,
            context.database.writing() as session,
        ):
            assert len(instructions.issue(context, session, shopper, kind, **more)) == 1

    @property
    def loaded(self) -> ClientHome:
        return ClientHome.load(self.home)


@pytest.fixture
def counter(shop: Shop) -> Counter:
    made = Counter(shop)
    begun = made.init()
    assert begun.code == 0, begun.said
    for name in ("c7", "c8"):
        joined = made.enrol(name)
        assert joined.code == 0, joined.said
    return made
