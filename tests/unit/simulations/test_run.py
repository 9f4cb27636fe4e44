"""A whole federation on synthetic shoppers, services mounted in this process."""

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from client.contributions.history import FloatArray
from client.contributions.registry import contribute
from consent.admit import admit
from consent.purpose import Category, Purpose
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact, PopularityTask
from crypto.errors import CohortTooSmallError
from server.ledger import Ledger
from simulations.engine import withdrawals
from simulations.engine.run import Outcome, load, run
from simulations.engine.scenario import Clients, Consent, Data, Engine, Privacy, Scenario, Tasks
from simulations.population.population import Population
from simulations.results import _consent

EMBEDDED = Engine(services="embedded", workers=0, keep_homes=True)
BASE = Scenario(
    name="test",
    seed=3,
    data=Data(source="synthetic", shoppers=60, items=40, stores=2),
    privacy=Privacy(epsilon=8.0, min_share=0.8),
    clients=Clients(dropout=0.0),
    engine=EMBEDDED,
)


@pytest.fixture(scope="module")
def population() -> Population:
    return load(BASE.data, seed=BASE.seed)


def _quiet(phase: str, done: int, total: int) -> None:
    assert 0 <= done <= total, phase


def _run(scenario: Scenario, population: Population, folder: Path) -> Outcome:
    return run(scenario, population, folder, progress=_quiet)


def _plain_sum(population: Population, shoppers: list[str]) -> FloatArray:
    task = PopularityTask(items=len(population.catalogue))
    granted = frozenset({Category.PURCHASES})
    return sum(
        (
            contribute(
                task,
                admit(
                    population.of(shopper),
                    purpose=Purpose.TRAIN,
                    categories=granted,
                    sensitive_items=frozenset(),
                ),
                population.catalogue,
            )
            for shopper in shoppers
        ),
        start=np.zeros(task.dimension),
    )


def test_without_noise_the_released_model_is_the_centralised_one(
    population: Population, tmp_path: Path
) -> None:
    scenario = replace(
        BASE,
        privacy=Privacy(enabled=False),
        consent=Consent(refuse=0.2, personal_only=0.1, withdraw=0.0),
        tasks=Tasks(recent_popularity=0.0, item_item=0.0),
    )
    outcome = _run(scenario, population, tmp_path)
    artefact = outcome.training.releases[TaskName.POPULARITY].artefact
    assert isinstance(artefact, PopularityArtefact)
    agreeing = [s for s, choice in outcome.choices.items() if choice.trains]
    assert 0 < len(agreeing) < len(population.shoppers)
    plain = _plain_sum(population, agreeing)
    # Rounding to 1/1024 with random signs over some 40 shoppers: 0.01 is beyond six sigma.
    assert np.abs(artefact.scores - plain / plain.max()).max() < 0.01
    everyone = _plain_sum(population, list(population.shoppers))
    assert np.abs(artefact.scores - everyone / everyone.max()).max() > 0.02


def test_withdrawals_between_selection_and_commit_are_never_aggregated(
    population: Population, tmp_path: Path
) -> None:
    scenario = replace(
        BASE,
        privacy=Privacy(epsilon=8.0, min_clients=4),
        consent=Consent(refuse=0.0, personal_only=0.0, withdraw=0.4),
    )
    outcome = _run(scenario, population, tmp_path)
    counted = outcome.funnel.values()
    assert sum(each["withdrawn_before_commit"] for each in counted) > 0
    assert sum(each["aggregated_after_withdrawal"] for each in counted) == 0
    last = list(outcome.training.releases.values())[-1]
    assert 0 < last.record["shoppers"] < len(population.shoppers)
    consented = _consent(outcome)
    assert consented["withdrew"] >= consented["withdrawn_before_commit"] > 0
    assert consented["purged_at_client"] == consented["withdrew"], "devices and stores did it"


def test_what_a_client_has_not_done_is_not_counted(
    population: Population, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: object) -> None:
        """A client that asks nobody what it is to do."""

    monkeypatch.setattr(withdrawals, "sync", offline)
    scenario = replace(
        BASE,
        privacy=Privacy(epsilon=8.0, min_clients=4),
        consent=Consent(refuse=0.0, personal_only=0.0, withdraw=0.4),
        tasks=Tasks(recent_popularity=0.0, item_item=0.0),
    )
    outcome = _run(scenario, population, tmp_path)
    assert outcome.withdrew > 0
    assert outcome.purged == 0


