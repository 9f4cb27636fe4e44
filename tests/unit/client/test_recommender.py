"""The recommender adds up to the last bit, explains itself, and works with whatever there is."""

import math
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.contributions.history import History
from client.recommender.explanation.explain import reason
from client.recommender.features import Knowledge
from client.recommender.moment import UNKNOWN, Moment
from client.recommender.recommend import PartKind, Recommendation, rank, recommend
from client.recommender.scores import Model, Source
from client.recommender.settings import Settings
from consent.purpose import Purpose
from consent.tasks.artefact import decode_artefact
from consent.tasks.artefact import encode_artefact as encode
from consent.tasks.catalogue import Catalogue
from consent.tasks.item_item import ItemItemArtefact
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact
from consent.tasks.ranker import Feature, RankerArtefact
from crypto.errors import ConsentError, InvalidInputError, WireError
from tests.unit.client.test_contributions import baskets, granted

ITEMS = 6
CATALOGUE = Catalogue(
    name="shelf",
    level="item",
    items=tuple("abcdef"),
    categories=("dairy", "dairy", "dairy", "bread", "bread", ""),
    departments=("food",) * ITEMS,
    products={},
)
MATRIX = np.zeros((4, 4))
MATRIX[0, 2] = MATRIX[2, 0] = 0.5  # a goes with c
MATRIX[1, 3] = MATRIX[3, 1] = -0.2  # b keeps from d


def popularity(
    *scores: float, task: TaskName = TaskName.POPULARITY, catalogue: str = CATALOGUE.hash
) -> PopularityArtefact:
    return PopularityArtefact(task=task, catalogue=catalogue, scores=np.array(scores))


OVERALL = popularity(0.2, 0.4, 0.6, 0.8, 1.0, 0.1)
RECENT = popularity(1.0, 0.5, 0.1, 0.3, 0.2, 0.7, task=TaskName.RECENT_POPULARITY)
PAIRS = ItemItemArtefact(
    catalogue=CATALOGUE.hash,
    indices=np.arange(4),
    matrix=MATRIX,
    weights=np.ones(4),
    mean=np.zeros(4),
    directions=2,
)
FULL = Model.of(CATALOGUE, [PAIRS, RECENT, OVERALL])


def history(*contents: str | list[str]) -> History:
    return History.of(granted(*contents, purpose=Purpose.PERSONALISE), CATALOGUE)


def by_item(recommendations: tuple[Recommendation, ...]) -> dict[str, Recommendation]:
    return {CATALOGUE.items[r.item]: r for r in recommendations}


@settings(deadline=None)
@given(contents=baskets)
def test_parts_sum_to_the_score_to_the_last_bit(contents: list[list[str]]) -> None:
    for recommendation in rank(FULL, history(*contents), count=ITEMS):
        values = [part.value for part in recommendation.parts]
        assert reduce(lambda total, value: total + value, values, 0.0) == recommendation.score
        assert math.isfinite(recommendation.score)
        assert reason(recommendation, CATALOGUE).endswith(".")


@settings(deadline=None)
@given(
    contents=baskets,
    weights=st.lists(st.floats(-3, 3), min_size=len(Feature), max_size=len(Feature)),
    known=st.booleans(),
)
def test_with_a_ranker_too_parts_sum_to_the_score_to_the_last_bit(
    contents: list[list[str]], weights: list[float], known: bool
) -> None:
    ranker = RankerArtefact(
        catalogue=CATALOGUE.hash, features=tuple(Feature), weights=np.array(weights)
    )
    model = Model.of(CATALOGUE, [PAIRS, RECENT, OVERALL, ranker])
    moment = Moment(time=1_000_000) if known else UNKNOWN
    scores = model.scores(history(*contents), moment)
    assert np.isfinite(scores.total).all()
    for recommendation in rank(model, history(*contents), count=ITEMS, moment=moment):
        values = [part.value for part in recommendation.parts]
        assert reduce(lambda total, value: total + value, values, 0.0) == recommendation.score
        assert recommendation.score == scores.total[recommendation.item]


def test_a_score_is_the_weighted_sum_of_its_features() -> None:
    features = tuple(Feature)
    weights = np.linspace(2.0, -0.5, len(features))
    ranker = RankerArtefact(catalogue=CATALOGUE.hash, features=features, weights=weights)
    model = Model.of(CATALOGUE, [PAIRS, RECENT, OVERALL, ranker])
    mine = history("ab", "a", "cd", "a")
    table = Knowledge(shared=model, history=mine, moment=UNKNOWN).table(features)
    assert model.scores(mine).total == pytest.approx(table @ weights)


def test_a_ranker_of_the_base_alone_keeps_the_order_of_the_closed_form() -> None:
    ranker = RankerArtefact(
        catalogue=CATALOGUE.hash, features=(Feature.BASE,), weights=np.array([2.0])
    )
    ranked = Model.of(CATALOGUE, [PAIRS, RECENT, OVERALL, ranker])
    mine = history("ab", "bc", "f")
    order = [[r.item for r in rank(model, mine, count=ITEMS)] for model in (FULL, ranked)]
    assert order[0] == order[1]


@given(contents=baskets)
def test_a_list_is_in_order_and_names_no_item_twice(contents: list[list[str]]) -> None:
    ranked = rank(FULL, history(*contents), count=4)
    assert len({r.item for r in ranked}) == len(ranked) <= 4
    order = [(-r.score, r.item) for r in ranked]
    assert order == sorted(order)


