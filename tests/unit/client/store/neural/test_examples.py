"""A shopper is one row, whatever she bought."""

import pickle

import numpy as np
import pytest

from client.store.neural.examples import Lesson, decayed, rows_of
from tests.unit.client.store.neural.shoppers import ITEMS, LESSON, drawn, history, rows


def test_a_basket_is_foretold_from_what_came_before_it() -> None:
    told = rows_of([history([[0], [1, 2], [0], [3]])], LESSON, items=ITEMS)
    assert told.wanted[0].sum(axis=1).tolist() == pytest.approx([1, 1, 1])
    assert np.flatnonzero(told.wanted[0, 0]).tolist() == [1, 2]
    assert told.before[0, 0, :4] == pytest.approx([1, 0, 0, 0])
    assert told.before[0, 1, :4] == pytest.approx([0.95, 1, 1, 0])
    assert told.before[0, 2, :4] == pytest.approx([0.95**2 + 1, 0.95, 0.95, 0])


def test_now_is_one_basket_later_than_the_last_example() -> None:
    mine = history([[0], [1, 2], [0], [3]])
    longer = history([[0], [1, 2], [0], [3], [5]])
    expected = rows_of([longer], LESSON, items=ITEMS).before[0, -1]
    np.testing.assert_allclose(decayed(mine, LESSON), expected, rtol=1e-6)


def test_five_hundred_baskets_are_one_row() -> None:
    many, few = rows(1, baskets=500), rows(1, baskets=4)
    assert many.before.shape == few.before.shape == (1, LESSON.baskets, ITEMS)


@pytest.mark.parametrize("baskets", [[], [[1]]])
def test_with_fewer_than_two_baskets_nothing_is_taught(baskets: list[list[int]]) -> None:
    told = rows_of([history(baskets)], LESSON, items=ITEMS)
    assert not told.wanted.any()
    assert not told.before.any()


def test_rows_stay() -> None:
    with pytest.raises(TypeError, match="must not leave"):
        pickle.dumps(rows(1))
    assert "shoppers" in repr(rows(1))
    assert len(rows_of(drawn(3), LESSON, items=ITEMS)) == 3


@pytest.mark.parametrize(("baskets", "decay"), [(0, 0.9), (1, 0.0), (1, 1.1)])
def test_a_lesson_makes_sense(baskets: int, decay: float) -> None:
    with pytest.raises(ValueError, match="Expected"):
        Lesson(baskets=baskets, decay=decay)
