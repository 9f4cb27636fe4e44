"""A task of several rounds: one run, resumed after a crash in any round, one spend a round."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from consent.tasks.inputs import hash_of
from consent.tasks.names import TaskName
from consent.tasks.ranker import RankerArtefact
from crypto.errors import RoundError, SealError
from crypto.wire import parse_object
from server.journal import Journal
from server.ledger import Ledger
from server.planning import Planner
from server.registry import Registry, Release
from server.share_opening import Opened
from server.training import Training
from server.voting import Voting
from simulations.engine.scenario import Tasks
from tests.integration.crash_scene import (
    SCENARIO,
    Crash,
    Scene,
    crash_after,
    crash_before,
    federation,
)

ROUNDS = 3
EPSILON, DELTA = 8.0, 1e-5
RANKED = replace(
    SCENARIO,
    tasks=Tasks(
        popularity=0.5,
        recent_popularity=0.0,
        item_item=0.0,
        ranker=0.5,
        ranker_rounds=ROUNDS,
    ),
)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with federation(tmp_path, "compact-sum", RANKED) as made:
        yield made


def rounds_of(trained: Training) -> list[Release]:
    return [each for each in trained.rounds if each.task == TaskName.RANKER]


def task_in(release: Release) -> dict[str, Any]:
    parameters: dict[str, Any] = parse_object(release.manifest.body, what="m")["parameters"]
    return parameters


def keeps_its_budget(scene: Scene, trained: Training) -> None:
    """Against the exact Gaussian formula, which owes nothing to the accountant."""
    records = [each.record for each in trained.rounds]
    mu = sum(record["plan"]["noise_multiplier"] ** -2 for record in records) ** 0.5

    def exact(epsilon: float) -> float:
        tail = norm.logcdf(-mu / 2 - epsilon / mu)
        return float(norm.cdf(mu / 2 - epsilon / mu) - np.exp(epsilon + tail) - DELTA)

    assert 0.8 * EPSILON < brentq(exact, 1e-6, 100.0) <= EPSILON
    assert 0.99 * EPSILON < scene.spent_rows <= EPSILON * (1 + 1e-9)


def test_each_round_begins_where_the_one_before_ended(scene: Scene) -> None:
    trained = scene.train()
    rounds = rounds_of(trained)
    assert [each.round_id for each in rounds] == [f"1-ranker-{k}" for k in range(ROUNDS)]
    popular = Registry(scene.world.coordinator.path / "releases").artefact_file(
        TaskName.POPULARITY, "1-popularity"
    )
    for before, after in pairwise(rounds):
        assert isinstance(before.artefact, RankerArtefact)
        assert task_in(after)["weights"] == before.artefact.weights.tolist()
        assert task_in(after)["inputs"] == [hash_of(popular.read_bytes())]
    assert trained.releases[TaskName.RANKER] is rounds[-1]
    shares = {
        name: sum(
            each.record["plan"]["noise_multiplier"] ** -2
            for each in trained.rounds
            if each.task == name
        )
        for name in (TaskName.POPULARITY, TaskName.RANKER)
    }
    assert shares[TaskName.RANKER] == pytest.approx(shares[TaskName.POPULARITY], rel=0.01)
    keeps_its_budget(scene, trained)
    for told in scene.key_holders():
        assert [each.state for each in told.rounds] == ["released"] * (1 + ROUNDS)
        assert told.epsilon <= EPSILON
    assert "3 rounds" in rounds[0].record["why"]


def in_round(number: int, method: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    """Dies in this round of the ranker, before or after the step."""

    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = _number_of(self, args) == number
        if found and not after:
            raise Crash(method.__qualname__)
        result = method(self, *args, **kwargs)
        if found:
            raise Crash(method.__qualname__)
        return result

    return step


def _number_of(owner: Any, args: tuple[Any, ...]) -> int | None:
    """Which round of the ranker this is about, from whatever the step was given."""
    text = " ".join(
        [str(getattr(owner, "_folder", "")), *(str(getattr(a, "round_id", a)) for a in args)]
    )
    found = [k for k in range(ROUNDS) if f"1-ranker-{k}" in text]
    return found[0] if found else None


POINTS: list[tuple[type, str]] = [
    (Journal, "start"),
    (Journal, "put"),
    (Journal, "committed"),
    (Journal, "voted"),
    (Journal, "added"),
    (Registry, "save"),
    (Registry, "mark_reported"),
]


@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_in_any_round_resumes_to_one_release_and_one_spend_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, after: bool
) -> None:
    """One federation, one run for each point: what was released before stays as it was."""
    with federation(tmp_path, "compact-sum", RANKED) as scene:
        kept: dict[str, Any] = {}
        for owner, name in POINTS:
            with monkeypatch.context() as patch:
                patch.setattr(owner, name, in_round(number, getattr(owner, name), after=after))
                with pytest.raises(Crash):
                    scene.train()
            for file in scene.world.coordinator.path.glob("releases/*/*/commit.json"):
                place = str(file.parent)
                assert kept.setdefault(place, file.read_bytes()) == file.read_bytes()
        trained = scene.train()
        assert len(trained.rounds) == 1 + ROUNDS
        keeps_its_budget(scene, trained)
        again = scene.train()
        for first, second in zip(trained.rounds, again.rounds, strict=True):
            assert np.array_equal(first.total.values, second.total.values)
        keeps_its_budget(scene, again)


@pytest.mark.parametrize(
    ("owner", "name", "crash"),
    [
        (Ledger, "reserve", crash_before),
        (Ledger, "reserve", crash_after),
        (Planner, "_follow", crash_after),
    ],
)
def test_and_so_do_the_ledger_and_the_chain(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, crash: Any
) -> None:
    with monkeypatch.context() as patch:
        if crash is crash_after:
            patch.setattr(owner, name, crash_after(getattr(owner, name), calls=3))
        else:
            patch.setattr(owner, name, crash(getattr(owner, name)))
        with pytest.raises(Crash):
            scene.train()
    keeps_its_budget(scene, scene.train())


def test_after_a_round_that_was_discarded_the_next_number_is_taken(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key holder lies in the second round: nothing of it is released, it stays charged."""
    done = 0

    def lie(self: Voting, *args: Any, **kwargs: Any) -> Opened:
        nonlocal done
        opened = honest(self, *args, **kwargs)
        done += 1
        if done != 3:  # popularity, the ranker's first, its second
            return opened
        first, *others = opened.parts
        spoilt = replace(first, values=np.roll(first.values, 1))
        return replace(opened, parts=(spoilt, *others))

    honest = Voting.open
    with monkeypatch.context() as patch:
        patch.setattr(Voting, "open", lie)
        with pytest.raises(SealError, match="contradict"):
            scene.train()
    assert not list(scene.world.coordinator.path.glob("rounds/*/*/uploads/*")), "nobody needs them"
    trained = scene.train()
    rounds = rounds_of(trained)
    assert [each.record["number"] for each in rounds] == [0, 2]
    assert isinstance(rounds[0].artefact, RankerArtefact)
    assert task_in(rounds[1])["weights"] == rounds[0].artefact.weights.tolist()
    assert 0.99 * EPSILON < scene.spent_rows <= EPSILON * (1 + 1e-9), "all three are charged"
    for told in scene.key_holders():
        assert told.epsilon <= EPSILON
        assert len(told.rounds) == 1 + ROUNDS


def test_a_run_whose_rounds_all_failed_says_so(scene: Scene) -> None:
    registry = Registry(scene.world.coordinator.path / "releases")
    for number in range(ROUNDS):
        registry.give_up(TaskName.RANKER, f"1-ranker-{number}", reason="A test ended it.")
    with pytest.raises(RoundError, match="All 3 rounds of ranker in run '1' ended without"):
        scene.train()
