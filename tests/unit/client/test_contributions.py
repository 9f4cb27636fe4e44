"""Contributions are bounded by construction, read only what was granted, and mean what they say."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.contributions import item_item
from client.contributions.history import History
from client.contributions.registry import contribute
from consent.admit import ConsentedEvents, admit
from consent.events import Events
from consent.purpose import Category, Purpose
from consent.tasks.catalogue import Catalogue
from consent.tasks.item_item import ItemItemTask
from consent.tasks.popularity import PopularityTask, RecentPopularityTask
from consent.tasks.task import Task, parse_task
from crypto.errors import ConsentError, InvalidInputError

ITEMS = 6
CATALOGUE = Catalogue(
    name="shelf",
    level="item",
    items=tuple("abcdef"),
    categories=("",) * ITEMS,
    departments=("",) * ITEMS,
    products={},
)
POPULARITY = PopularityTask(items=ITEMS)
RECENT = RecentPopularityTask(items=ITEMS, baskets=2)

baskets = st.lists(st.lists(st.sampled_from("abcdefyz"), max_size=12), max_size=8)
sizes = st.floats(-1e9, 1e9, allow_nan=False)
item_item_tasks = st.permutations(range(ITEMS)).flatmap(
    lambda order: st.integers(2, ITEMS).flatmap(
        lambda m: st.builds(
            lambda weights, mean: ItemItemTask(
                indices=tuple(order[:m]), weights=tuple(weights), mean=tuple(mean)
            ),
            st.lists(sizes, min_size=m, max_size=m),
            st.lists(sizes, min_size=m, max_size=m),
        )
    )
)
tasks: st.SearchStrategy[Task] = st.one_of(st.just(POPULARITY), st.just(RECENT), item_item_tasks)


def events(*contents: str | list[str]) -> Events:
    """One shopper's baskets, oldest first, a letter an item."""
    lines = [(f"b{n}", item) for n, basket in enumerate(contents) for item in basket]
    count = len(lines)
    return Events(
        shopper=np.full(count, "ann", dtype=object),
        time=np.array([int(name[1:]) * 90_000 for name, _ in lines], dtype=np.int64),
        basket=np.array([name for name, _ in lines], dtype=object),
        item=np.array([item for _, item in lines], dtype=object),
        quantity=np.full(count, np.nan),
        price=np.full(count, np.inf),
        store=np.full(count, "", dtype=object),
    )


def granted(*contents: str | list[str], purpose: Purpose = Purpose.TRAIN) -> ConsentedEvents:
    return admit(
        events(*contents),
        purpose=purpose,
        categories={Category.PURCHASES},
        sensitive_items=frozenset(),
    )


def plain(indices: tuple[int, ...]) -> ItemItemTask:
    """Even weights and no mean direction."""
    m = len(indices)
    return ItemItemTask(indices=indices, weights=(1.0,) * m, mean=(0.0,) * m)


@given(task=tasks, contents=baskets)
def test_no_history_gives_more_than_norm_one_or_anything_but_numbers(
    task: Task, contents: list[list[str]]
) -> None:
    vector = contribute(task, granted(*contents), CATALOGUE)
    assert vector.shape == (task.dimension,)
    assert vector.dtype == np.float64
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) <= 1 + 1e-12


@pytest.mark.parametrize("task", [POPULARITY, RECENT, plain((0, 1, 2))])
@pytest.mark.parametrize("contents", [(), ("yz",), ("", "")])
def test_a_history_without_known_items_gives_zeros(task: Task, contents: tuple[str, ...]) -> None:
    assert not contribute(task, granted(*contents), CATALOGUE).any()


def test_popularity_counts_baskets_by_root_whatever_the_lines_and_quantities() -> None:
    vector = contribute(POPULARITY, granted("aab", "ac", "ay", "aa"), CATALOGUE)
    assert vector == pytest.approx(np.array([2, 1, 1, 0, 0, 0]) / math.sqrt(6))


def test_recent_popularity_sees_the_last_baskets_only() -> None:
    vector = contribute(RECENT, granted("ab", "ab", "c", "cd"), CATALOGUE)
    assert vector == pytest.approx(np.array([0, 0, math.sqrt(2), 1, 0, 0]) / math.sqrt(3))


