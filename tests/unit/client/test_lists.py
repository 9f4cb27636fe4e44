"""What a ranker foretells of a shopper, and what is kept out of item-item for it."""

from dataclasses import replace

import numpy as np
import pytest

from client.contributions.history import History
from client.contributions.item_item import contribution, total
from client.contributions.lists import LINES, MANY, list_of, of_lines, untold
from consent.tasks.item_item import ItemItemTask

ITEMS = 50


def visits(*baskets: tuple[int, ...]) -> History:
    """Baskets of items, oldest first."""
    sizes = [len(basket) for basket in baskets]
    items = [item for basket in baskets for item in sorted(basket)]
    return History(
        items=ITEMS,
        basket=np.repeat(np.arange(len(baskets)), sizes),
        item=np.array(items, dtype=np.int64),
        line=np.arange(len(items)),
    )


def test_lists_are_of_lines_where_one_large_basket_is_most_of_a_history() -> None:
    assert of_lines(visits(tuple(range(MANY))))
    assert of_lines(visits((1, 2), tuple(range(MANY))))
    assert not of_lines(visits(tuple(range(MANY - 1))))  # a large visit, perhaps
    assert not of_lines(visits((1, 2), (1, 2, 3)))
    assert not of_lines(visits(*([tuple(range(MANY))] * 2)))


def test_lists_and_what_lay_before_them() -> None:
    before, wanted = list_of(visits((1, 2), (3,), (4, 5)), 0)
    assert (before.item.tolist(), wanted.tolist()) == ([1, 2, 3], [4, 5])
    before, wanted = list_of(visits((1, 2), (3,), (4, 5)), 1)
    assert (before.item.tolist(), wanted.tolist()) == ([1, 2], [3])
    before, wanted = list_of(visits(tuple(range(MANY))), 1)
    end = MANY - LINES
    assert before.item.tolist() == list(range(end - LINES))
    assert wanted.tolist() == list(range(end - LINES, end))


def test_what_is_foretold_is_withheld_unless_nothing_would_be_left() -> None:
    three = visits((1, 2), (3,), (4, 5))
    assert untold(three, 0) is three
    assert untold(three, 1).item.tolist() == [1, 2, 3]
    assert untold(three, 2).item.tolist() == [1, 2]
    assert untold(visits((1, 2)), 1).item.tolist() == [1, 2]


@pytest.mark.parametrize("withheld", [0, 1, 2])
def test_item_item_knows_nothing_of_withheld_lists(withheld: int) -> None:
    mean = np.random.default_rng(3).random(8)
    asked = ItemItemTask(
        indices=tuple(range(8)),
        weights=(1.0, 0.5, 2.0, 1.0, 1.5, 0.7, 1.0, 1.0),
        mean=tuple((mean / np.linalg.norm(mean)).tolist()),
        withheld=withheld,
    )
    first = visits((1, 2), (3, 4), (1, 5), (6, 7))
    other = visits((1, 2), (3, 4), (1, 5), (0, 2))
    same = np.array_equal(contribution(asked, first), contribution(asked, other))
    assert same == (withheld > 0)
    for history in (first, other):
        plain = contribution(replace(asked, withheld=0), untold(history, withheld))
        assert np.array_equal(contribution(asked, history), plain)
        assert np.allclose(total(asked, [history]), plain, atol=1e-12)
