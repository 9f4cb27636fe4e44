"""Complete Journey gives the counts that reports quote, at every level."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from simulations.population.complete_journey import load_complete_journey
from simulations.population.population import Population


@pytest.fixture(scope="module")
def journey() -> Population:
    return load_complete_journey()


def test_gives_the_counts_that_reports_quote(journey: Population) -> None:
    assert len(journey.shoppers) == 2_467
    assert len(journey.catalogue) == 2_232
    assert len(journey.stores) == 62
    assert len(journey.devices) == 699
    assert journey.clients == 761
    assert len(journey.events) == 1_446_056
    assert len(set(journey.events.basket)) == 141_126
    assert len(journey.groups) == 801


def test_every_household_belongs_to_one_client(journey: Population) -> None:
    in_silos = [shopper for shoppers in journey.stores.values() for shopper in shoppers]
    assert Counter([*in_silos, *journey.devices]) == Counter(journey.shoppers)
    assert min(map(len, journey.stores.values())) >= 20


def test_home_store_is_the_most_visited_and_the_smaller_number_on_a_tie(
    journey: Population,
) -> None:
    home = {s: store for store, shoppers in journey.stores.items() for s in shoppers}
    for shopper in list(home)[::50]:
        baskets = defaultdict(set)
        events = journey.of(shopper)
        for basket, store in zip(events.basket, events.store, strict=True):
            baskets[store].add(basket)
        most = max(map(len, baskets.values()))
        assert int(home[shopper]) == min(int(s) for s in baskets if len(baskets[s]) == most)


def test_lines_are_sorted_and_of_known_items(journey: Population) -> None:
    events = journey.events
    assert list(journey.shoppers) == sorted(journey.shoppers)
    same = events.shopper[1:] == events.shopper[:-1]
    assert np.all(np.diff(events.time)[same] >= 0)
    assert journey.catalogue.indices(events.item).min() >= 0
    assert set(np.unique(journey.catalogue.indices(events.item))) == set(range(2_232))
    assert np.isfinite(events.price).all()


def test_times_are_local_time_read_as_utc(journey: Population) -> None:
    first, last = np.array([journey.events.time.min(), journey.events.time.max()])
    assert np.datetime64(int(first), "s") == np.datetime64("2017-01-01T11:53:26")
    assert np.datetime64(int(last), "s") == np.datetime64("2018-01-01T04:01:20")


def test_order_of_items_is_the_alphabet(journey: Population) -> None:
    assert list(journey.catalogue.items) == sorted(journey.catalogue.items)


def test_left_out_departments_are_gone_and_said(journey: Population) -> None:
    for department in ("FUEL", "COUPON", "MISCELLANEOUS"):
        assert department in journey.note
        assert department not in journey.catalogue.departments
    assert "simulated" in journey.note


def test_groups_are_what_households_stated(journey: Population) -> None:
    assert journey.groups["1"] == {"age": "65+", "income": "35-49K", "household_size": "2"}
    assert journey.groups.keys() <= set(journey.shoppers)


@pytest.mark.parametrize(
    ("level", "items", "unknown"), [("category", 300, 802), ("product", 68_004, 0)]
)
def test_other_levels_hold_the_same_events(
    journey: Population, level: str, items: int, unknown: int
) -> None:
    other = load_complete_journey(level=level)  # type: ignore[arg-type]
    assert len(other.catalogue) == items
    assert np.count_nonzero(other.catalogue.indices(other.events.item) < 0) == unknown
    np.testing.assert_array_equal(other.events.item, journey.events.item)
    assert other.stores == journey.stores


def test_the_listed_assortment_owes_nothing_to_sales(journey: Population) -> None:
    listed = load_complete_journey(assortment="listed").catalogue
    assert len(listed) == 2_368
    assert set(journey.catalogue.items) < set(listed.items)
