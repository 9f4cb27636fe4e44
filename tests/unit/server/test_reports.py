"""Policies are published before anybody is asked; releases are reported, and never undone."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consent.client import ConsentClient
from consent.purpose import Decision
from crypto.errors import ConsentError, RoundError
from crypto.manifest import context_of
from crypto.sums.schemes import Scheme
from crypto.wire import SignedRecord
from server.reports import report_missing
from tests.unit.client.stage import TASK
from tests.unit.consent.harness import NOTICE, Stage
from tests.unit.consent.rounds import COLLECT
from tests.unit.server.stage import Answer, Scene


@pytest.fixture(params=[Scheme.COMPACT_SUM, Scheme.SHARE_SUM], ids=str)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    made = Scene.create(tmp_path, clients=3, scheme=request.param)
    yield made
    made.close()


class Other(ConsentClient):
    """The scene's client with calls that fail or are watched."""

    def __init__(self, scene: Scene, **calls: Any) -> None:
        self.__dict__.update(scene.federation.consent.__dict__, **calls)


def away(*_: object, **__: object) -> bool:
    raise ConsentError("The consent service can't be reached.")


def entries(scene: Scene) -> list[str]:
    """The rounds in the first shopper's diary."""
    party = scene.parties[0]
    [(name, token)] = party.tokens.items()
    return [e.round for e in scene.stage.client.diary(party.home.shoppers[name], token).entries]


def policies(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.http.get("/v1/policies").json()["policies"]
    return found


def test_the_manifest_is_public_before_anybody_is_asked(scene: Scene) -> None:
    grid = scene.grid()
    seen: list[int] = []

    def watching(answer: Answer) -> Answer:
        def watch(kind: str, content: Any) -> Any:
            seen.append(len(policies(scene.stage)))
            return answer(kind, content)

        return watch

    grid.answers = {node: watching(answer) for node, answer in grid.answers.items()}
    release = scene.run(grid)
    assert seen == [1, 1, 1]
    [policy] = policies(scene.stage)
    assert SignedRecord.from_json(policy["manifest"]) == release.manifest
    assert policy["context"] == context_of(release.manifest)


def test_a_policy_that_can_not_be_published_stops_the_round(scene: Scene) -> None:
    grid = scene.grid()
    with pytest.raises(ConsentError):
        scene.run(grid, consent=Other(scene, publish_policy=away))
    assert grid.asked == []
    assert scene.released() == []
    assert scene.run().record["clients"] == 3


def test_another_policy_of_the_round_stops_it(scene: Scene) -> None:
    """Somebody lost the coordinator's folder and starts the same run again."""
    with pytest.raises(ConsentError):
        scene.run(consent=Other(scene, eligible=away))
    again = scene.folder / "again"
    scene.stage.clock.now += 10
    # Key holders gave their keys to the first request; share sum has none, the policy stops it.
    stopped = (RoundError, "key for another request"), (ConsentError, "Another manifest")
    error, message = stopped[0 if scene.scheme.votes else 1]
    with pytest.raises(error, match=message):
        scene.run(folder=again)


def test_a_release_writes_diaries_and_points(scene: Scene) -> None:
    party = scene.parties[0]
    [(name, token)] = party.tokens.items()
    who = party.home.shoppers[name]
    opt_in = {cell: what for cell, what in COLLECT.items() if what is Decision.GIVEN}
    scene.stage.client.decide(who, token, opt_in, notice_version=NOTICE)
    release = scene.run()
    [entry] = scene.stage.client.diary(who, token).entries
    assert (entry.round, entry.others, entry.points) == ("round-1", 2, 5)
    assert entry.epsilon == release.record["epsilon"]
    assert entry.epsilon_so_far == release.record["epsilon_spent_in_all"]
    assert entry.artefact == hashlib.sha256(scene.released()[0].read_bytes()).hexdigest()
    counted = scene.stage.client.round(TASK.name, "round-1")
    assert (counted.diary_entries, counted.points_issued) == (3, 5)
    scene.run()
    assert scene.stage.client.round(TASK.name, "round-1") == counted


def test_a_report_that_fails_leaves_the_release_and_is_repeated(scene: Scene) -> None:
    registry = scene.federation.registry
    first = scene.run(consent=Other(scene, released=away))
    assert len(scene.released()) == 1
    assert entries(scene) == []
    assert not registry.is_reported("popularity", "round-1")
    again = scene.run()
    assert again.commit == first.commit
    assert entries(scene) == ["round-1"]
    assert registry.is_reported("popularity", "round-1")


def test_the_next_run_reports_what_earlier_ones_could_not(scene: Scene) -> None:
    consent = Other(scene, released=away)
    for number in (1, 2):
        scene.run(round_id=f"round-{number}", consent=consent)
    asked: list[str] = []

    def released(report: Any, *, task: Any, round_id: str) -> bool:
        asked.append(round_id)
        return scene.federation.consent.released(report, task=task, round_id=round_id)

    for _ in range(2):
        report_missing(scene.federation.registry, Other(scene, released=released))
    assert sorted(asked) == ["round-1", "round-2"]
    assert sorted(entries(scene)) == ["round-1", "round-2"]
    assert len(scene.federation.registry.records()) == 2


def test_without_a_pinned_key_rounds_go_on_without_diaries(scene: Scene) -> None:
    unpinned = replace(scene.stage.context.settings, coordinator_key=None)
    scene.stage.app.state.context = replace(scene.stage.context, settings=unpinned)
    assert scene.run().record["clients"] == 3
    assert policies(scene.stage) == []
    assert entries(scene) == []
    assert not scene.federation.registry.is_reported("popularity", "round-1")
