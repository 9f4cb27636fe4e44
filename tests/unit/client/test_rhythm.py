"""How due an item is, by hand."""

import math

import numpy as np
import pytest
from hypothesis import given

from client.contributions.history import History
from client.recommender.moment import DAY_S, UNKNOWN, Moment
from client.recommender.rhythm import rhythm
from tests.unit.client.test_contributions import CATALOGUE, baskets, granted


def visits(days: list[int], contents: list[str]) -> History:
    """Baskets on given days, a letter an item."""
    entries = [(n, ord(item) - ord("a")) for n, basket in enumerate(contents) for item in basket]
    return History(
        items=6,
        basket=np.array([n for n, _ in entries], dtype=np.int64),
        item=np.array([item for _, item in entries], dtype=np.int64),
        time=np.array(days, dtype=np.int64) * DAY_S,
    )


def test_an_even_rhythm_by_hand() -> None:
    history = visits([0, 9, 18, 20], ["a", "a", "ab", "b"])
    found = rhythm(history, Moment(time=27 * DAY_S))
    # a: every 9 days, last 9 days before the moment, two even gaps beside the prior's two.
    assert found.gap[0] == 9
    assert found.since[0] == 9
    assert found.due[0] == pytest.approx(math.exp(-2 * 1 / 4))
    assert found.late[0] == 0
    # b: a gap of 2, last 7 days ago.
    wait = math.log(8 / 3)
    assert found.due[1] == pytest.approx(math.exp(-2 * wait**2 - 2 / 3))
    assert not found.due[2:].any()
    assert not found.since[2:].any()


def test_uneven_gaps_say_less() -> None:
    even = rhythm(visits([0, 10, 20], ["a", "a", "a"]), Moment(time=30 * DAY_S))
    uneven = rhythm(visits([0, 1, 20], ["a", "a", "a"]), Moment(time=30 * DAY_S))
    assert uneven.due[0] < even.due[0]


def test_a_moment_that_is_not_known_is_her_usual_next_visit() -> None:
    history = visits([0, 4, 8, 12], ["a", "b", "a", "b"])
    unknown, known = rhythm(history, UNKNOWN), rhythm(history, Moment(time=16 * DAY_S))
    assert unknown.due.tolist() == known.due.tolist()
    assert unknown.since[0] == 4  # to her last basket
    assert known.since[0] == 8


def test_late_is_bounded() -> None:
    history = visits([0, 1, 1000], ["a", "a", "b"])
    assert rhythm(history, UNKNOWN).late[0] == 2.0


def test_baskets_stand_in_for_days() -> None:
    timeless = visits([0, 5, 9], ["a", "a", "a"])
    timeless = History(items=6, basket=timeless.basket, item=timeless.item)
    assert rhythm(timeless, UNKNOWN).gap[0] == 1.0


@given(contents=baskets)
def test_it_is_finite_and_bounded_for_every_history(contents: list[list[str]]) -> None:
    found = rhythm(History.of(granted(*contents), CATALOGUE), UNKNOWN)
    for values in (found.due, found.late, found.gap, found.since):
        assert np.isfinite(values).all()
        assert (values >= 0).all()
    assert (found.due <= 1).all()