def test_the_closed_form_written_out() -> None:
    # Baskets of 2 and 1 items; a is in both, b in the older one.
    total = FULL.scores(history("ab", "a")).total
    assert total[0] == pytest.approx(0.95 * 5**0.3 + 10**0.3 + 3 * 1.0)
    assert total[1] == pytest.approx(0.95 * 5**0.3 + 3 * 0.5)
    z = np.array([math.sqrt(2), 1.0]) / math.sqrt(3)
    shelf = OVERALL.scores / OVERALL.scores.sum()
    dairy = (2 + 3) / (2 * shelf[:3].sum() + 3)
    bread = (0 + 3) / (2 * shelf[3:5].sum() + 3)
    paired = math.exp(0.6 * math.asinh(30 * 0.5 * z[0]))
    kept_from = math.exp(0.6 * math.asinh(30 * -0.2 * z[1]))
    assert total[2] == pytest.approx(3 * 0.6 * paired * dairy**0.2)
    assert total[3] == pytest.approx(3 * 0.8 * kept_from * bread**0.2)
    assert total[5] == pytest.approx(3 * 0.1)  # unlisted, no category


def test_lift_and_affinity_leave_bought_items_alone() -> None:
    scores = FULL.scores(history("ac", "bd"))
    assert not scores.of(Source.PAIRING)[:4].any()
    assert not scores.of(Source.AFFINITY)[:4].any()


def test_an_empty_history_gets_what_is_popular() -> None:
    ranked = rank(FULL, history(), count=3)
    assert [CATALOGUE.items[r.item] for r in ranked] == ["e", "d", "c"]
    assert all(p.kind is PartKind.POPULAR for r in ranked for p in r.parts)
    assert reason(ranked[0], CATALOGUE) == "It is popular with other shoppers."


def test_without_artefacts_only_what_was_bought_is_recommended() -> None:
    ranked = rank(Model(catalogue=CATALOGUE), history("ab", "b", "b"))
    assert [CATALOGUE.items[r.item] for r in ranked] == ["b", "a"]
    assert rank(Model(catalogue=CATALOGUE), history()) == ()


@pytest.mark.parametrize("given_one", [OVERALL, RECENT])
def test_one_popularity_stands_in_for_the_other(given_one: PopularityArtefact) -> None:
    crowd = Model.of(CATALOGUE, [given_one]).scores(history("ab")).of(Source.POPULARITY)
    assert crowd == pytest.approx(3 * given_one.scores)


def test_a_popularity_that_is_all_noise_changes_nothing() -> None:
    flat = Model.of(CATALOGUE, [popularity(*[0.0] * ITEMS)])
    assert flat.scores(history("ab")).total == pytest.approx(
        Model(catalogue=CATALOGUE).scores(history("ab")).total
    )


def test_each_reason_states_the_evidence() -> None:
    found = by_item(rank(FULL, history("abf", "a", "a"), count=ITEMS))
    assert reason(found["a"], CATALOGUE).startswith("You bought it in 3 of your last 3 baskets")
    assert "people who buy a, as you do" in reason(found["c"], CATALOGUE)
    paired = next(p for p in found["c"].parts if p.kind is PartKind.PAIRED)
    assert paired.evidence == (0,)
    popular = next(p for p in found["e"].parts if p.kind is PartKind.POPULAR)
    assert popular.evidence == (1,)
    liked = next(p for p in found["c"].parts if p.kind is PartKind.LIKED)
    assert liked.evidence == (2,)


def test_a_reason_can_name_a_liked_category() -> None:
    model = Model.of(CATALOGUE, [OVERALL], Settings(affinity=5.0, affinity_prior=0.1))
    found = by_item(rank(model, history("ab"), count=ITEMS))
    assert "new to you in a category you like (dairy)" in reason(found["c"], CATALOGUE)


def test_a_window_forgets_and_says_so() -> None:
    found = by_item(rank(Model(catalogue=CATALOGUE), history("b", *["a"] * 12)))
    assert reason(found["b"], CATALOGUE) == "You used to buy it."
    assert reason(found["a"], CATALOGUE) == "You bought it in 12 of your last 12 baskets."


def test_excluded_items_make_room() -> None:
    assert [r.item for r in rank(FULL, history(), count=2, exclude={4})] == [3, 2]


def test_recommending_needs_its_own_grant() -> None:
    with pytest.raises(ConsentError, match="personalise-on-device"):
        recommend(FULL, granted("a", purpose=Purpose.TRAIN))
    assert recommend(FULL, granted("a", purpose=Purpose.PERSONALISE)) == rank(FULL, history("a"))


@pytest.mark.parametrize(
    "artefact",
    [
        popularity(1.0, 0.5, catalogue="other"),
        popularity(1.0, 0.5),
        ItemItemArtefact(
            catalogue=CATALOGUE.hash,
            indices=np.array([0, ITEMS]),
            matrix=np.zeros((2, 2)),
            weights=np.ones(2),
            mean=np.zeros(2),
            directions=0,
        ),
    ],
)
def test_artefacts_over_another_list_are_refused(
    artefact: PopularityArtefact | ItemItemArtefact,
) -> None:
    with pytest.raises(InvalidInputError):
        Model.of(CATALOGUE, [artefact])


@pytest.mark.parametrize("setting", [{"decay": 0.0}, {"popularity": -1.0}, {"window": 0}])
def test_settings_out_of_bounds_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(setting))):
        Settings(**setting)  # type: ignore[arg-type]


def test_an_artefact_that_travelled_scores_alike() -> None:
    there = [decode_artefact(encode(artefact)) for artefact in (OVERALL, RECENT, PAIRS)]
    scores = Model.of(CATALOGUE, there).scores(history("ab", "a"))
    assert scores.total == pytest.approx(FULL.scores(history("ab", "a")).total, rel=1e-6)


def test_an_item_item_artefact_with_odd_indices_does_not_parse() -> None:
    with pytest.raises(WireError, match="indices"):
        decode_artefact(encode(PAIRS).replace(b'"indices":[0,', b'"indices":[-1,'))
