"""Factors through a whole federation: two rounds, each sum that of the plain contributions."""

from pathlib import Path

import numpy as np

from consent.tasks.factors import FactorsArtefact, FactorsTask
from consent.tasks.names import TaskName
from consent.tasks.task import parse_task
from crypto.wire import parse_object
from simulations.engine.run import load, run
from simulations.engine.scenario import Clients, Consent, Data, Engine, Privacy, Scenario, Tasks
from tests.integration.plain import plain_sum

SCENARIO = Scenario(
    name="factors",
    seed=5,
    data=Data(source="synthetic", shoppers=30, items=20, stores=1),
    privacy=Privacy(enabled=False),
    tasks=Tasks(recent_popularity=0.0, item_item=0.0, factors=0.5, factors_rounds=2, ranker=0.2),
    consent=Consent(refuse=0.0, personal_only=0.0, withdraw=0.0, time_context=1.0, location=1.0),
    clients=Clients(dropout=0.0),
    engine=Engine(services="embedded", workers=0),
)
# Rounding to 1/1024 of a contribution, up or down at random, by 30 shoppers.
ROUNDING = 0.02


def test_two_rounds_each_the_sum_of_what_devices_say_at_its_places(tmp_path: Path) -> None:
    population = load(SCENARIO.data, seed=SCENARIO.seed)
    outcome = run(SCENARIO, population, tmp_path, progress=lambda _phase, _done, _total: None)
    rounds = [each for each in outcome.training.rounds if each.task == TaskName.FACTORS]
    tasks = []
    for each in rounds:
        task = parse_task("factors", parse_object(each.manifest.body, what="m")["parameters"])
        assert isinstance(task, FactorsTask)
        tasks.append(task)
        expected = plain_sum(task, population, population.shoppers)
        assert np.abs(expected).max() > 10 * ROUNDING
        assert np.abs(each.total.values - expected).max() < ROUNDING
    first, second = tasks
    learned = rounds[0].artefact
    assert isinstance(learned, FactorsArtefact)
    alive = learned.factors.any(axis=0)
    assert alive.any()
    assert second.factors[:, : alive.sum()].tolist() == learned.factors[:, alive].tolist()
    assert first.withheld == second.withheld == 1, "the ranker foretells what they do not see"
    assert outcome.training.releases.keys() == {
        TaskName.POPULARITY,
        TaskName.FACTORS,
        TaskName.RANKER,
    }