def test_a_store_seals_again_without_the_shopper_who_withdrew(
    population: Population, tmp_path: Path
) -> None:
    scenario = replace(
        BASE,
        privacy=Privacy(epsilon=8.0, min_clients=4),
        consent=Consent(refuse=0.0, personal_only=0.0, withdraw=0.4),
        tasks=Tasks(recent_popularity=0.0, item_item=0.0),
    )
    record = _run(scenario, population, tmp_path).training.releases[TaskName.POPULARITY].record
    assert record["resealed"] > 0
    assert record["shoppers"] > record["clients"], "the stores stayed in the sum"


def test_diaries_for_everybody_in_the_sum_and_points_for_those_who_opted_in(
    population: Population, tmp_path: Path
) -> None:
    scenario = replace(
        BASE,
        privacy=Privacy(epsilon=8.0, min_clients=4),
        consent=Consent(refuse=0.1, personal_only=0.1, withdraw=0.2, value_sharing=0.5),
        tasks=Tasks(item_item=0.0),
        clients=Clients(dropout=0.1),
    )
    outcome = _run(scenario, population, tmp_path)
    releases = outcome.training.releases.values()
    counted = outcome.funnel.values()
    shoppers = sum(release.record["shoppers"] for release in releases)
    assert sum(each["diary_entries"] for each in counted) == shoppers
    consented = _consent(outcome)
    assert consented["diary_entries"] == shoppers
    assert 0 < consented["points_issued"] < 5 * shoppers
    with sqlite3.connect(tmp_path / "federation" / "consent" / "consent.db") as database:
        diary = dict(
            database.execute("SELECT shopper_id, count(*) FROM diary_entry GROUP BY shopper_id")
        )
        points = dict(
            database.execute("SELECT shopper_id, sum(points) FROM points_entry GROUP BY shopper_id")
        )
    database.close()
    registered = outcome.world.shoppers
    collecting = {registered[s].shopper for s, c in outcome.choices.items() if c.collects}
    assert points == {who: 5 * diary[who] for who in collecting & diary.keys()}
    assert sum(points.values()) == consented["points_issued"]


def test_below_the_minimum_nothing_is_released_and_nothing_is_spent(
    population: Population, tmp_path: Path
) -> None:
    scenario = replace(BASE, clients=Clients(dropout=0.6))
    with pytest.raises(CohortTooSmallError, match=r"nothing is released.*(again|plan)"):
        _run(scenario, population, tmp_path)
    coordinator = tmp_path / "federation" / "coordinator"
    assert not list((coordinator / "releases").glob("*/*"))
    ledger = Ledger(coordinator / "ledger.db", budget=8.0, delta=1e-5)
    assert ledger.spent() == 0.0


def test_the_budget_covers_all_tasks_together(population: Population, tmp_path: Path) -> None:
    scenario = replace(BASE, tasks=Tasks(force_item_item=True, item_item_items=24))
    releases: Mapping[TaskName, object] = (
        outcome := _run(scenario, population, tmp_path)
    ).training.releases
    assert list(releases) == [
        TaskName.POPULARITY,
        TaskName.RECENT_POPULARITY,
        TaskName.ITEM_ITEM,
    ]
    spent = [r.record["epsilon_spent_in_all"] for r in outcome.training.releases.values()]
    alone = [r.record["epsilon"] for r in outcome.training.releases.values()]
    assert spent == sorted(spent)
    assert 7.9 < spent[-1] <= 8.0
    assert sum(alone) > spent[-1], "releases compose to less than their sum"


def test_item_item_is_left_out_before_anything_is_spent_on_it(
    population: Population, tmp_path: Path
) -> None:
    outcome = _run(BASE, population, tmp_path)
    assert TaskName.ITEM_ITEM not in outcome.training.releases
    assert "noise" in outcome.training.schedule.left_out[TaskName.ITEM_ITEM]
    assert outcome.training.releases[TaskName.POPULARITY].record["epsilon_spent_in_all"] <= 8.0
