"""A coordinator that dies at any persist point resumes to exactly one release and one spend."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consent.client import ConsentClient
from consent.tasks.names import TaskName
from crypto.dp.accounting import epsilon
from crypto.dp.plan import PrivacyPlan
from crypto.errors import RoundError
from server.journal import Journal
from server.keyholders import HolderEndpoint
from server.ledger import Ledger
from server.planning import Planner
from server.registry import Registry
from server.voting import Voting
from tests.integration.crash_scene import (
    Crash,
    Scene,
    crash_after,
    crash_after_entry,
    crash_before,
    dies_after,
    federation,
)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with federation(tmp_path, "compact-sum") as made:
        yield made


@pytest.fixture
def unvoted(tmp_path: Path) -> Iterator[Scene]:
    with federation(tmp_path, "share-sum") as made:
        yield made


POINTS: list[tuple[type, str, Callable[..., Any]]] = [
    (Journal, "asked", crash_after),
    (Voting, "round_keys", crash_after),
    (Journal, "keyed", crash_after),
    (Journal, "start", crash_after),
    (Planner, "_follow", crash_after),
    (Voting, "accepts", crash_after),
    (Journal, "accepted", crash_after),
    (Journal, "put", crash_after_entry),
    (Voting, "fetch_entries", crash_after),
    (Voting, "ingest", crash_after),
    (Journal, "proposed", crash_after),
    (Voting, "votes", crash_after),
    (Journal, "voted", crash_after),
    (Voting, "open", crash_after),
    (ConsentClient, "publish_policy", crash_before),
    (ConsentClient, "publish_policy", crash_after),
    (Journal, "put", lambda method: crash_after(method, calls=3)),
    (ConsentClient, "commit", crash_before),
    (ConsentClient, "commit", crash_after),
    (Journal, "committed", crash_after),
    (Ledger, "reserve", crash_before),
    (Ledger, "reserve", crash_after),
    (Journal, "added", crash_before),
    (Journal, "added", crash_after),
    (Registry, "save", crash_before),
    (Registry, "save", crash_after),
    (Journal, "clear", crash_before),
    (ConsentClient, "released", crash_before),
    (ConsentClient, "released", crash_after),
    (Registry, "mark_reported", crash_before),
]
# The others are the same code in all schemes.
UNVOTED = [
    point
    for point in POINTS
    if point[:2]
    in {(Journal, "start"), (Journal, "put"), (Journal, "committed"), (Journal, "added")}
    and point[2] is not crash_after_entry
]


@pytest.mark.parametrize(("owner", "name", "crash"), POINTS)
def test_every_persist_point_resumes_to_one_release(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    name: str,
    crash: Callable[[Any], Any],
) -> None:
    _resumes(scene, monkeypatch, owner, name, crash)


@pytest.mark.parametrize(("owner", "name", "crash"), UNVOTED)
def test_so_does_every_persist_point_of_a_round_without_votes(
    unvoted: Scene,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    name: str,
    crash: Callable[[Any], Any],
) -> None:
    _resumes(unvoted, monkeypatch, owner, name, crash)


# Keys, accepts, entries, receipts, votes, parts: some key holders have answered, others have not.
@pytest.mark.parametrize("calls", [k for k in range(18) if k % 3])
def test_a_step_that_some_key_holders_were_not_asked_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    _resumes(
        scene,
        monkeypatch,
        HolderEndpoint,
        "call",
        lambda method: dies_after(method, calls=calls),
    )


def _resumes(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    name: str,
    crash: Callable[[Any], Any],
) -> None:
    """The coordinator dies there; what it does next makes one release and one charge."""
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
    plan = PrivacyPlan.from_json(release.record["plan"])
    for told in scene.key_holders():
        assert [each.state for each in told.rounds] == ["released"]
        assert told.votes == int(plan.scheme.votes)
        assert told.epsilon == pytest.approx(epsilon(plan.releases(), delta=told.delta))


def test_one_key_holder_lost_after_the_commit_changes_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Registry, "save", crash_before(Registry.save))
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
        patch.setattr(Journal, "voted", crash_after(Journal.voted))
        with pytest.raises(Crash):
            scene.train()
    scene.holders[0].kill()
    scene.holders[1].kill()
    with pytest.raises(RoundError, match="2 are needed; nothing was released"):
        scene.train()
    releases = scene.world.coordinator.path / "releases"
    assert not list(releases.glob("*/*/artefact.json"))
    assert scene.spent_rows > 0, "a round that could not be opened keeps its charge"
