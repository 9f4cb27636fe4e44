"""A federation in one process whose coordinator can die anywhere and start again."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from client.connection import connect
from crypto.keyholder.home import load as load_holder
from crypto.keyholder.overview import Overview, overview
from crypto.upload import Role
from server.journal import Journal, Waiting
from server.ledger import Ledger
from server.training import Training, train
from simulations.engine.choices import draw
from simulations.engine.grid import InProcessGrid, NodeConfig
from simulations.engine.run import load
from simulations.engine.scenario import Consent, Data, Engine, Privacy, Scenario, Tasks
from simulations.engine.services import Service, running
from simulations.engine.world import World, build, make_keys

SCENARIO = Scenario(
    name="crash",
    data=Data(source="synthetic", shoppers=24, items=30, stores=1),
    privacy=Privacy(epsilon=8.0, min_clients=4),
    consent=Consent(refuse=0.0, personal_only=0.0, withdraw=0.0, value_sharing=1.0),
    tasks=Tasks(recent_popularity=0.0, item_item=0.0),
    engine=Engine(services="embedded", workers=0),
)


class Crash(BaseException):
    """Not an Exception: nothing that handles errors may catch a crash."""


@dataclass
class Scene:
    """A federation whose coordinator can die and start again."""

    world: World
    holders: list[Service]
    homes: list[Path]
    nodes: dict[int, NodeConfig]

    def train(self) -> Training:
        """One attempt, by a coordinator that knows nothing but its folder."""
        grid = InProcessGrid(self.nodes)
        return train(
            grid,
            self.world.coordinator,
            run_id="1",
            progress=lambda _phase, _done, _total: None,
            http=connect,
        )

    def diaries(self) -> set[tuple[str, int]]:
        """Round and balance of every shopper, who has exactly one entry."""
        found = set()
        for registered in self.world.shoppers.values():
            consent = self.world.consent
            [entry] = consent.diary(registered.shopper, registered.token).entries
            points = consent.points(registered.shopper, registered.token)
            found.add((entry.round, points.balance))
        return found

    def key_holders(self) -> list[Overview]:
        """What the key holders say of themselves."""
        return [overview(load_holder(home)) for home in self.homes]

    @property
    def spent_rows(self) -> float:
        """ε in the ledger."""
        return Ledger(self.world.coordinator.path / "ledger.db", budget=8.0, delta=1e-5).spent()


@contextmanager
def federation(folder: Path, scheme: str, base: Scenario = SCENARIO) -> Iterator[Scene]:
    scenario = replace(base, privacy=replace(base.privacy, scheme=scheme))
    population = load(scenario.data, seed=1)
    choices = draw(population.shoppers, scenario.consent, seed=1)
    keys = make_keys(folder, private=True)
    homes = [holder.home for holder in keys.holders]
    with ExitStack() as stack:
        consent, holders = stack.enter_context(running(keys.consent_home, homes, processes=False))
        world = build(
            population,
            choices,
            scenario,
            keys,
            consent=consent,
            holders=holders,
            progress=lambda _phase, _done, _total: None,
        )
        nodes: dict[int, NodeConfig] = {n: {"home": str(h)} for n, h in world.nodes.items()}
        yield Scene(world=world, holders=holders, homes=homes, nodes=nodes)


def crash_before(method: Callable[..., Any]) -> Callable[..., Any]:
    def crash(*_args: Any, **_kwargs: Any) -> Any:
        raise Crash(method.__qualname__)

    return crash


def crash_after(method: Callable[..., Any], *, calls: int = 1) -> Callable[..., Any]:
    done = 0

    def crash(*args: Any, **kwargs: Any) -> Any:
        nonlocal done
        result = method(*args, **kwargs)
        done += 1
        if done >= calls:
            raise Crash(method.__qualname__)
        return result

    return crash


def crash_after_entry(put: Callable[..., Any]) -> Callable[..., Any]:
    """Dies when the first key holder's entry is on disk, and the others' are not."""

    def crash(journal: Journal, item: Waiting, sealed: Any) -> None:
        put(journal, item, sealed)
        if item.upload.role is Role.KEY_HOLDER:
            raise Crash("put")

    return crash


def dies_after(method: Callable[..., Any], *, calls: int) -> Callable[..., Any]:
    """The process dies when so many requests were answered: no later one leaves it."""
    answered, turn = 0, threading.Lock()

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal answered
        with turn:
            if answered >= calls:
                raise Crash(method.__qualname__)
            found = method(*args, **kwargs)
            answered += 1
        return found

    return call
