"""Factors beside item-item: what is compared differs in nothing but how pairs were learned."""

import numpy as np
import pytest

from consent.tasks.factors import FactorsArtefact
from consent.tasks.names import TaskName
from simulations.evaluation import tastes
from simulations.evaluation.protocol import Fold, split
from simulations.evaluation.release import ALL_TASKS, INPUTS, Noise
from tests.unit.simulations.test_evaluation import population, random_shops


@pytest.fixture(scope="module")
def fold() -> Fold:
    return split(population(random_shops(2))).validation


@pytest.mark.parametrize("tasks", [INPUTS, ALL_TASKS], ids=["closed form", "ranker"])
def test_popularity_is_shared_and_one_thing_differs(fold: Fold, tasks: frozenset[TaskName]) -> None:
    noise = Noise.of(8.0, tasks=tasks)
    found = tastes.contenders(fold, noise, rng=np.random.default_rng(0), rounds=(1, 3))
    assert list(found) == ["item-item", "factors, 1 rounds", "factors, 3 rounds"]
    reference = found["item-item"]
    for name, held in found.items():
        other = TaskName.ITEM_ITEM if name == "item-item" else TaskName.FACTORS
        assert set(held) == (tasks - {TaskName.ITEM_ITEM}) | {other}
        for counted in (TaskName.POPULARITY, TaskName.RECENT_POPULARITY):
            assert held[counted] is reference[counted]


def test_rounds_go_on_from_each_other(fold: Fold) -> None:
    noise = Noise.none(INPUTS)
    found = tastes.contenders(fold, noise, rng=np.random.default_rng(0), rounds=(1, 2))
    once, twice = (found[f"factors, {many} rounds"][TaskName.FACTORS] for many in (1, 2))
    assert isinstance(once, FactorsArtefact)
    assert isinstance(twice, FactorsArtefact)
    assert once.factors.tolist() != twice.factors.tolist()


def test_made_up_ratings_are_measured_against_drawn_negatives(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tastes.ratings
    monkeypatch.setattr(tastes, "ratings", lambda: real(40, 300))
    monkeypatch.setattr(tastes, "ROUNDS", (1,))
    tastes.main(["ratings"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:2]] == [
        ["item-item", "hr@10"],
        ["item-item", "ndcg@10"],
    ]
    assert len(lines) == 4
    assert all("+0.0000 ± 0.0000" in line for line in lines[:2])
