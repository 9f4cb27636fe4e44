"""Evaluation and audit as rounds of a whole federation: what devices measured is released."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from client.contributions.foretold import foretell
from client.contributions.history import History
from consent.admit import admit
from consent.purpose import Category, Purpose
from consent.tasks.evaluation import EvaluationArtefact
from consent.tasks.fairness import FairnessArtefact
from consent.tasks.names import TaskName
from server.artefacts.evaluation import input_hashes
from simulations.engine.run import Outcome, load, run
from simulations.engine.scenario import Clients, Consent, Data, Engine, Privacy, Scenario, Tasks
from simulations.fairness import page
from simulations.population.population import Population

SCENARIO = Scenario(
    name="audited",
    seed=3,
    data=Data(source="synthetic", shoppers=150, items=40, stores=2),
    privacy=Privacy(enabled=False, min_share=0.8),
    tasks=Tasks(recent_popularity=0.0, item_item=0.0, evaluation=0.3, fairness=0.5),
    consent=Consent(refuse=0.1, personal_only=0.1, withdraw=0.0, measurement=0.9, fairness=0.7),
    clients=Clients(dropout=0.0),
    engine=Engine(services="embedded", workers=0, keep_homes=True),
)


@pytest.fixture(scope="module")
def population() -> Population:
    made = load(SCENARIO.data, seed=SCENARIO.seed)
    ages = ("18-34", "35-54", "55+")
    groups = {name: {"age": ages[n % 3]} for n, name in enumerate(made.shoppers) if n % 7}
    return replace(made, groups=groups)


@pytest.fixture(scope="module")
def outcome(population: Population, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("audited")
    return run(SCENARIO, population, folder, progress=lambda _what, _done, _total: None)


def ndcg_of(population: Population, outcome: Outcome, shopper: str) -> float | None:
    """By the same recommender, outside of all rounds."""
    history = History.of(
        admit(
            population.of(shopper),
            purpose=Purpose.PERSONALISE,
            categories={Category.PURCHASES},
            sensitive_items=frozenset(),
        ),
        population.catalogue,
    )
    popularity = outcome.training.releases[TaskName.POPULARITY].artefact
    found = foretell(
        history,
        population.catalogue,
        [popularity],
        length=10,
        least_baskets=3,
        not_before=None,
    )
    return None if found is None else found.quality(found.wanted)["ndcg"]


def test_the_released_figures_are_the_means_over_who_agreed_to_measurement(
    population: Population, outcome: Outcome
) -> None:
    artefact = outcome.training.releases[TaskName.EVALUATION].artefact
    assert isinstance(artefact, EvaluationArtefact)
    agreed = [
        name
        for name, choice in outcome.choices.items()
        if any(
            cell.purpose is Purpose.MEASUREMENT and said == "given"
            for cell, said in choice.decisions.items()
        )
    ]
    assert 0.6 * 150 < len(agreed) < 0.85 * 150
    values = [ndcg_of(population, outcome, name) for name in agreed]
    counted = [value for value in values if value is not None]
    assert artefact.figures["shoppers"].value == pytest.approx(len(counted), abs=0.05)
    assert artefact.figures["ndcg"].value == pytest.approx(sum(counted) / len(counted), abs=2e-3)
    popularity = outcome.training.releases[TaskName.POPULARITY].artefact
    assert artefact.inputs == input_hashes([popularity])


def test_groups_hold_those_who_stated_them_and_agreed_and_nobody_else(
    population: Population, outcome: Outcome, tmp_path: Path
) -> None:
    artefact = outcome.training.releases[TaskName.FAIRNESS].artefact
    assert isinstance(artefact, FairnessArtefact)
    stated = [name for name in population.groups if outcome.choices[name].states]
    assert len(stated) < sum(choice.trains for choice in outcome.choices.values())
    values: dict[str, list[float]] = {}
    for name in stated:
        value = ndcg_of(population, outcome, name)
        if value is not None:
            values.setdefault(population.groups[name]["age"], []).append(value)
    sizes = Counter({group: len(each) for group, each in values.items()})
    found = artefact.attributes["age"]
    assert set(found.groups) == {group for group, size in sizes.items() if size >= 20}
    assert found.groups
    for group, finding in found.groups.items():
        mean = sum(values[group]) / sizes[group]
        assert finding.figures["shoppers"].value == pytest.approx(sizes[group], abs=0.05)
        assert finding.figures["ndcg"].value == pytest.approx(mean, abs=3e-3)
    assert "Does the recommender" in page.write(artefact, None, tmp_path).read_text()
