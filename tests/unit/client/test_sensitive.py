"""Sensitive product classes: kept back at every door without a grant; with one, the control."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from client.contributions.history import History
from client.contributions.registry import CONTRIBUTIONS, contribute
from client.participate import contribute as join
from client.recommender.discovery import DEFAULT_ZONE, discover
from client.recommender.openness import Breadth
from client.recommender.recommend import recommend
from client.recommender.scores import Model
from consent.admit import admit
from consent.purpose import Category, Cell, Decision, Purpose
from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import SENSITIVE, Catalogue
from consent.tasks.evaluation import EvaluationTask
from consent.tasks.factors import FactorsTask
from consent.tasks.fairness import FairnessTask
from consent.tasks.groups import DEFAULT_SCHEMA
from consent.tasks.item_item import ItemItemTask
from consent.tasks.names import REQUIRED_CATEGORIES, REQUIRED_PURPOSE, TaskName
from consent.tasks.popularity import PopularityArtefact, PopularityTask, RecentPopularityTask
from consent.tasks.ranker import Feature, RankerArtefact, RankerTask
from consent.tasks.sensitive import classes_of, with_flags, without_flags
from consent.tasks.task import Task
from tests.unit.client import stage as staging
from tests.unit.client.stage import CATALOGUE, invite, make_client, opened, quiet_manifest
from tests.unit.client.test_contributions import events
from tests.unit.consent.harness import NOTICE, Stage

PLAIN = Catalogue(
    name="shelf",
    level="item",
    items=tuple("abcdef"),
    categories=("x", "x", "x", "y", "y", "y"),
    departments=("",) * 6,
    products={},
)
FLAGS = ((), (), ("medicine",), ("no",), (), ("alcohol",))
FLAGGED = replace(PLAIN, attributes={SENSITIVE: FLAGS})
HIDDEN = [2, 5]
POPULARITY = PopularityArtefact(
    task=TaskName.POPULARITY, catalogue=FLAGGED.hash, scores=np.linspace(0.5, 1.0, 6)
)
RELEASED: Mapping[TaskName, Artefact] = {TaskName.POPULARITY: POPULARITY}
EVEN = (1.0,) * 6
TASKS: dict[TaskName, Task] = {
    TaskName.POPULARITY: PopularityTask(items=6),
    TaskName.RECENT_POPULARITY: RecentPopularityTask(items=6, baskets=2),
    TaskName.ITEM_ITEM: ItemItemTask(indices=tuple(range(6)), weights=EVEN, mean=(0.0,) * 6),
    TaskName.FACTORS: FactorsTask(
        indices=tuple(range(6)),
        weights=EVEN,
        mean=(0.0,) * 6,
        places=tuple(np.linspace(-1.0, 1.0, 12).tolist()),
        width=2,
        ridge=0.1,
        unseen=0.5,
        length=0.05,
    ),
    TaskName.RANKER: RankerTask(
        features=(Feature.BASE, Feature.LAST_BASKET), weights=(1.0, 0.5), candidates=6, baskets=1
    ),
    TaskName.EVALUATION: EvaluationTask(items=6, least_baskets=2, sketch=6),
    TaskName.FAIRNESS: FairnessTask(items=6, schema=DEFAULT_SCHEMA, least_baskets=2),
}
WITH = ("abc", "acf", "abcf")
WITHOUT = ("ab", "a", "ab")


def contribution(task: Task, contents: tuple[str, ...], *, granted: bool) -> np.ndarray:
    """Through the registry, from events that no earlier door has reduced."""
    categories = REQUIRED_CATEGORIES[task.name] | ({Category.SENSITIVE} if granted else set())
    consented = admit(
        events(*contents),
        purpose=REQUIRED_PURPOSE[task.name],
        categories=categories,
        sensitive_items=frozenset(),
    )
    return contribute(
        task, consented, FLAGGED, artefacts=RELEASED, groups={"age": "35-44", "income": "top-fifth"}
    )


def test_every_task_is_tried_here() -> None:
    """A new task needs a line in ``TASKS``, or nobody would know that it keeps them back."""
    assert set(TASKS) == set(CONTRIBUTIONS)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_no_task_sees_them_without_a_grant_and_with_one_it_does(name: TaskName) -> None:
    task = TASKS[name]
    seen = contribution(task, WITH, granted=False)
    assert seen.any()
    assert seen.tolist() == contribution(task, WITHOUT, granted=False).tolist()
    assert seen.tolist() != contribution(task, WITH, granted=True).tolist()


def test_the_gateways_own_door_takes_the_lines_away() -> None:
    for categories, items in (
        ({Category.PURCHASES}, set("ab")),
        ({Category.PURCHASES, Category.SENSITIVE}, set("abcf")),
    ):
        kept = admit(
            events(*WITH),
            purpose=Purpose.TRAIN,
            categories=categories,
            sensitive_items=FLAGGED.sensitive_products,
        )
        assert set(kept.events.item) == items


RANKER = RankerArtefact(
    catalogue=FLAGGED.hash,
    features=(Feature.BASE, Feature.LAST_BASKET),
    weights=np.array([1.0, 0.5]),
)


@pytest.mark.parametrize("granted", [False, True])
@pytest.mark.parametrize("artefacts", [[POPULARITY], [POPULARITY, RANKER]], ids=["plain", "ranked"])
def test_they_are_recommended_only_with_a_grant(granted: bool, artefacts: list[Artefact]) -> None:
    """She buys nothing else, the crowd likes them best, and the list is as long as the shelf."""
    consented = admit(
        events(*WITH),
        purpose=Purpose.PERSONALISE,
        categories={Category.PURCHASES} | ({Category.SENSITIVE} if granted else set()),
        sensitive_items=frozenset(),
    )
    model = Model.of(FLAGGED, artefacts)
    listed = {each.item for each in recommend(model, consented, count=6)}
    assert set(HIDDEN) <= listed if granted else not listed & set(HIDDEN)
    scores = model.scores(History.of(consented, FLAGGED)).total
    assert bool(scores[HIDDEN].any()) is granted
    for each in recommend(model, consented, count=6):
        for part in each.parts:
            if part.kind == "paired":
                assert granted or not set(part.evidence) & set(HIDDEN)


@pytest.mark.parametrize("granted", [False, True])
def test_the_discovery_zone_holds_them_only_with_a_grant(granted: bool) -> None:
    """She is new to both; many draws of a zone as wide as the shelf."""
    consented = admit(
        events("ab", "ab", "ab"),
        purpose=Purpose.PERSONALISE,
        categories={Category.PURCHASES} | ({Category.SENSITIVE} if granted else set()),
        sensitive_items=frozenset(),
    )
    history, model = History.of(consented, FLAGGED), Model.of(FLAGGED, [POPULARITY])
    wide = replace(DEFAULT_ZONE, mean=50.0)
    seen = set()
    for seed in range(20):
        zone = discover(
            model,
            history,
            breadth=Breadth.MUCH_MORE,
            zone=wide,
            rng=np.random.default_rng(seed),
        )
        seen |= {each.recommendation.item for each in zone}
    assert seen
    assert bool(seen & set(HIDDEN)) is granted


def test_a_round_counts_them_only_for_those_who_granted_them_for_training(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both shoppers bought item-00 and a flagged one; a real service, gateway and seal."""
    flags = tuple(
        ("alcohol",) if item in ("item-01", "item-02") else () for item in CATALOGUE.items
    )
    monkeypatch.setattr(staging, "CATALOGUE", replace(CATALOGUE, attributes={SENSITIVE: flags}))
    party = make_client(stage, tmp_path / "client", "ann", "bea", z_floor=0.0, epsilon_cap=None)
    stage.client.decide(
        party.home.shoppers["bea"],
        party.tokens["bea"],
        {Cell(Purpose.TRAIN, Category.SENSITIVE): Decision.GIVEN},
        notice_version=NOTICE,
    )
    stage.client.decide(  # for another purpose, which is no grant for this one
        party.home.shoppers["ann"],
        party.tokens["ann"],
        {Cell(Purpose.PERSONALISE, Category.SENSITIVE): Decision.GIVEN},
        notice_version=NOTICE,
    )
    made = quiet_manifest()
    sent = join(invite(made), party.home, stage.http, clock=stage.clock)
    values = opened(sent.header, sent.sealed, made)
    expected = np.zeros(12)
    expected[0], expected[2] = 1 + 0.5**0.5, 0.5**0.5
    assert np.abs(values - expected).max() < 0.01


