"""The order within a basket, what it makes count, and item-item summed at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.contributions.history import History
from client.contributions.item_item import contribution, profile, total
from consent.tasks.item_item import ItemItemTask

ITEMS = 8


def rated(*items: int) -> History:
    """One basket, rated in this order."""
    order = np.argsort(np.array(items, dtype=np.int64))
    return History(
        items=ITEMS,
        basket=np.zeros(len(items), dtype=np.int64),
        item=np.array(items, dtype=np.int64)[order],
        line=order.astype(np.int64),
    )


def task(seed: int) -> ItemItemTask:
    rng = np.random.default_rng(seed)
    mean = rng.random(ITEMS)
    mean /= np.linalg.norm(mean)
    return ItemItemTask(
        indices=tuple(rng.permutation(ITEMS).tolist()),
        weights=tuple((0.5 + rng.random(ITEMS)).tolist()),
        mean=tuple(mean.tolist()),
    )


def test_since_counts_what_came_after() -> None:
    history = rated(5, 2, 7)
    assert dict(zip(history.item.tolist(), history.since.tolist(), strict=True)) == {
        5: 2,
        2: 1,
        7: 0,
    }


def test_entries_of_a_basket_are_one_moment_where_their_order_is_not_known() -> None:
    history = History(items=ITEMS, basket=np.array([0, 0, 1]), item=np.array([1, 2, 3]))
    assert history.since.tolist() == [1, 1, 0]


def test_the_lines_before_the_last_few() -> None:
    before = rated(5, 2, 7, 1).without_lines(2)
    assert sorted(before.item.tolist()) == [2, 5]
    assert before.baskets == 1
    assert rated(5, 2).without_lines(2).baskets == 0


def test_recent_entries_can_turn_the_profile() -> None:
    indices, ones = np.arange(ITEMS), np.ones(ITEMS)
    history = rated(0, 1)
    even = profile(history, indices, ones)
    late = profile(history, indices, ones, entries=np.power(0.25, history.since))
    assert even[0] == pytest.approx(even[1])
    assert late[1] == pytest.approx(2 * late[0])  # roots of 1 and 1/4
    assert np.linalg.norm(late) == pytest.approx(1)


@given(
    st.lists(st.lists(st.integers(0, ITEMS - 1), max_size=5, unique=True), max_size=6),
    st.integers(0, 2**32 - 1),
)
def test_summed_at_once_is_the_sum_of_contributions(rows: list[list[int]], seed: int) -> None:
    histories, asked = [rated(*row) for row in rows], task(seed)
    apart = [contribution(asked, history) for history in histories]
    assert all(np.linalg.norm(each) <= 1 + 1e-12 for each in apart)
    assert total(asked, histories) == pytest.approx(sum(apart, np.zeros(asked.dimension)))
