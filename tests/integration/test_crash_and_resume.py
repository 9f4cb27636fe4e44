"""A coordinator that dies at any persist point resumes to exactly one release and one spend."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from client.connection import connect
from consent.client import ConsentClient
from consent.tasks.task import TaskName
from crypto.errors import RoundError
from server.journal import Journal
from server.ledger import Ledger
from server.registry import Registry
from server.training import Training, train
from server.voting import Voting
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

    @property
    def spent_rows(self) -> float:
        """ε in the ledger."""
        return Ledger(self.world.coordinator.path / "ledger.db", budget=8.0, delta=1e-5).spent()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    population = load(SCENARIO.data, seed=1)
    choices = draw(population.shoppers, SCENARIO.consent, seed=1)
    keys = make_keys(tmp_path, private=True)
    with ExitStack() as stack:
        consent, holders = stack.enter_context(
            running(keys.consent_home, [holder.home for holder in keys.holders], processes=False)
        )
        world = build(
            population,
            choices,
            SCENARIO,
            keys,
            consent=consent,
            holders=holders,
            progress=lambda _phase, _done, _total: None,
        )
        nodes: dict[int, NodeConfig] = {n: {"home": str(h)} for n, h in world.nodes.items()}
        yield Scene(world=world, holders=holders, nodes=nodes)


def _crash_before(method: Callable[..., Any]) -> Callable[..., Any]:
    def crash(*_args: Any, **_kwargs: Any) -> Any:
        raise Crash(method.__qualname__)

    return crash


def _crash_after(method: Callable[..., Any], *, calls: int = 1) -> Callable[..., Any]:
    done = 0

    def crash(*args: Any, **kwargs: Any) -> Any:
        nonlocal done
        result = method(*args, **kwargs)
        done += 1
        if done >= calls:
            raise Crash(method.__qualname__)
        return result

    return crash


POINTS: list[tuple[type, str, Callable[..., Any]]] = [
    (Journal, "asked", _crash_after),
    (Voting, "round_keys", _crash_after),
    (Journal, "keyed", _crash_after),
    (Journal, "start", _crash_after),
    (Voting, "accepts", _crash_after),
    (Journal, "accepted", _crash_after),
    (Voting, "fetch_entries", _crash_after),
    (Voting, "ingest", _crash_after),
    (Journal, "proposed", _crash_after),
    (Voting, "votes", _crash_after),
    (Journal, "voted", _crash_after),
    (Voting, "open", _crash_after),
    (ConsentClient, "publish_policy", _crash_before),
    (ConsentClient, "publish_policy", _crash_after),
    (Journal, "put", lambda method: _crash_after(method, calls=3)),
    (ConsentClient, "commit", _crash_before),
    (ConsentClient, "commit", _crash_after),
    (Journal, "committed", _crash_after),
    (Ledger, "reserve", _crash_before),
    (Ledger, "reserve", _crash_after),
    (Journal, "added", _crash_before),
    (Journal, "added", _crash_after),
    (Registry, "save", _crash_before),
    (Registry, "save", _crash_after),
    (Journal, "clear", _crash_before),
    (ConsentClient, "released", _crash_before),
    (ConsentClient, "released", _crash_after),
    (Registry, "mark_reported", _crash_before),
]


@pytest.mark.parametrize(("owner", "name", "crash"), POINTS)
def test_every_persist_point_resumes_to_one_release(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    name: str,
    crash: Callable[[Any], Any],
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, crash(getattr(owner, name)))
        with pytest.raises(Crash):
            scene.train()
    spent_at_crash = scene.spent_rows
    release = scene.train().releases[TaskName.POPULARITY]
    assert scene.spent_rows in (spent_at_crash, release.record["epsilon"])
    assert scene.spent_rows == pytest.approx(release.record["epsilon"])
    assert release.record["clients"] == len(scene.nodes)
    again = scene.train().releases[TaskName.POPULARITY]
    assert again.commit == release.commit
    assert np.array_equal(again.total.values, release.total.values)
    assert scene.spent_rows == pytest.approx(release.record["epsilon"])
    assert scene.diaries() == {("1-popularity", 5)}


def test_one_key_holder_lost_after_the_commit_changes_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Registry, "save", _crash_before(Registry.save))
        with pytest.raises(Crash):
            scene.train()
    opened_by_three = _values_once(scene, monkeypatch)
    scene.holders[1].kill()
    release = scene.train().releases[TaskName.POPULARITY]
    assert release.record["opened_by"] == [1, 3]
    assert "2" in {str(number) for number in release.record["key_holders_away"]}
    assert np.array_equal(release.total.values, opened_by_three)


def _values_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What all three key holders opened, seen just before it would have been published."""
    seen: list[Any] = []

    def look(_self: Registry, release: Any) -> None:
        seen.append(release)
        raise Crash("looked")

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "save", look)
        with pytest.raises(Crash):
            scene.train()
    assert seen[0].record["opened_by"] == [1, 2, 3]
    return seen[0].total.values


def test_a_key_holder_that_is_gone_before_the_round_stops_it_before_anything_is_spent(
    scene: Scene,
) -> None:
    scene.holders[0].kill()
    with pytest.raises(RoundError, match="making round keys, all are needed; nothing was"):
        scene.train()
    assert not list((scene.world.coordinator.path / "releases").glob("*/*/artefact.json"))
    assert scene.spent_rows == 0


def test_two_key_holders_lost_release_nothing_until_one_is_back(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "voted", _crash_after(Journal.voted))
        with pytest.raises(Crash):
            scene.train()
    scene.holders[0].kill()
    scene.holders[1].kill()
    with pytest.raises(RoundError, match="2 are needed; nothing was released"):
        scene.train()
    releases = scene.world.coordinator.path / "releases"
    assert not list(releases.glob("*/*/artefact.json"))
    assert scene.spent_rows > 0, "a round that could not be opened keeps its charge"
