"""Several rounds of one task: numbers rise, skipped ones are charged, and state is carried on."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consent.tasks.artefact import encode_artefact
from consent.tasks.factors import FactorsArtefact, FactorsTask
from consent.tasks.inputs import hash_of
from consent.tasks.names import TaskName
from consent.tasks.ranker import RankerArtefact, RankerTask
from consent.tasks.task import parse_task
from crypto.dp.accounting import epsilon
from crypto.dp.plan import PrivacyPlan
from crypto.errors import CohortTooSmallError, InvalidInputError, PlanError, RoundError
from crypto.manifest import Manifest
from crypto.round_times import VOTING_GRACE_S
from crypto.sums.schemes import Scheme
from crypto.wire import parse_object
from server.artefacts.factors import LEAST_TASTE
from server.cohort import Member, in_turn
from server.conductor import run_round
from server.keyholders import HolderEndpoint
from server.next_task import next_task
from server.planning import Spot
from server.registry import Release
from server.runs import Run, cost, round_id_of, spot_of
from server.schedule import TrainingPlan, fitted_to
from tests.unit.client.stage import CATALOGUE, TASK
from tests.unit.crypto.samples import plan as sample_plan
from tests.unit.server.stage import Scene, away_from
from tests.unit.server.test_conductor import withdraw
from tests.unit.server.test_schedule import training

ROUNDS = 3


@pytest.fixture(params=[Scheme.COMPACT_SUM, Scheme.SHARE_SUM], ids=str)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    made = Scene.create(tmp_path, clients=4, scheme=request.param)
    yield made
    made.close()


@pytest.fixture
def voted(tmp_path: Path) -> Iterator[Scene]:
    made = Scene.create(tmp_path, clients=4, scheme=Scheme.COMPACT_SUM)
    yield made
    made.close()


def run(scene: Scene, number: int, *, plan: PrivacyPlan | None = None, **changes: Any) -> Release:
    return run_round(
        scene.grid(),
        scene.members,
        TASK,
        plan or replace(scene.plan, rounds=ROUNDS),
        replace(scene.federation, **changes),
        round_id=f"march-{TASK.name}-{number}",
        spot=Spot(run="march", number=number),
    )


def spends(scene: Scene, rounds: int) -> None:
    one = replace(scene.plan, rounds=ROUNDS)
    expected = epsilon([one.release] * rounds, delta=1e-6)
    assert scene.federation.ledger.spent() == pytest.approx(expected)


def test_all_rounds_are_released_and_cost_what_the_plan_says(scene: Scene) -> None:
    plan = replace(scene.plan, rounds=ROUNDS)
    releases = [run(scene, number) for number in range(ROUNDS)]
    assert [each.record["number"] for each in releases] == [0, 1, 2]
    assert {each.record["run"] for each in releases} == {"march"}
    assert scene.federation.ledger.spent() == pytest.approx(plan.epsilon())
    assert len({each.record["context"] for each in releases}) == ROUNDS
    assert run(scene, 1).commit == releases[1].commit
    spends(scene, ROUNDS)


def test_a_number_that_was_skipped_is_charged_with_the_next(scene: Scene) -> None:
    run(scene, 0)
    spends(scene, 1)
    run(scene, 2)
    spends(scene, 3)


def test_a_round_that_failed_and_was_charged_is_not_charged_twice(voted: Scene) -> None:
    run(voted, 0)
    gone: tuple[HolderEndpoint, ...] = tuple(
        away_from("/v1/vote", each) for each in voted.federation.holders
    )
    with pytest.raises(RoundError, match="voting on the list"):
        run(voted, 1, holders=gone)
    spends(voted, 2)
    run(voted, 2)
    spends(voted, 3)


def test_key_holders_take_no_number_twice_and_none_below(voted: Scene) -> None:
    run(voted, 1)
    for number in (0, 1):
        with pytest.raises(RoundError, match=r"charged up to round 1: .*plan the next round"):
            _again(voted, number)
    run(voted, 2)


def _again(scene: Scene, number: int) -> None:
    """A coordinator that forgot what it did under this number."""
    run_round(
        scene.grid(),
        scene.members,
        TASK,
        replace(scene.plan, rounds=ROUNDS),
        scene.federation,
        round_id=f"another-{number}",
        spot=Spot(run="march", number=number),
    )


def test_banded_noise_comes_from_the_plan_and_needs_turns(tmp_path: Path) -> None:
    """Two bands: each client takes part once in two rounds, and the noise is what is stated."""
    voted = Scene.create(tmp_path, clients=8)
    plan = replace(voted.plan, rounds=4, bands=2, separation=2)
    asked: list[set[str]] = []
    for number in range(4):
        members = in_turn(voted.members, run="march", number=number, separation=2)
        asked.append({member.client for member in members})
    assert (asked[0], asked[1]) == (asked[2], asked[3])
    assert not asked[0] & asked[1]
    assert asked[0] | asked[1] == {member.client for member in voted.members}
    for number in range(4):
        if len(asked[number]) < 3:
            with pytest.raises(CohortTooSmallError):
                run(voted, number, plan=plan)
            continue
        release = run(voted, number, plan=plan)
        assert release.record["clients"] == len(asked[number])
        stddev = plan.noise_stddev(len(asked[number]), number=number)
        assert release.total.noise_stddev == pytest.approx(stddev)
    assert voted.federation.ledger.spent() == pytest.approx(plan.epsilon())
    voted.close()


def test_turns_are_fair_and_each_client_has_one_in_every_separation() -> None:
    members = [Member(node=k, client=f"{k:064x}", kind="device") for k in range(600)]
    for separation in (1, 2, 3, 5):
        turns = [
            in_turn(members, run="r", number=number, separation=separation)
            for number in range(separation)
        ]
        assert sorted(each.node for turn in turns for each in turn) == list(range(600))
        share = 600 / separation
        assert all(abs(len(turn) - share) < 5 * share**0.5 + 1 for turn in turns)


class TestEndings:
    """Sealed uploads go when no resume can need them, and never before."""

    def uploads(self, scene: Scene) -> int:
        return len(list(scene.folder.glob("rounds/*/*/uploads/*.json")))

    def test_a_round_that_was_interrupted_keeps_them(self, voted: Scene) -> None:
        gone = tuple(away_from("/v1/vote", each) for each in voted.federation.holders)
        with pytest.raises(RoundError):
            voted.run(holders=gone)
        assert self.uploads(voted) == 4 + 3
        assert voted.run().record["clients"] == 4

    def test_after_the_deadline_they_go(self, voted: Scene) -> None:
        gone = tuple(away_from("/v1/ingest", each) for each in voted.federation.holders)
        with pytest.raises(RoundError):
            voted.run(holders=gone)
        assert self.uploads(voted) > 0
        voted.stage.clock.now += 600 + VOTING_GRACE_S + 600
        with pytest.raises(RoundError):
            voted.run(holders=gone)
        assert self.uploads(voted) == 0
        with pytest.raises(RoundError, match=r"ended without a release: .*under another id"):
            voted.run()

    def test_votes_that_may_have_been_cast_keep_them(self, voted: Scene) -> None:
        """Key holders that are away may have voted, and even have released."""
        gone = tuple(away_from("/v1/release", each) for each in voted.federation.holders)
        with pytest.raises(RoundError):
            voted.run(holders=gone)
        voted.stage.clock.now += 600 + VOTING_GRACE_S + 600
        with pytest.raises(RoundError):
            voted.run(holders=gone)
        assert self.uploads(voted) == 4 + 3

    def test_a_list_that_shrank_too_far_ends_its_round(self, scene: Scene) -> None:
        class Late:
            """Two withdraw between the uploads and the commit."""

            def __init__(self, scene: Scene) -> None:
                self.scene = scene

            def __getattr__(self, name: str) -> Any:
                return getattr(self.scene.stage.client, name)

            def commit(self, **asked: Any) -> Any:
                withdraw(self.scene, 0)
                withdraw(self.scene, 1)
                return self.scene.stage.client.commit(**asked)

        late: Any = Late(scene)
        with pytest.raises(CohortTooSmallError):
            scene.run(consent=late)
        assert self.uploads(scene) == 0
        with pytest.raises(RoundError, match="ended without a release: 2 clients remain"):
            scene.run()


class TestNextTask:
    PLAN: TrainingPlan = training()

    def test_a_ranker_begins_from_what_the_round_before_released(self, voted: Scene) -> None:
        released = {TaskName.POPULARITY: voted.run().artefact}
        first = next_task(TaskName.RANKER, self.PLAN, CATALOGUE, released)
        assert isinstance(first, RankerTask)
        assert first.inputs == (hash_of(encode_artefact(released[TaskName.POPULARITY])),)
        learned = RankerArtefact(
            catalogue=CATALOGUE.hash,
            features=first.features,
            weights=np.linspace(-1, 1, len(first.features)),
        )
        second = next_task(TaskName.RANKER, self.PLAN, CATALOGUE, released, learned)
        assert isinstance(second, RankerTask)
        assert second.weights == tuple(learned.weights.tolist())
        assert replace(second, weights=first.weights) == first

    def test_two_rounds_of_factors_each_sealed_and_the_second_from_the_first(
        self, voted: Scene
    ) -> None:
        released = {TaskName.POPULARITY: voted.run().artefact}
        made: list[Release] = []
        for number in range(2):
            previous = made[-1].artefact if made else None
            task = next_task(TaskName.FACTORS, self.PLAN, CATALOGUE, released, previous)
            plan = fitted_to(replace(voted.plan, rounds=2), task.dimension)
            made.append(
                run_round(
                    voted.grid(),
                    voted.members,
                    task,
                    plan,
                    voted.federation,
                    round_id=round_id_of("march", TaskName.FACTORS, plan, number),
                    spot=spot_of("march", plan, number),
                )
            )
        first, second = (each.artefact for each in made)
        assert isinstance(first, FactorsArtefact)
        assert isinstance(second, FactorsArtefact)
        began = []
        for each in made:
            manifest = parse_object(each.manifest.body, what="manifest")
            began.append(parse_task(manifest["task"], manifest["parameters"]))
        assert isinstance(began[1], FactorsTask)
        assert began[0] == next_task(TaskName.FACTORS, self.PLAN, CATALOGUE, released)
        # By size: a column that rounding leaves of nothing is no taste.
        length = np.linalg.norm(first.factors, axis=0)
        alive = length > LEAST_TASTE * length.max()
        assert began[1].factors[:, : alive.sum()].tolist() == first.factors[:, alive].tolist()
        assert second.factors.shape == first.factors.shape
        assert [each.record["number"] for each in made] == [0, 1]

    @pytest.mark.parametrize(
        "name",
        [
            TaskName.ITEM_ITEM,
            TaskName.FACTORS,
            TaskName.RANKER,
            TaskName.EVALUATION,
            TaskName.FAIRNESS,
        ],
    )
    def test_what_builds_on_nothing_is_refused(self, name: TaskName) -> None:
        with pytest.raises(PlanError, match=r"put .*before it"):
            next_task(name, self.PLAN, CATALOGUE, {})

    def test_it_sends_published_bytes_and_knows_no_others(self, voted: Scene) -> None:
        released = voted.run()
        encoded = voted.released()[0].read_bytes()
        registry = voted.federation.registry
        assert registry.encoded([hash_of(encoded)]) == {hash_of(encoded): encoded}
        assert encode_artefact(released.artefact) == encoded, "as published, to the last bit"
        with pytest.raises(RoundError, match="none of this hash was released"):
            registry.encoded(["00" * 32])


class TestRun:
    def test_ids_and_places(self) -> None:
        one, three = training_plan(1), training_plan(3)
        assert round_id_of("7", TaskName.RANKER, one, 0) == "7-ranker"
        assert round_id_of("7", TaskName.RANKER, three, 2) == "7-ranker-2"
        assert spot_of("7", one, 0) == Spot()
        assert spot_of("7", three, 2) == Spot(run="7", number=2)

    def test_one_sum_has_one_round(self) -> None:
        fields = {"rounds": 2, "bands": 1, "separation": 1, "sampling_rate": 1.0}
        with pytest.raises(InvalidInputError, match="popularity is one sum, not 2 rounds"):
            Run.from_json(fields, task=TaskName.POPULARITY)
        assert Run.from_json(fields, task=TaskName.RANKER) == Run(rounds=2)

    @pytest.mark.parametrize("task", [TaskName.EVALUATION, TaskName.FAIRNESS])
    def test_no_coin_decides_who_is_measured(self, task: TaskName) -> None:
        """Of 150 shoppers at a rate of a half, 8 in 100 stated intervals held their number."""
        fields = {"rounds": 1, "bands": 1, "separation": 1, "sampling_rate": 0.5}
        with pytest.raises(InvalidInputError, match=r"sampling_rate=0\.5 to be 1"):
            Run.from_json(fields, task=task)
        assert Run.from_json(fields, task=TaskName.POPULARITY).sampling_rate == 0.5

    def test_what_rounds_cost_together(self) -> None:
        assert cost(training_plan(1)) == 1
        assert cost(training_plan(3)) == 3
        assert cost(training_plan(5, separation=2)) == 3


def training_plan(rounds: int, **changes: Any) -> PrivacyPlan:
    return sample_plan(rounds=rounds, **changes)


def test_a_manifest_says_its_place(voted: Scene) -> None:
    release = run(voted, 1)
    made = Manifest.verify(release.manifest, voted.federation.identity.public_key())
    assert (made.run, made.number, made.plan.rounds) == ("march", 1, ROUNDS)
