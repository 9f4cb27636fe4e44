"""Factors on the device: they stand in for item-item, and say what a shopper's own place says."""

import numpy as np
import pytest

from client.contributions.factors import fitted
from client.contributions.history import History
from client.recommender.pairs import lift
from client.recommender.recommend import PartKind, recommend
from client.recommender.scores import Model
from client.recommender.tastes import pairs_of
from consent.purpose import Purpose
from consent.tasks.factors import FactorsArtefact
from tests.unit.client.test_contributions import granted
from tests.unit.client.test_recommender import CATALOGUE, ITEMS, OVERALL, PAIRS, RECENT

PLACES = 0.6 * np.random.default_rng(3).normal(size=(ITEMS, 2))
PLACES[2] = 0.9 * PLACES[0]
FACTORS = FactorsArtefact(
    catalogue=CATALOGUE.hash,
    indices=np.arange(ITEMS),
    factors=PLACES,
    weights=np.ones(ITEMS),
    mean=np.zeros(ITEMS),
    ridge=0.3,
    unseen=1.0,
)


def test_new_items_have_the_score_of_her_own_place_over_what_it_leaves_of_them() -> None:
    hers = History.of(granted("ab", "a"), CATALOGUE)
    place = fitted(FACTORS, hers, PLACES).place
    got = lift(Model.of(CATALOGUE, [OVERALL, FACTORS]), hers)
    for item in range(2, ITEMS):
        alone = PLACES[item] @ np.linalg.solve(PLACES.T @ PLACES + 0.3 * np.eye(2), PLACES[item])
        assert got[item] == pytest.approx(PLACES[item] @ place / (1.0 - alone))


def test_they_stand_in_for_pairs_and_never_beside_them() -> None:
    both = Model.of(CATALOGUE, [FACTORS, OVERALL, PAIRS])
    assert both.item_item is PAIRS
    alone = Model.of(CATALOGUE, [FACTORS, RECENT, OVERALL])
    assert alone.item_item is not None
    assert alone.item_item.matrix.tolist() == pairs_of(FACTORS).matrix.tolist()
    assert not np.diag(alone.item_item.matrix).any()


def test_what_they_recommend_says_why_from_her_own_items() -> None:
    model = Model.of(CATALOGUE, [FACTORS, OVERALL])
    found = {
        each.item: each
        for each in recommend(model, granted("a", "a", purpose=Purpose.PERSONALISE), count=ITEMS)
    }
    paired = [part for part in found[2].parts if part.kind is PartKind.PAIRED]
    assert [part.evidence for part in paired] == [(0,)]
    assert sum(part.value for part in found[2].parts) == pytest.approx(found[2].score)


def test_tastes_that_noise_hides_say_nothing() -> None:
    hidden = FactorsArtefact(**{**vars(FACTORS), "factors": np.zeros((ITEMS, 2))})
    assert pairs_of(hidden).directions == 0
    hers = History.of(granted("ab"), CATALOGUE)
    assert not lift(Model.of(CATALOGUE, [OVERALL, hidden]), hers).any()
