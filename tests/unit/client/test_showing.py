"""Her list with its discovery zone: noted, steady for an hour, and moved by her slider."""

from dataclasses import replace

import pytest

from client.breadth import set_breadth
from client.home import ClientHome
from client.impressions import SAME_SECONDS, read_impressions
from client.recommender.discovery import Slot
from client.recommender.moment import Moment
from client.recommender.openness import Breadth
from client.shelf import Shelf, Stock
from client.showing import show_list
from consent.admit import admit
from consent.purpose import Purpose
from consent.tasks.names import TaskName
from crypto.errors import FedcartError
from tests.unit.client.stage import Party
from tests.unit.client.test_explanation import (
    GRANTED,
    NAMES,
    catalogue_of,
    events_of,
    made_shopper,
    made_world,
    model_of,
)

NOW = 1_795_000_000


def stock(seed: int = 4) -> Stock:
    world, shopper = made_world(1, ranker=True), made_shopper(seed)
    catalogue = catalogue_of(world)
    return Stock(
        events=events_of(shopper, catalogue),
        model=model_of(world, catalogue),
        moment=Moment.granted(GRANTED, time=shopper.now),
        artefacts=(TaskName.POPULARITY,),
    )


def shown(device: Party, made: Stock, at: int = NOW) -> Shelf:
    return show_list(device.home, made, count=4, at=at)


def zone(shelf: Shelf) -> list[str]:
    return [each.item for each in shelf.zone]


def notes(home: ClientHome) -> list[int]:
    return [each.time for each in read_impressions(home, home.shoppers[home.shopper])]


def test_the_zone_is_new_to_her_and_beside_the_list(device: Party) -> None:
    made = stock()
    shelf = shown(device, made)
    bought = set(made.events.events.item)
    assert shelf.zone
    assert not set(zone(shelf)) & (bought | {each.item for each in shelf.suggestions})
    assert [e.item for e in shelf.suggestions] == [e.item for e in made.shelf(count=4).suggestions]
    assert all(each.chance and 0 < each.chance <= 1 for each in shelf.zone)
    assert all(each.chance is None for each in shelf.suggestions)


def test_it_stays_for_an_hour_and_is_noted_once(device: Party) -> None:
    made = stock()
    first = shown(device, made)
    for later in (1, 60, SAME_SECONDS - 1):
        again = shown(device, made, at=NOW + later)
        assert [(e.item, e.chance) for e in again.zone] == [(e.item, e.chance) for e in first.zone]
        assert [e.explanation for e in again.zone] == [e.explanation for e in first.zone]
    assert notes(device.home) == [NOW]
    shown(device, made, at=NOW + SAME_SECONDS)
    assert notes(device.home) == [NOW, NOW + SAME_SECONDS]


def test_what_is_noted_is_what_was_shown(device: Party) -> None:
    home = device.home
    shelf = shown(device, stock())
    (note,) = read_impressions(home, home.shoppers[home.shopper])
    noted = [(e.item, e.slot, e.propensity) for e in note.items]
    assert noted == [
        *((e.item, Slot.FOR_YOU, 1.0) for e in shelf.suggestions),
        *((e.item, Slot.DISCOVERY, e.chance) for e in shelf.zone),
    ]


def test_the_slider_moves_it_at_once(device: Party) -> None:
    home, made = device.home, stock()
    before = zone(shown(device, made))
    set_breadth(home, home.shoppers[home.shopper], Breadth.NONE)
    assert zone(shown(device, made, at=NOW + 10)) == []
    set_breadth(home, home.shoppers[home.shopper], Breadth.MUCH_MORE)
    assert len(zone(shown(device, made, at=NOW + 20))) >= len(before)


def test_what_she_has_bought_meanwhile_is_not_new_any_more(device: Party) -> None:
    made = stock()
    gone = zone(shown(device, made))[0]
    other = stock(seed=9)  # as if she had bought much else since
    place = list(NAMES).index(gone)
    events = other.events.events
    item = events.item.copy()
    item[0] = NAMES[place]
    since = admit(
        replace(events, item=item),
        purpose=Purpose.PERSONALISE,
        categories=GRANTED,
        sensitive_items=frozenset(),
    )
    assert gone not in zone(shown(device, replace(other, events=since), at=NOW + 10))


@pytest.mark.parametrize("damage", ["{", '{"lists": 3}'])
def test_a_damaged_note_says_so(device: Party, damage: str) -> None:
    home = device.home
    shown(device, stock())
    file = home.derived / home.shoppers[home.shopper] / "impressions.json"
    file.write_text(damage)
    with pytest.raises(FedcartError, match="impressions"):
        shown(device, stock())
