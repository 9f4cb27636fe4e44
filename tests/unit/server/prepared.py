"""Consent services whose clients agreed, each made once in a test run and set back for each scene.

Setting back is a copy of files: the database, the key holders' homes and the clients'. The service
itself goes on, for it remembers nothing but what its database holds.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp

from consent.service.settings import Settings
from crypto.keyholder.home import KeyHolder
from tests.unit.client.stage import Party, make_client
from tests.unit.consent.harness import Stage
from tests.unit.crypto.keyholder.stage import make_holders
from tests.unit.crypto.samples import signer


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A consent service in a folder of its own, with homes of key holders and clients to copy."""

    folder: Path
    stage: Stage
    began: float
    database: Path
    holders: tuple[KeyHolder, ...]
    parties: tuple[Party, ...]

    @classmethod
    def create(cls, folder: Path, clients: int) -> "Prepared":
        stage = Stage(folder / "consent", coordinator_key=signer("coordinator").public_key())
        holders = make_holders(folder, consent=stage.service_key, epsilon_cap=1e6)
        parties = tuple(
            make_client(
                stage,
                folder / f"client-{k}",
                f"shopper-{k}",
                cards=tuple(str(h.home / "public.card") for h in holders),
                holders=tuple(h.card.identity for h in holders),
                epsilon_cap=None,
            )
            for k in range(clients)
        )
        database = Settings.load(stage.home).database
        assert isinstance(database, Path)
        stage.context.database.close()  # which leaves one file
        shutil.copy(database, folder / "agreed.db")
        return cls(
            folder=folder,
            stage=stage,
            began=stage.clock.now,
            database=database,
            holders=holders,
            parties=parties,
        )

    def set_back(self) -> None:
        """Everybody agreed, and nothing else happened."""
        self.stage.context.database.close()
        for suffix in ("", "-wal", "-shm"):
            self.database.with_name(self.database.name + suffix).unlink(missing_ok=True)
        shutil.copy(self.folder / "agreed.db", self.database)
        self.stage.app.state.context = self.stage.context
        self.stage.clock.now = self.began

    def holders_in(self, folder: Path) -> tuple[KeyHolder, ...]:
        """The key holders, with homes of their own."""
        return tuple(
            replace(each, home=Path(shutil.copytree(each.home, folder / each.home.name)))
            for each in self.holders
        )

    def parties_in(self, folder: Path) -> list[Party]:
        """The clients, with homes of their own."""
        return [
            replace(
                each,
                home=replace(
                    each.home,
                    path=Path(shutil.copytree(each.home.path, folder / f"client-{k}" / "home")),
                ),
                tokens=dict(each.tokens),
            )
            for k, each in enumerate(self.parties)
        ]


_all: list[Prepared] = []
_idle: dict[int, list[Prepared]] = {}


def take(clients: int) -> Prepared:
    """One with so many clients that nobody uses, set back."""
    waiting = _idle.setdefault(clients, [])
    if not waiting:
        _all.append(Prepared.create(Path(mkdtemp(prefix="fedcart-prepared-")), clients))
        waiting.append(_all[-1])
    found = waiting.pop()
    found.set_back()
    return found


def give_back(prepared: Prepared) -> None:
    """The next scene may have it."""
    _idle[len(prepared.parties)].append(prepared)


@contextmanager
def ended() -> Iterator[None]:
    """Close and remove all of them at the end."""
    yield
    for each in _all:
        each.stage.close()
        shutil.rmtree(each.folder)
    _all.clear()
    _idle.clear()
