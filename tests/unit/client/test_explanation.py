"""Explanations are true: parts recomputed, counterfactuals replayed, nobody else in them."""

import math
from dataclasses import replace
from functools import reduce
from inspect import signature
from itertools import combinations
from typing import Any, get_type_hints

import numpy as np
import pytest

from client.contributions.history import FloatArray, History
from client.recommender.explanation.counterfactual import (
    MOST,
    RANKINGS,
    TRIED,
    Reranking,
    Scorer,
)
from client.recommender.explanation.explain import WORDINGS, Explanation, explain
from client.recommender.moment import Moment
from client.recommender.recommend import Part, PartKind, Recommendation, rank
from client.recommender.scores import Model
from consent.admit import ConsentedEvents, admit
from consent.events import Events
from consent.notice import Language
from consent.purpose import Category, Purpose
from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import SENSITIVE, Catalogue
from consent.tasks.item_item import ItemItemArtefact
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact
from consent.tasks.ranker import Feature, RankerArtefact
from crypto.errors import ConsentError
from tests.unit.client import plain_scores
from tests.unit.client.plain_scores import Basket, Shopper, World

ITEMS = 16
NAMES = tuple(f"item {k}" for k in range(ITEMS))
KINDS = ("dairy", "bread", "fruit", "")
GRANTED = frozenset({Category.PURCHASES, Category.TIME_CONTEXT})
WEIGHED = {
    Feature.BASE: 2.0,
    Feature.BOUGHT: 0.7,
    Feature.SEASON_NEW: -0.3,
    Feature.LIFT_NEW: 0.4,
    Feature.LIFT_LATELY: 0.3,
    Feature.CATEGORY: 0.25,
    Feature.CONTENT: 0.9,
    Feature.DUE: 1.1,
    Feature.LATE: -0.6,
    Feature.WEEKDAY: 0.5,
    Feature.DAYPART: 0.35,
    Feature.SEASON: -0.2,
}


def made_world(seed: int, *, ranker: bool) -> World:
    rng = np.random.default_rng(seed)
    listed = tuple(sorted(rng.choice(ITEMS, 10, replace=False).tolist()))
    matrix = rng.normal(0, 0.2, (10, 10))
    matrix = matrix + matrix.T
    np.fill_diagonal(matrix, 0.0)
    mean = rng.normal(size=10)
    return World(
        categories=tuple(KINDS[k % len(KINDS)] for k in range(ITEMS)),
        overall=rng.uniform(0, 1, ITEMS).tolist(),
        lately=rng.uniform(0, 1, ITEMS).tolist(),
        listed=listed,
        matrix=matrix.tolist(),
        pair_weights=rng.uniform(0.5, 2, 10).tolist(),
        mean=(mean / np.linalg.norm(mean)).tolist(),
        ranker={str(name): weight for name, weight in WEIGHED.items()} if ranker else None,
    )


def made_shopper(seed: int) -> Shopper:
    rng = np.random.default_rng(1_000 + seed)
    time, baskets = 1_700_000_000, []
    liked = rng.dirichlet(np.full(ITEMS, 0.4)) * 0.98 + 0.02 / ITEMS
    for _ in range(int(rng.integers(1, 25))):
        time += int(rng.integers(1, 20 * 86_400))
        size = int(rng.integers(1, 6))
        chosen = rng.choice(ITEMS, size, replace=False, p=liked / liked.sum())
        baskets.append(Basket(time, tuple(chosen.tolist())))
    return Shopper(tuple(baskets), time + int(rng.integers(0, 40 * 86_400)))


def catalogue_of(world: World, **more: Any) -> Catalogue:
    return Catalogue(
        name="shop",
        level="item",
        items=NAMES,
        categories=world.categories,
        departments=("",) * ITEMS,
        products={},
        **more,
    )


def model_of(world: World, catalogue: Catalogue) -> Model:
    artefacts: list[Artefact] = [
        PopularityArtefact(task=task, catalogue=catalogue.hash, scores=np.array(scores))
        for task, scores in (
            (TaskName.POPULARITY, world.overall),
            (TaskName.RECENT_POPULARITY, world.lately),
        )
    ]
    artefacts.append(
        ItemItemArtefact(
            catalogue=catalogue.hash,
            indices=np.array(world.listed, dtype=np.int64),
            matrix=np.array(world.matrix),
            weights=np.array(world.pair_weights),
            mean=np.array(world.mean),
            directions=3,
        )
    )
    if world.ranker is not None:
        artefacts.append(
            RankerArtefact(
                catalogue=catalogue.hash,
                features=tuple(WEIGHED),
                weights=np.array(list(WEIGHED.values())),
            )
        )
    return Model.of(catalogue, artefacts)


