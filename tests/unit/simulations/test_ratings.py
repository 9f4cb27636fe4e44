"""Made-up ratings: their shape, and that they hold what they are made to hold."""

import numpy as np
import pytest

from crypto.errors import InvalidInputError
from simulations.evaluation.dataset import evaluate_population
from simulations.evaluation.options import Options, Protocol
from simulations.evaluation.protocol import Stage
from simulations.population.population import Population
from simulations.population.ratings import made_up_ratings


@pytest.fixture(scope="module")
def population() -> Population:
    return made_up_ratings(300, 400, seed=3, least=10, median=40)


def test_everyone_rates_enough_and_nothing_twice(population: Population) -> None:
    events = population.events
    sizes = [len(population.of(shopper)) for shopper in population.shoppers]
    assert len(population.shoppers) == 300
    assert min(sizes) >= 10
    assert np.median(sizes) == pytest.approx(40, rel=0.25)
    assert len(set(zip(events.shopper, events.item, strict=True))) == len(events)


def test_popularity_has_a_long_tail(population: Population) -> None:
    index = population.catalogue.indices(population.events.item)
    counts = np.sort(np.bincount(index, minlength=400))[::-1]
    assert counts[:40].sum() > 0.25 * counts.sum()
    assert np.median(counts) < counts.mean()


def test_the_item_list_has_several_genres_and_a_year(population: Population) -> None:
    genres, years = (population.catalogue.attributes[name] for name in ("genre", "year"))
    assert {len(values) for values in genres} >= {1, 2}
    assert all(len(values) == 1 and 1920 <= int(values[0]) <= 2000 for values in years)


def test_the_same_seed_gives_the_same_ratings() -> None:
    first, again, other = (
        made_up_ratings(20, 200, seed=seed, least=5, median=20) for seed in (1, 1, 2)
    )
    assert (first.events.item == again.events.item).all()
    assert len(first.events) != len(other.events) or (first.events.item != other.events.item).any()


def test_pages_share_a_moment_and_follow_each_other(population: Population) -> None:
    events = population.of(population.shoppers[0])
    assert (np.diff(events.time) >= 0).all()
    assert len(set(events.time)) < len(events)
    assert len(set(events.basket)) == 1


def test_too_few_items_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="three times as many items"):
        made_up_ratings(10, 100)


def test_leave_one_out_with_the_defaults_beats_popularity(population: Population) -> None:
    """Content and item-item are in the data, and the recommender hears them."""
    options = Options(
        protocol=Protocol.LEAVE_ONE_OUT, stage=Stage.VALIDATION, epsilons=(None,), seed=1
    )
    found = evaluate_population(population, options)
    view = next(iter(found["quality"].values()))
    gained = view["fedcart, no noise"]["ndcg@10"] - view["global top"]["ndcg@10"]
    assert gained > 0.05
    assert found["checks"]["leak probe"]["holds"]
