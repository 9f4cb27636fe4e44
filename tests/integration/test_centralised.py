"""Without noise, sealing changes nothing: lists and metrics are those of the plain central sum.

Shares, masks and what key holders open are exact; what is left is the rounding of every value to
1/1024 of a contribution, up or down at random, which moves nothing but ties.
"""

from dataclasses import replace

import numpy as np
import pytest

from client.contributions.history import FloatArray, IndexArray
from consent.tasks.artefact import Artefact
from consent.tasks.names import TaskName
from simulations.engine.run import Outcome, load, run
from simulations.engine.scenario import Clients, Consent, Data, Engine, Privacy, Scenario, Tasks
from simulations.evaluation.evaluate import on_device
from simulations.evaluation.metrics import measure
from simulations.evaluation.protocol import CONTEXT, Fold, split
from simulations.evaluation.release import ALL_TASKS, INPUTS, Noise, release

SCENARIO = Scenario(
    name="central",
    seed=7,
    data=Data(source="synthetic", shoppers=60, items=24, stores=2),
    privacy=Privacy(enabled=False),
    tasks=Tasks(force_item_item=True, ranker=0.2),
    # Everybody agrees to everything, as the central sum takes everybody.
    consent=Consent(refuse=0.0, personal_only=0.0, withdraw=0.0, time_context=1.0, location=1.0),
    clients=Clients(dropout=0.0),
    engine=Engine(services="embedded", workers=0),
)
LENGTH = 10
# Rounding moves a sum over 60 shoppers by some 0.01, and scores, which reach to 5, by some 0.005.
ROUNDING = 0.03


@pytest.fixture(scope="module")
def fold() -> Fold:
    population = load(SCENARIO.data, seed=SCENARIO.seed)
    return split(population).validation.in_context(dict.fromkeys(population.shoppers, CONTEXT))


@pytest.fixture(scope="module", params=["compact-sum", "share-sum"])
def sealed(
    request: pytest.FixtureRequest, fold: Fold, tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    scenario = replace(SCENARIO, privacy=replace(SCENARIO.privacy, scheme=request.param))
    folder = tmp_path_factory.mktemp("central")
    return run(scenario, fold.training, folder, progress=lambda _phase, _done, _total: None)


@pytest.fixture(scope="module")
def central(fold: Fold) -> dict[TaskName, Artefact]:
    return release(fold, Noise.none(), rng=np.random.default_rng(1))


def scores(artefacts: list[Artefact], fold: Fold) -> FloatArray:
    return on_device(artefacts)(fold)(slice(None))


def lists(found: FloatArray) -> IndexArray:
    """Each shopper's best items, best first, shape (tested, length)."""
    return _order(found)[:, :LENGTH]


def _order(found: FloatArray) -> IndexArray:
    order: IndexArray = np.argsort(-found, axis=1, kind="stable")
    return order


def test_every_task_was_released_over_everybody(sealed: Outcome, fold: Fold) -> None:
    assert sealed.training.releases.keys() == ALL_TASKS
    for each in sealed.training.rounds:
        assert each.record["shoppers"] == len(fold.training.shoppers)
        assert each.record["sealing"] == "full"
        assert each.total.noise_stddev == 0


@pytest.mark.parametrize("tasks", [INPUTS, ALL_TASKS], ids=["without ranker", "with ranker"])
def test_lists_and_metrics_are_those_of_the_central_sum(
    sealed: Outcome,
    central: dict[TaskName, Artefact],
    fold: Fold,
    tasks: frozenset[TaskName],
) -> None:
    """List by list: the same items in the same order, but where two scores are tied."""
    mine = {name: each.artefact for name, each in sealed.training.releases.items()}
    released, plain = ([each[name] for name in each if name in tasks] for each in (mine, central))
    through, directly = scores(released, fold), scores(plain, fold)
    assert np.abs(through - directly).max() < ROUNDING
    same = (lists(through) == lists(directly)).all(axis=1)
    assert same.mean() >= 0.9
    assert all(
        _gaps(directly[shopper], lists(through)[shopper]) < 2 * ROUNDING
        for shopper in np.flatnonzero(~same)
    )
    found, expected = (
        measure(on_device(each)(fold), fold, cutoffs=(LENGTH,)) for each in (released, plain)
    )
    assert found.keys() == expected.keys()
    # Some metrics look at new items alone, past the end of the list.
    same &= (_order(through) == _order(directly)).all(axis=1)
    assert same.mean() >= 0.5
    for name, values in expected.items():
        assert np.array_equal(found[name][same], values[same], equal_nan=True), name


def _gaps(central: FloatArray, order: IndexArray) -> float:
    """The largest step up in central scores down another list: 0 where it is in their order."""
    return float(np.diff(central[order]).max(initial=0.0))


def test_another_sum_would_show(central: dict[TaskName, Artefact], fold: Fold) -> None:
    """The control: a sum that misses a few shoppers gives other scores and lists."""
    kept = fold.training.shoppers[:50]
    fewer = replace(fold.training, events=fold.training.events.take(_lines_of(fold, kept)))
    missing = Fold(stage=fold.stage, training=fewer, tested=fold.tested, truth=fold.truth)
    other = release(missing, Noise.none(), rng=np.random.default_rng(1))
    plain, found = scores(list(central.values()), fold), scores(list(other.values()), fold)
    assert np.abs(found - plain).max() > 3 * ROUNDING
    assert (lists(found) == lists(plain)).all(axis=1).mean() < 0.8


def _lines_of(fold: Fold, shoppers: tuple[str, ...]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.isin(fold.training.events.shopper.astype(str), np.array(shoppers))