def test_a_basket_of_unknown_items_is_no_basket() -> None:
    assert contribute(RECENT, granted("a", "b", "yz"), CATALOGUE) == pytest.approx(
        contribute(RECENT, granted("a", "b"), CATALOGUE)
    )


def test_baskets_of_one_day_keep_their_order_when_the_hour_is_not_granted() -> None:
    lines = events("a", "b", "c")
    morning = Events(
        **{name: getattr(lines, name) for name in ("shopper", "item", "basket", "quantity")},
        price=lines.price,
        store=lines.store,
        time=np.array([10, 20, 30], dtype=np.int64),
    )
    consented = admit(
        morning,
        purpose=Purpose.TRAIN,
        categories={Category.PURCHASES},
        sensitive_items=frozenset(),
    )
    history = History.of(consented, CATALOGUE)
    assert history.age[history.item == 2].tolist() == [0]
    assert history.age[history.item == 0].tolist() == [2]


def test_item_item_is_the_triangle_of_the_outer_product() -> None:
    z = np.array([math.sqrt(2), 1, 1]) / 2
    vector = contribute(plain((0, 1, 2)), granted("ab", "ac"), CATALOGUE)
    assert vector == pytest.approx(math.sqrt(2) * np.array([z[0] * z[1], z[0] * z[2], z[1] * z[2]]))
    assert np.sum(vector**2) == pytest.approx(1 - np.sum(z**4))


def test_item_item_weighs_items_and_takes_the_mean_direction_out() -> None:
    mean = np.array([0.6, 0.8, 0.0])
    task = ItemItemTask(indices=(3, 4, 5), weights=(2.0, 1.0, 1.0), mean=tuple(mean.tolist()))
    history = History.of(granted("de", "ef", "f"), CATALOGUE)
    z = item_item.direction(history, np.array([3, 4, 5]), np.array([2.0, 1.0, 1.0]), mean)
    profile = np.array([2.0, math.sqrt(2), math.sqrt(2)])
    residual = profile - (profile @ mean) * mean
    assert z == pytest.approx(residual / np.linalg.norm(residual))
    assert z @ mean == pytest.approx(0, abs=1e-12)
    assert contribute(task, granted("de", "ef", "f"), CATALOGUE)[1] == pytest.approx(
        math.sqrt(2) * z[0] * z[2]
    )


def test_nothing_but_the_mean_direction_gives_zeros_not_rounding_error() -> None:
    task = ItemItemTask(indices=(0, 1), weights=(1.0, 1.0), mean=(math.sqrt(0.5),) * 2)
    assert not contribute(task, granted("ab"), CATALOGUE).any()


def test_unlisted_items_do_not_matter() -> None:
    assert contribute(plain((0, 1, 2)), granted("abdef", "ac"), CATALOGUE) == pytest.approx(
        contribute(plain((0, 1, 2)), granted("ab", "ac"), CATALOGUE)
    )


def test_a_grant_for_another_purpose_is_no_grant_to_contribute() -> None:
    with pytest.raises(ConsentError, match="train-shared-models"):
        contribute(POPULARITY, granted("a", purpose=Purpose.PERSONALISE), CATALOGUE)


@pytest.mark.parametrize(
    "task",
    [
        PopularityTask(items=7),
        RecentPopularityTask(items=5, baskets=1),
        plain((0, ITEMS)),
    ],
)
def test_a_task_over_another_item_list_is_refused(task: Task) -> None:
    with pytest.raises(InvalidInputError, match="catalogue"):
        contribute(task, granted("a"), CATALOGUE)


def test_a_history_stays_on_the_client() -> None:
    history = History.of(granted("ab"), CATALOGUE)
    with pytest.raises(TypeError, match="must not leave"):
        pickle.dumps(history)
    assert repr(history) == "History(1 baskets)"


@pytest.mark.parametrize("task", [POPULARITY, RECENT, plain((4, 1, 2))])
def test_a_task_survives_its_manifest(task: Task) -> None:
    assert parse_task(task.name, task.to_json()) == task
