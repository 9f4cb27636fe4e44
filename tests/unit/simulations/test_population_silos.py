"""Every shopper belongs to one client: her home store if it is home to enough, else herself."""

import numpy as np
import pytest

from consent.events import Events
from crypto.errors import InvalidInputError
from simulations.population.population import Population
from simulations.population.silos import home_stores, split_clients
from simulations.population.synthetic import synthetic


def _visits(*visits: tuple[str, str, str]) -> Events:
    columns = [np.array(column, dtype=object) for column in zip(*visits, strict=True)]
    size = len(visits)
    return Events(
        shopper=columns[0],
        time=np.arange(size),
        basket=columns[1],
        item=np.array(["x"] * size, dtype=object),
        quantity=np.ones(size),
        price=np.ones(size),
        store=columns[2],
    )


def test_baskets_count_and_lines_do_not() -> None:
    events = _visits(
        ("ann", "b1", "near"),
        ("ann", "b2", "far"),
        ("ann", "b2", "far"),
        ("ann", "b3", "near"),
        ("ann", "b4", "far"),
        ("ann", "b2", "far"),
        ("ann", "b5", "near"),
    )
    assert home_stores(events) == {"ann": "near"}


@pytest.mark.parametrize(
    ("stores", "home"), [(("10", "9"), "9"), (("b", "a"), "a"), (("", "z"), "z")]
)
def test_ties_and_unknown_stores(stores: tuple[str, str], home: str) -> None:
    events = _visits(("ann", "b1", stores[0]), ("ann", "b2", stores[1]))
    assert home_stores(events) == {"ann": home}


def test_a_shopper_without_a_store_is_a_device() -> None:
    events = _visits(("ann", "b1", ""), ("ben", "b2", "s"), ("cat", "b3", "s"))
    assert split_clients(events, min_shoppers=2) == ({"s": ("ben", "cat")}, ("ann",))
    assert split_clients(events, min_shoppers=3) == ({}, ("ann", "ben", "cat"))


def test_nobody_at_all() -> None:
    assert split_clients(Events.empty()) == ({}, ())


def _population(events: Events) -> Population:
    return Population(
        name="n",
        note="",
        catalogue=synthetic(shoppers=1, stores=0).catalogue,
        events=events,
        stores={},
        devices=(),
        groups={},
    )


def test_a_population_finds_each_shoppers_lines() -> None:
    population = _population(_visits(("ann", "b1", ""), ("ben", "b2", ""), ("ben", "b3", "")))
    assert population.shoppers == ("ann", "ben")
    assert population.of("ben").basket.tolist() == ["b2", "b3"]
    assert population.of("ann").basket.tolist() == ["b1"]
    assert _population(Events.empty()).shoppers == ()


def test_a_population_whose_lines_are_not_sorted_is_refused() -> None:
    mixed = _population(_visits(("ann", "b1", ""), ("ben", "b2", ""), ("ann", "b3", "")))
    with pytest.raises(InvalidInputError, match="sorted by shopper"):
        mixed.of("ann")
