"""Public content: what a shopper's own items say of all others, by the item list alone."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.contributions.history import History
from client.recommender.content import LINES_TO_OUTWEIGH, ContentKernel, recency
from consent.tasks.catalogue import Catalogue
from consent.tasks.described import BANDS, described

CATALOGUE = Catalogue(
    name="films",
    level="item",
    items=("a", "b", "c", "d", "e"),
    categories=("", "", "", "", ""),
    departments=("", "", "", "", ""),
    products={},
    attributes={
        "genre": (("war",), ("war", "love"), ("love",), ("love",), ()),
        "studio": (("x",), ("x",), ("y",), ("y",), ()),
    },
)


def history(*items: int, size: int = 5) -> History:
    """One basket of these items in this order, oldest first."""
    order = np.argsort(np.array(items, dtype=np.int64))
    return History(
        items=size,
        basket=np.zeros(len(items), dtype=np.int64),
        item=np.array(items, dtype=np.int64)[order],
        line=order.astype(np.int64),
    )


def test_similarity_is_the_sum_of_mean_log_leanings() -> None:
    kernel = ContentKernel.of(CATALOGUE)
    found = kernel.similarity(history(0, 1))
    # Every item counts alike: genre shares are 1.5 war and 2.5 love of 4, studios 2 and 2 of 4.
    war, love, a = 1.5 / 4, 2.5 / 4, LINES_TO_OUTWEIGH
    warlike = np.log((1.5 + a * war) / (2 * war + a * war))
    lovely = np.log((0.5 + a * love) / (2 * love + a * love))
    mine, other = np.log((2 + a / 2) / (1 + a / 2)), np.log((a / 2) / (1 + a / 2))
    expected = [warlike + mine, (warlike + lovely) / 2 + mine, lovely + other, lovely + other, 0]
    assert found == pytest.approx(expected)


def test_the_attributes_add_up() -> None:
    kernel = ContentKernel.of(CATALOGUE)
    rows = kernel.by_attribute(history(0, 2))
    assert rows.shape == (2, 5)
    assert kernel.names == ("genre", "studio")
    assert kernel.similarity(history(0, 2)) == pytest.approx(rows.sum(axis=0))


@given(st.lists(st.integers(0, 4), max_size=5, unique=True), st.integers(0, 2**32 - 1))
def test_similarity_is_finite_for_every_history_and_popularity(items: list[int], seed: int) -> None:
    popularity = np.random.default_rng(seed).random(5) * (np.arange(5) % 2)
    found = ContentKernel.of(CATALOGUE, popularity).similarity(history(*items))
    assert np.isfinite(found).all()
    assert found[4] == 0  # the list says nothing of it
    if not items:
        assert not found.any()


def test_an_item_that_nobody_bought_is_known_by_its_values() -> None:
    unsold = np.array([1.0, 1.0, 1.0, 0.0, 1.0])
    found = ContentKernel.of(CATALOGUE, unsold).similarity(history(2))
    assert found[3] == found[2] > 0


def test_what_was_rated_lately_can_count_more() -> None:
    kernel = ContentKernel.of(CATALOGUE)
    old_first, new_first = history(0, 2), history(2, 0)
    last_love = kernel.similarity(old_first, recency(old_first, 1.0))
    last_war = kernel.similarity(new_first, recency(new_first, 1.0))
    assert last_love[3] > last_war[3]
    assert sorted(recency(old_first, 1.0)) == [0.5, 1.0]


def test_likeness_is_symmetric_within_bounds_and_one_for_equals() -> None:
    kernel = ContentKernel.of(CATALOGUE)
    table = np.array([kernel.alike(item) for item in range(5)])
    assert table == pytest.approx(table.T)
    assert table.min() >= 0
    assert table[2, 3] == pytest.approx(1)
    assert 0 < table[0, 1] < 1  # one genre and the studio of two
    assert not table[4].any()


def test_own_items_speak_for_what_resembles_them() -> None:
    kernel = ContentKernel.of(CATALOGUE)
    assert kernel.speakers(history(0, 2), 3) == (2,)
    assert kernel.speakers(history(2, 1), 3) == (2, 1)
    assert kernel.speakers(history(3), 3) == ()
    assert kernel.speakers(history(0, 1), 4) == ()


def test_numbers_become_bands_and_names_do_not() -> None:
    size = 240
    years = tuple((str(1900 + n % 80),) for n in range(size))
    numbered = Catalogue(
        name="n",
        level="item",
        items=tuple(f"{n:03d}" for n in range(size)),
        categories=tuple(str(n % 40) for n in range(size)),
        departments=("",) * size,
        products={},
        attributes={"year": years},
    )
    columns = {column.name: column.members for column in described(numbered)}
    assert columns["year"].shape == (size, BANDS)
    assert columns["category"].shape == (size, 40)
    assert (columns["year"].row_sums == 1).all()


def test_an_attribute_that_tells_nothing_apart_is_left_out() -> None:
    same = Catalogue(
        name="s",
        level="item",
        items=("a", "b"),
        categories=("k", "k"),
        departments=("", ""),
        products={},
        attributes={"title": (("one",), ("two",))},
    )
    assert described(same) == ()
    assert ContentKernel.of(same).similarity(history(0, size=2)).tolist() == [0.0, 0.0]


def test_ten_thousand_items_take_a_few_milliseconds() -> None:
    size, rng = 10_000, np.random.default_rng(0)
    large = Catalogue(
        name="l",
        level="item",
        items=tuple(f"{n:05d}" for n in range(size)),
        categories=tuple(f"c{n}" for n in rng.integers(0, 300, size)),
        departments=tuple(f"d{n}" for n in rng.integers(0, 20, size)),
        products={},
        attributes={"genre": tuple((f"g{n % 18}", f"g{n % 7}") for n in range(size))},
    )
    kernel = ContentKernel.of(large)
    own = history(*rng.choice(size, 200, replace=False).tolist(), size=size)
    kernel.similarity(own)
    spent = []
    for _ in range(5):
        started = time.process_time()
        kernel.similarity(own)
        spent.append(time.process_time() - started)
    assert min(spent) < 0.02