def events_of(shopper: Shopper, catalogue: Catalogue) -> ConsentedEvents:
    lines = [(b.time, f"b{n}", NAMES[i]) for n, b in enumerate(shopper.baskets) for i in b.items]

    def texts(values: list[str]) -> Any:
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column

    events = Events(
        shopper=texts(["ann"] * len(lines)),
        time=np.array([line[0] for line in lines], dtype=np.int64),
        basket=texts([line[1] for line in lines]),
        item=texts([line[2] for line in lines]),
        quantity=np.ones(len(lines)),
        price=np.full(len(lines), np.nan),
        store=texts([""] * len(lines)),
    )
    return admit(
        events,
        purpose=Purpose.PERSONALISE,
        categories=GRANTED,
        sensitive_items=catalogue.sensitive_products,
    )


def listed(
    world: World, shopper: Shopper, *, count: int = ITEMS, catalogue: Catalogue | None = None
) -> tuple[Recommendation, ...]:
    catalogue = catalogue or catalogue_of(world)
    moment = Moment.granted(GRANTED, time=shopper.now)
    history = History.of(events_of(shopper, catalogue), catalogue)
    return rank(model_of(world, catalogue), history, count=count, moment=moment)


@pytest.mark.parametrize("ranker", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_every_part_is_what_her_own_baskets_say(seed: int, ranker: bool) -> None:
    world, shopper = made_world(seed % 7, ranker=ranker), made_shopper(seed)
    expected = plain_scores.parts(world, shopper)
    found = listed(world, shopper)
    assert found
    for each in found:
        known = [(kind, values[each.item]) for kind, values in expected if values[each.item]]
        told = explain(each, catalogue_of(world)).reasons
        assert sorted(r.kind for r in told) == sorted(kind for kind, _ in known)
        for kind in {kind for kind, _ in known}:
            mine = [value for name, value in known if name == kind]
            theirs = [reason.value for reason in told if reason.kind == kind]
            assert theirs == pytest.approx(mine, rel=1e-9, abs=1e-12)
        assert math.fsum(r.share for r in told) == pytest.approx(1)


@pytest.mark.parametrize("ranker", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_reasons_add_up_to_the_score_to_the_last_bit(seed: int, ranker: bool) -> None:
    world = made_world(seed % 7, ranker=ranker)
    for each in listed(world, made_shopper(seed)):
        told = explain(each, catalogue_of(world), Language.ZH)
        assert reduce(lambda total, r: total + r.value, told.reasons, 0.0) == each.score
        assert told.score == each.score


@pytest.mark.parametrize("seed", range(12))
def test_evidence_is_what_her_baskets_hold(seed: int) -> None:
    world, shopper = made_world(seed % 7, ranker=True), made_shopper(seed)
    window = list(reversed(shopper.baskets))[:12]
    for each in listed(world, shopper):
        found = {part.kind: part.evidence for part in each.parts}
        count = shopper.count(each.item)
        if PartKind.HABIT in found:
            times = sum(each.item in basket.items for basket in window)
            assert found[PartKind.HABIT] == (times, len(window))
        if PartKind.RHYTHM in found:
            days = [b.time / 86_400 for b in shopper.baskets if each.item in b.items]
            gap = (days[-1] - days[0]) / (len(days) - 1)
            since = max(shopper.now, shopper.baskets[-1].time) / 86_400 - days[-1]
            assert found[PartKind.RHYTHM] == (round(gap), round(since))
        for kind in (PartKind.PAIRED, PartKind.CONTENT):
            assert all(shopper.count(own) for own in found.get(kind, ()))
        assert (PartKind.HABIT in found) == (count > 0)


def reranking(world: World, shopper: Shopper, count: int) -> Reranking:
    catalogue = catalogue_of(world)
    model, moment = model_of(world, catalogue), Moment.granted(GRANTED, time=shopper.now)
    return Reranking(
        events=events_of(shopper, catalogue),
        catalogue=catalogue,
        score=lambda history: model.scores(history, moment).total,
        count=count,
    )


def replayed(world: World, shopper: Shopper, removed: tuple[int, ...], count: int) -> list[int]:
    """The list of a shopper who never bought some items."""
    kept = [
        Basket(basket.time, left)
        for basket in shopper.baskets
        if (left := tuple(item for item in basket.items if item not in removed))
    ]
    if not kept:
        catalogue = catalogue_of(world)
        nothing = History(items=ITEMS, basket=np.zeros(0, np.int64), item=np.zeros(0, np.int64))
        return [r.item for r in rank(model_of(world, catalogue), nothing, count=count)]
    return [r.item for r in listed(world, Shopper(tuple(kept), shopper.now), count=count)]


@pytest.mark.parametrize("ranker", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_a_counterfactual_is_what_really_happens(seed: int, ranker: bool) -> None:
    world, shopper, count = made_world(seed % 7, ranker=ranker), made_shopper(seed), 6
    maker = reranking(world, shopper, count)
    for each in listed(world, shopper, count=count):
        found = maker.counterfactual(each)
        assert len(found.removed) <= MOST
        assert all(shopper.count(own) for own in found.removed)
        order = replayed(world, shopper, found.removed, ITEMS)
        assert found.place == (order.index(each.item) + 1 if each.item in order else None)
        assert found.listed == (each.item in order[:count])
        if not found.listed:  # none of them is there without need
            for fewer in subsets(found.removed):
                assert each.item in replayed(world, shopper, fewer, count)
        elif found.removed:
            assert found.now is not None
            assert found.place is not None
            assert found.place > found.now


def subsets(removed: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [some for size in range(len(removed)) for some in combinations(removed, size)]


@pytest.mark.parametrize("count", [2, ITEMS])
def test_the_most_rankings_are_few_and_each_is_made_once(count: int) -> None:
    for seed in range(8):
        world, shopper = made_world(seed % 7, ranker=True), made_shopper(seed)
        maker, made = reranking(world, shopper, count), list[int]()

        def counted(history: History, score: Scorer = maker.score) -> FloatArray:
            made.append(history.baskets)  # noqa: B023 - called before the next seed
            return score(history)

        counting = replace(maker, score=counted)
        found = listed(world, shopper, count=count)
        for each in found:
            before = len(made)
            told = counting.counterfactual(each)
            assert len(made) - before <= RANKINGS == 17
            between = len(made)
            assert counting.counterfactual(each) == told == maker.counterfactual(each)
            assert len(made) == between  # kept
        assert len(made) <= 1 + len(found) * (RANKINGS - 1)
        assert TRIED == 12


def test_what_she_bought_herself_is_the_first_thing_to_go() -> None:
    world, shopper = made_world(1, ranker=False), made_shopper(3)
    maker = reranking(world, shopper, 6)
    bought = [each for each in listed(world, shopper, count=6) if shopper.count(each.item)]
    assert bought
    for each in bought:
        assert maker.counterfactual(each).removed in ((each.item,), ())


def test_beyond_the_list_its_place_is_told() -> None:
    world, shopper = made_world(2, ranker=False), made_shopper(5)
    last = listed(world, shopper)[-1]
    found = reranking(world, shopper, 3).counterfactual(last)
    assert (found.removed, found.listed) == ((), False)
    assert "not on your list" in found.sentence(catalogue_of(world))


def test_what_is_not_recommended_is_not_said_to_stay() -> None:
    world, shopper = made_world(2, ranker=False), made_shopper(5)
    catalogue = catalogue_of(world)
    maker = replace(reranking(world, shopper, 3), score=lambda history: -np.ones(history.items))
    found = maker.counterfactual(Recommendation(4, -1.0, (Part(PartKind.POPULAR, -1.0, (1,)),)))
    assert (found.now, found.removed, found.listed) == (None, (), False)
    assert found.sentence(catalogue).startswith("It is not on your list: more speaks against it")
    assert "不利于它的因素" in found.sentence(catalogue, Language.ZH)


def test_nothing_but_her_own_and_public_things_can_enter() -> None:
    """By type: no argument of either could carry another shopper's events."""
    assert get_type_hints(explain)["recommendation"] is Recommendation
    assert set(signature(explain).parameters) == {"recommendation", "catalogue", "language"}
    assert set(Reranking.__dataclass_fields__) == {"events", "catalogue", "score", "count"}
    hers = events_of(made_shopper(0), catalogue_of(made_world(0, ranker=False))).events
    both = hers.shopper.copy()
    both[0] = "bea"
    mixed = replace(hers, shopper=both)
    with pytest.raises(ConsentError, match="several shoppers"):
        admit(mixed, purpose=Purpose.PERSONALISE, categories=GRANTED, sensitive_items=frozenset())


def test_sensitive_items_are_named_in_no_sentence() -> None:
    world = made_world(3, ranker=False)
    marks: tuple[tuple[str, ...], ...] = tuple(("yes",) if k < 4 else () for k in range(ITEMS))
    catalogue = catalogue_of(world, attributes={SENSITIVE: marks})
    for item, evidence in ((9, (1, 2)), (2, (9, 10))):
        parts = (
            Part(PartKind.PAIRED, 1.0, evidence),
            Part(PartKind.CONTENT, 1.0, evidence),
            Part(PartKind.LIKED, 1.0, (2,)),
        )
        for language in Language:
            told = explain(Recommendation(item, 3.0, parts), catalogue, language)
            text = " ".join([told.headline, *(reason.sentence for reason in told.reasons)])
            assert not any(f"item {k}" in text.split("item 1")[0] for k in range(4))
            assert "item 1 " not in text
            assert "item 2" not in text
            if item == 2:
                assert world.categories[2] not in text
                assert "item 9" not in text


EVIDENCE: dict[PartKind, tuple[tuple[int, ...], ...]] = {
    PartKind.HABIT: ((0, 12), (1, 1), (5, 12)),
    PartKind.POPULAR: ((3,),),
    PartKind.PAIRED: ((), (1,), (1, 2)),
    PartKind.LIKED: ((0,), (4,)),
    PartKind.RHYTHM: ((), (9, 11), (1, 0), (0, 1)),
    PartKind.CONTENT: ((), (5,), (5, 6)),
    PartKind.CONTEXT: tuple((code, times) for code in range(17) for times in (0, 4)),
}


def every_sentence(language: Language) -> list[str]:
    catalogue = catalogue_of(made_world(0, ranker=False))
    found = []
    for kind in PartKind:
        for evidence in EVIDENCE[kind]:
            for value in (1.0, -1.0):
                parts = (Part(kind, value, evidence), Part(PartKind.POPULAR, 5.0, (1,)))
                told = explain(Recommendation(0, value + 5.0, parts), catalogue, language)
                found += [told.headline, *(reason.sentence for reason in told.reasons)]
    return found


def test_every_kind_has_words_in_both_languages() -> None:
    english, chinese = every_sentence(Language.EN), every_sentence(Language.ZH)
    assert all(text.endswith(".") and text[0].isupper() for text in english)
    assert all(text.endswith("。") for text in chinese)
    assert not set(english) & set(chinese)
    assert len(WORDINGS) == len(Language)


@pytest.mark.parametrize(
    ("kind", "evidence", "english", "chinese"),
    [
        (
            PartKind.RHYTHM,
            (9, 11),
            "You buy it about every 9 days, last 11 days ago.",
            "您大约每 9 天买一次，上次购买是 11 天前。",
        ),
        (
            PartKind.HABIT,
            (5, 12),
            "You bought it in 5 of your last 12 baskets.",
            "您最近 12 次购物中有 5 次买了它。",
        ),
        (
            PartKind.PAIRED,
            (1, 2),
            "It is often bought by people who buy item 1 and item 2, as you do.",
            "和您一样购买“item 1”和“item 2”的顾客常买它。",
        ),
        (
            PartKind.CONTENT,
            (5,),
            "It resembles item 5, which you buy.",
            "它与您购买的“item 5”相似。",
        ),
        (
            PartKind.CONTEXT,
            (5, 4),
            "You often buy it on Saturdays (4 so far).",
            "您常周六买它（已有 4 次）。",
        ),
        (
            PartKind.LIKED,
            (3,),
            "It is new to you in a category you like (dairy).",
            "它属于您喜欢的类别（dairy），而您还没买过。",
        ),
        (
            PartKind.CONTEXT,
            (16, 0),  # under a weight below 0
            "You never bought it in this store so far, which counts for it here.",
            "您还从未在这家门店买过它，在这里反而对它有利。",
        ),
    ],
)
def test_sentences_say_their_evidence(
    kind: PartKind, evidence: tuple[int, ...], english: str, chinese: str
) -> None:
    catalogue = catalogue_of(made_world(0, ranker=False))
    made = Recommendation(0, 1.0, (Part(kind, 1.0, evidence),))
    assert told(explain(made, catalogue)) == english
    assert told(explain(made, catalogue, Language.ZH)) == chinese


def told(explanation: Explanation) -> str:
    return explanation.reasons[0].sentence
