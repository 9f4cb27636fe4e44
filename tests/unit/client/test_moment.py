"""Context counts only where it was granted, and says what it should."""

import datetime as dt
import math

import numpy as np
import pytest

from client.contributions.foretold import foretell
from client.contributions.history import History
from client.recommender.moment import (
    BOUND,
    CODES,
    DAY_S,
    SIZES,
    UNKNOWN,
    Moment,
    Setting,
    daypart,
    matches,
    season,
    weekday,
)
from client.recommender.recommend import PartKind, rank
from client.recommender.scores import Model
from consent.admit import admit
from consent.events import Events
from consent.purpose import Category, Purpose
from consent.tasks.ranker import Feature, RankerArtefact
from tests.unit.client.test_recommender import CATALOGUE, OVERALL, RECENT

ALL = frozenset({Category.PURCHASES, Category.TIME_CONTEXT, Category.LOCATION})


def at(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp())


def shopper(*visits: tuple[str, str, str], categories: frozenset[Category] = ALL) -> History:
    """Visits as (when, where, items)."""
    lines = [(n, *visit[:2], item) for n, visit in enumerate(visits) for item in visit[2]]
    size = len(lines)
    events = Events(
        shopper=np.full(size, "ann", dtype=object),
        time=np.array([at(line[1]) for line in lines], dtype=np.int64),
        basket=np.array([f"b{line[0]}" for line in lines], dtype=object),
        item=np.array([line[3] for line in lines], dtype=object),
        quantity=np.ones(size),
        price=np.ones(size),
        store=np.array([line[2] for line in lines], dtype=object),
    )
    admitted = admit(
        events,
        purpose=Purpose.PERSONALISE,
        categories=categories,
        sensitive_items=frozenset(),
    )
    return History.of(admitted, CATALOGUE)


# Mondays at eight in one shop, Saturdays at seven in the evening in another.
VISITS = (
    ("2024-01-01T08:00", "corner", "ab"),
    ("2024-01-06T19:00", "market", "cb"),
    ("2024-01-08T08:10", "corner", "ab"),
    ("2024-01-13T19:20", "market", "cb"),
)
MONDAY = at("2024-01-15T08:30")


def test_codes_of_time() -> None:
    days = np.array([at("2024-01-01T00:00"), at("2024-01-07T23:59")], dtype=np.int64)
    assert weekday(days).tolist() == [0, 6]
    hours = np.array([at(f"2024-01-01T{hour}:00") for hour in ("05", "06", "11", "14", "18")])
    assert daypart(hours).tolist() == [0, 1, 2, 3, 4]
    months = np.array([at(f"2024-{month:02d}-15T00:00") for month in range(1, 13)])
    assert season(months).tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 0]


def test_codes_of_settings_do_not_meet() -> None:
    codes = [CODES[each] + n for each in Setting for n in range(SIZES[each])]
    assert len(set(codes)) == len(codes)


def test_pulls_by_hand() -> None:
    found = matches(shopper(*VISITS), Moment.granted(ALL, time=MONDAY, store="corner"))
    assert set(found) == set(Setting)
    monday = found[Setting.WEEKDAY]
    assert monday.code == 0
    assert monday.times.tolist() == [2, 2, 0, 0, 0, 0]
    share = (2 + 1) / (4 + 7)
    assert monday.pull[0] == pytest.approx(math.log((2 + 3 * share) / ((2 + 3) * share)))
    assert monday.pull[2] == pytest.approx(math.log((0 + 3 * share) / ((2 + 3) * share)))
    assert monday.pull[0] > monday.pull[1] > monday.pull[2]
    assert not monday.pull[3:].any()
    assert found[Setting.STORE].times.tolist() == [2, 2, 0, 0, 0, 0]
    assert found[Setting.DAYPART].code == 8
    assert all(np.abs(match.pull).max() <= BOUND for match in found.values())


