"""The synthetic population is reproducible, well-formed and shaped as it says."""

import numpy as np
import pytest

from crypto.errors import InvalidInputError
from simulations.population.storage import population_hash
from simulations.population.synthetic import Habits, synthetic


def test_the_seed_decides() -> None:
    assert population_hash(synthetic(seed=3)) == population_hash(synthetic(seed=3))
    assert population_hash(synthetic(seed=3)) != population_hash(synthetic(seed=4))


@pytest.mark.parametrize(
    ("shoppers", "items", "stores"), [(60, 40, 2), (1, 1, 0), (5, 3, 5), (120, 12, 0)]
)
def test_every_size_is_well_formed(shoppers: int, items: int, stores: int) -> None:
    population = synthetic(shoppers=shoppers, items=items, stores=stores)
    events = population.events
    assert len(population.shoppers) == shoppers
    assert list(population.shoppers) == sorted(population.shoppers)
    assert len(population.stores) == stores
    everyone = [s for members in population.stores.values() for s in members]
    assert sorted([*everyone, *population.devices]) == list(population.shoppers)
    assert population.catalogue.indices(events.item).min() >= 0
    assert np.all(np.diff(events.time)[events.shopper[1:] == events.shopper[:-1]] >= 0)
    lines = list(zip(events.basket, events.item, strict=True))
    assert len(set(lines)) == len(lines)
    assert all(len(set(population.of(s).basket)) >= 2 for s in population.shoppers)


def _top_share(zipf: float) -> float:
    habits = Habits(zipf=zipf, taste=0.0, repeat=0.0)
    events = synthetic(shoppers=200, items=100, habits=habits).events
    counts = np.unique(events.item.astype(str), return_counts=True)[1]
    return float(np.sort(counts)[-10:].sum() / counts.sum())


def test_zipf_makes_some_items_popular() -> None:
    assert _top_share(0.0) < 0.2
    assert _top_share(1.2) > 0.4


def _distinct_per_shopper(repeat: float) -> float:
    population = synthetic(shoppers=100, items=200, habits=Habits(repeat=repeat, baskets=20.0))
    return float(np.mean([len(set(population.of(s).item)) for s in population.shoppers]))


def test_habits_make_shoppers_repeat() -> None:
    assert _distinct_per_shopper(0.9) < 0.6 * _distinct_per_shopper(0.0)


def test_pure_repetition_is_possible() -> None:
    habits = Habits(repeat=1.0, favourites=2)
    population = synthetic(shoppers=10, habits=habits)
    assert all(len(set(population.of(s).item)) <= 2 for s in population.shoppers)


def test_half_of_the_shoppers_state_a_group() -> None:
    population = synthetic()
    assert len(population.groups) == 30
    assert population.groups.keys() <= set(population.shoppers)


@pytest.mark.parametrize("wrong", [{"shoppers": 0}, {"items": 0}, {"stores": 61}, {"stores": -1}])
def test_impossible_counts_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(wrong))):
        synthetic(**wrong)  # type: ignore[arg-type]
