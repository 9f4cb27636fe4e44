"""Lists for when and where the held-out basket was bought, as far as each shopper granted it."""

from dataclasses import replace

import numpy as np
import pytest

from client.recommender.moment import UNKNOWN
from consent.purpose import Category
from consent.tasks.names import TaskName
from consent.tasks.ranker import Feature, RankerArtefact
from crypto.errors import InvalidInputError
from server.artefacts.ranker import CONTEXT as CONTEXT_FEATURES
from simulations.evaluation.dataset import evaluate_population
from simulations.evaluation.evaluate import on_device
from simulations.evaluation.models.features import NAMES
from simulations.evaluation.models.trees import _examples
from simulations.evaluation.options import Options, Protocol
from simulations.evaluation.page import headline
from simulations.evaluation.protocol import CONTEXT, Fold, Stage, split
from simulations.evaluation.release import Noise, release
from simulations.population.population import Population
from simulations.population.synthetic import synthetic

DAY = 86_400


@pytest.fixture(scope="module")
def shop() -> Population:
    """Everybody buys item 0 on even weekdays and item 1 on odd ones, and something else."""
    plain = synthetic(shoppers=40, items=30, stores=2, seed=5)
    events = plain.events
    first, second = plain.catalogue.items[:2]
    even = (events.time // DAY) % 2 == 0
    opening = np.append(True, events.basket[1:] != events.basket[:-1])
    item = events.item.copy()
    item[opening & even], item[opening & ~even] = first, second
    store = np.where(even, "north", "south").astype(object)
    return replace(plain, events=replace(events, item=item, store=store))


def fold_of(shop: Population, stage: Stage = Stage.VALIDATION) -> Fold:
    parts = split(shop)
    return parts.test if stage is Stage.TEST else parts.validation


@pytest.mark.parametrize("stage", list(Stage))
def test_moments_are_those_of_the_held_out_baskets(shop: Population, stage: Stage) -> None:
    fold = fold_of(shop, stage)
    told = fold.in_context(dict.fromkeys(shop.shoppers, CONTEXT))
    back = 1 if stage is Stage.TEST else 2
    for number, shopper in enumerate(fold.tested):
        hers = shop.of(shopper)
        known = shop.catalogue.indices(hers.item) >= 0
        names = list(dict.fromkeys(hers.basket[known]))
        line = int(np.flatnonzero(known & (hers.basket == names[-back]))[0])
        moment = told.moment(number)
        assert (moment.time, moment.hour) == (int(hers.time[line]), True)
        assert moment.store == hers.store[line]
        assert fold.moment(number) is UNKNOWN


def test_each_is_told_what_she_granted_and_no_more(shop: Population) -> None:
    fold = fold_of(shop)
    one, two, three = fold.tested[:3]
    told = fold.in_context(
        {one: {Category.PURCHASES}, two: {Category.TIME_CONTEXT}, three: {Category.LOCATION}}
    )
    moments = [told.moment(number) for number in range(4)]
    assert [each.hour for each in moments] == [False, True, False, False]
    assert [each.store is not None for each in moments] == [False, False, True, False]
    assert all(each.time is not None for each in moments)
    assert moments[0].time is not None
    assert moments[0].time % DAY == 0
    histories = [told.histories[shopper] for shopper in (one, two, three, fold.tested[3])]
    assert [history.hour for history in histories] == [False, True, False, False]
    assert [history.store is not None for history in histories] == [False, False, True, False]
    kept = told.only([2, 0])
    assert [kept.moment(number) for number in (0, 1)] == [moments[2], moments[0]]


def test_the_ranker_learns_the_moment_where_it_is_granted_alone(shop: Population) -> None:
    fold = fold_of(shop)
    told = fold.in_context(dict.fromkeys(shop.shoppers, CONTEXT))
    rng = np.random.default_rng(0)
    blind = release(fold, Noise.none(), rng=rng)[TaskName.RANKER]
    aware = release(told, Noise.none(), rng=rng)[TaskName.RANKER]
    assert isinstance(blind, RankerArtefact)
    assert isinstance(aware, RankerArtefact)
    assert not set(blind.features) & CONTEXT_FEATURES
    weights = dict(zip(aware.features, aware.weights.tolist(), strict=True))
    assert weights[Feature.STORE] > 0.1


def test_lists_follow_the_moment(shop: Population) -> None:
    told = fold_of(shop).in_context(dict.fromkeys(shop.shoppers, CONTEXT))
    made = release(told, Noise.none(), rng=np.random.default_rng(0)).values()
    scores = on_device(made)(told)(slice(0, len(told.tested)))
    even = np.array([(time // DAY) % 2 == 0 for time in told.when])
    ahead = scores[:, 0] > scores[:, 1]
    assert ahead[even].mean() > ahead[~even].mean() + 0.3


def test_the_rival_is_told_the_same(shop: Population) -> None:
    told = fold_of(shop).in_context(dict.fromkeys(shop.shoppers, CONTEXT))
    table = _examples(told).table
    for feature in CONTEXT_FEATURES:
        assert table[:, NAMES.index(f"device {feature}")].any()
        assert not _examples(fold_of(shop)).table[:, NAMES.index(f"device {feature}")].any()


def test_the_result_says_so(shop: Population) -> None:
    options = Options(stage=Stage.VALIDATION, epsilons=(None,), context=True)
    found = evaluate_population(shop, options)
    assert found["context"] is True
    assert "for when and where each bought" in headline(found)[0]
    assert "when and where" not in headline(found | {"context": False})[0]
    assert any("as if every shopper had granted" in each for each in found["warnings"])
    with pytest.raises(InvalidInputError, match="knows no moment"):
        Options(protocol=Protocol.LEAVE_ONE_OUT, context=True)