@pytest.mark.parametrize(
    ("categories", "settings"),
    [
        ({Category.PURCHASES}, {Setting.WEEKDAY, Setting.SEASON}),
        (
            {Category.PURCHASES, Category.TIME_CONTEXT},
            {Setting.WEEKDAY, Setting.SEASON, Setting.DAYPART},
        ),
        (
            {Category.PURCHASES, Category.LOCATION},
            {Setting.WEEKDAY, Setting.SEASON, Setting.STORE},
        ),
    ],
)
def test_each_setting_needs_its_grant(categories: set[Category], settings: set[Setting]) -> None:
    """Both for her baskets and for the moment: one side alone is not enough."""
    few = frozenset(categories)
    moment = Moment.granted(ALL, time=MONDAY, store="corner")
    assert set(matches(shopper(*VISITS, categories=few), moment)) == settings
    reduced = Moment.granted(few, time=MONDAY, store="corner")
    assert set(matches(shopper(*VISITS), reduced)) == settings
    if Category.TIME_CONTEXT not in few:
        assert reduced.time is not None
        assert reduced.time % DAY_S == 0


def test_the_moment_of_a_basket_is_what_her_history_knows_of_it() -> None:
    visits = (("2024-03-04T08:10", "north", "ab"), ("2024-03-09T19:20", "", "c"))
    every = shopper(*visits)
    assert Moment.of_basket(every, 0) == Moment(time=at(visits[0][0]), hour=True, store="north")
    assert Moment.of_basket(every, 1) == Moment(time=at(visits[1][0]), hour=True)
    little = shopper(*visits, categories=frozenset({Category.PURCHASES}))
    assert Moment.of_basket(little, 0) == Moment(time=at("2024-03-04"))
    assert all(Moment.of_basket(every, number) == UNKNOWN for number in (-1, 2))


def test_an_unknown_moment_has_no_context() -> None:
    assert not matches(shopper(*VISITS), UNKNOWN)


def test_context_is_a_part_with_its_evidence() -> None:
    ranker = RankerArtefact(
        catalogue=CATALOGUE.hash,
        features=(Feature.BASE, Feature.WEEKDAY, Feature.STORE),
        weights=np.array([2.0, 0.5, 0.25]),
    )
    model = Model.of(CATALOGUE, [OVERALL, RECENT, ranker])
    history = shopper(*VISITS)
    listed = rank(model, history, moment=Moment.granted(ALL, time=MONDAY, store="corner"))
    parts = {each.item: each.parts for each in listed}
    context = [part for part in parts[0] if part.kind is PartKind.CONTEXT]
    assert [part.evidence for part in context] == [(0, 2), (16, 2)]
    ungranted = rank(model, history, moment=UNKNOWN)
    assert all(part.kind is not PartKind.CONTEXT for each in ungranted for part in each.parts)
    saturday = Moment.granted(ALL, time=at("2024-01-20T19:00"), store="market")
    assert [e.item for e in listed].index(2) > [
        e.item for e in rank(model, history, moment=saturday)
    ].index(2)


def test_what_is_measured_is_the_list_for_the_moment_of_the_basket() -> None:
    """One history ends in the corner shop or on the market: other lists, if she tells where."""
    ranker = RankerArtefact(
        catalogue=CATALOGUE.hash,
        features=(Feature.BASE, Feature.STORE),
        weights=np.array([2.0, 5.0]),
    )

    def first(where: str, categories: frozenset[Category]) -> int:
        ending = ("2024-02-01T12:00", where, "f")
        found = foretell(
            shopper(*VISITS, ending, categories=categories),
            CATALOGUE,
            [OVERALL, RECENT, ranker],
            length=3,
            least_baskets=2,
            not_before=None,
        )
        assert found is not None
        return int(found.listed[0])

    assert first("corner", ALL) != first("market", ALL)
    silent = ALL - {Category.LOCATION}
    assert first("corner", silent) == first("market", silent)