def test_a_list_says_what_is_sensitive() -> None:
    assert FLAGGED.sensitive.tolist() == [False, False, True, False, False, True]
    assert FLAGGED.sensitive_products == {"c", "f"}
    assert not PLAIN.sensitive.any()
    assert PLAIN.sensitive_products == frozenset()
    shelved = replace(FLAGGED, products={"1": 0, "2": 2, "3": 2})
    assert shelved.sensitive_products == {"2", "3"}
    assert Catalogue.from_bytes(FLAGGED.to_bytes()).sensitive_products == {"c", "f"}


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("BEERS/ALES", ("alcohol",)),
        ("Imported Wine", ("alcohol",)),
        ("啤酒", ("alcohol",)),
        ("SMOKING CESSATIONS", ("tobacco",)),
        ("Pregnancy test kits", ("pregnancy",)),
        ("FAMILY PLANNING", ("sex life",)),
        ("非处方药品", ("medicine",)),
        ("Cold and flu", ("medicine",)),
        ("ADULT INCONTINENCE", ("illness",)),
        ("Kosher foods", ("religion",)),
        ("ETHNIC PERSONAL CARE", ("ethnic origin",)),
        ("root beer", ()),
        ("Ginger ales", ()),
        ("wine vinegar", ()),
        ("Adult cereal", ()),
        ("Kale", ()),
        ("Swine", ()),
        ("mixers(tonic wtr/gngr ale)", ()),
        ("", ()),
    ],
)
def test_words_find_the_classes_and_nothing_that_only_looks_like_them(
    text: str, classes: tuple[str, ...]
) -> None:
    assert classes_of(text) == classes


def test_flags_come_from_words_and_from_the_retailer_and_can_be_taken_off() -> None:
    shelf = replace(PLAIN, categories=("milk", "wine", "tea", "tea", "tea", "tea"))
    named = replace(shelf, attributes={SENSITIVE: ((), (), (), ("halal",), ("no",), ())})
    found = with_flags(named)
    assert found.attributes[SENSITIVE] == ((), ("alcohol",), (), ("halal",), (), ())
    assert with_flags(found) == found
    assert not without_flags(found).sensitive.any()
    assert SENSITIVE not in with_flags(PLAIN).attributes
