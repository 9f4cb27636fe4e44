"""Finishing: noisy sums become artefacts, by formulas that an independent solve confirms."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.tasks.catalogue import Catalogue
from consent.tasks.item_item import MOST_LISTED, ItemItemArtefact, ItemItemTask
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact, PopularityTask, RecentPopularityTask
from crypto.errors import InvalidInputError, WireError
from server.artefacts import item_item
from server.artefacts.registry import finish
from server.artefacts.signal import REFERENCE, item_item_verdict
from server.artefacts.wigner import Spectrum, noise_edge, shrunk

FloatArray = npt.NDArray[np.float64]

ITEMS = 40
CATALOGUE = Catalogue(
    name="shelf",
    level="item",
    items=tuple(f"i{n}" for n in range(ITEMS)),
    categories=("",) * ITEMS,
    departments=("",) * ITEMS,
    products={},
)
EVEN = ItemItemTask(indices=tuple(range(ITEMS)), weights=(1.0,) * ITEMS, mean=(0.0,) * ITEMS)


def triangle(matrix: FloatArray) -> FloatArray:
    upper: FloatArray = np.sqrt(2) * matrix[np.triu_indices(len(matrix), 1)]
    return upper


def noise(size: int, stddev: float, seed: int) -> FloatArray:
    return np.random.default_rng(seed).normal(0, stddev, size * (size - 1) // 2)


@pytest.mark.parametrize(
    "task", [PopularityTask(items=ITEMS), RecentPopularityTask(items=ITEMS, baskets=3)]
)
def test_popularity_is_clipped_and_scaled(
    task: PopularityTask | RecentPopularityTask,
) -> None:
    values = np.linspace(-2, 8, ITEMS)
    artefact = finish(task, values, noise_stddev=1.0, catalogue=CATALOGUE)
    assert isinstance(artefact, PopularityArtefact)
    assert artefact.task is task.name
    assert artefact.catalogue == CATALOGUE.hash
    assert artefact.scores == pytest.approx(np.maximum(values, 0) / 8)


def test_a_sum_of_noise_below_zero_is_no_popularity() -> None:
    task = PopularityTask(items=ITEMS)
    artefact = finish(task, np.full(ITEMS, -1.0), noise_stddev=1.0, catalogue=CATALOGUE)
    assert isinstance(artefact, PopularityArtefact)
    assert not artefact.scores.any()


@pytest.mark.parametrize("values", [np.zeros(ITEMS - 1), np.full(ITEMS, np.nan)])
def test_a_sum_that_does_not_fit_is_refused(values: FloatArray) -> None:
    with pytest.raises(InvalidInputError):
        finish(PopularityTask(items=ITEMS), values, noise_stddev=0.0, catalogue=CATALOGUE)


def test_the_item_item_task_lists_the_popular_and_follows_the_release() -> None:
    scores = np.array([0.0, 1.0, 0.0625, 0.5])
    released = PopularityArtefact(task=TaskName.POPULARITY, catalogue="x", scores=scores)
    task = item_item.plan_task(released, listed=3)
    assert task.indices == (1, 3, 2)
    assert task.weights == pytest.approx([1.0, 0.5**-0.25, 2.0])
    expected = np.array([1.0, 0.5**0.75, 0.0625**0.75])
    assert task.mean == pytest.approx(expected / np.linalg.norm(expected))


def test_a_popularity_of_zero_still_plans_a_finite_task() -> None:
    released = PopularityArtefact(task=TaskName.POPULARITY, catalogue="x", scores=np.zeros(5))
    assert np.isfinite(item_item.plan_task(released).weights).all()


def test_an_item_item_task_is_no_longer_than_its_artefact_may_be() -> None:
    scores = np.ones(2 * MOST_LISTED)
    released = PopularityArtefact(task=TaskName.POPULARITY, catalogue="x", scores=scores)
    longest = item_item.plan_task(released)
    assert len(longest.indices) == MOST_LISTED
    assert ItemItemTask.parse(longest.to_json()) == longest
    more = MOST_LISTED + 1
    with pytest.raises(InvalidInputError, match=f"2 to {MOST_LISTED} items, not {more}"):
        item_item.plan_task(released, listed=more)
    longer = {name: [*range(more)] for name in ("indices", "weights", "mean")}
    with pytest.raises(WireError, match=f"2 to {MOST_LISTED} different item indices"):
        ItemItemTask.parse(longest.to_json() | longer)


@given(seed=st.integers(0, 10_000), ridge=st.floats(5.0, 500.0))
def test_ease_from_a_spectrum_is_ease_from_the_gram_matrix(seed: int, ridge: float) -> None:
    rows = np.random.default_rng(seed).normal(size=(60, 12))
    gram = rows.T @ rows / 10
    values, vectors = np.linalg.eigh(gram)
    model = item_item.ease(Spectrum(values=values, vectors=vectors, edge=0.0), ridge=ridge)
    # Column by column: least squares for one item from all others, its own weight held at 0.
    expected = np.zeros_like(gram)
    for j in range(12):
        others = np.flatnonzero(np.arange(12) != j)
        system = gram[np.ix_(others, others)] + ridge * np.eye(11)
        expected[others, j] = np.linalg.solve(system, gram[others, j])
    assert model == pytest.approx(expected, rel=1e-7, abs=1e-9)


def test_a_sum_comes_back_as_the_matrix_it_was() -> None:
    matrix = np.random.default_rng(3).normal(size=(ITEMS, ITEMS))
    matrix = matrix + matrix.T
    np.fill_diagonal(matrix, 0.0)
    assert item_item.symmetric(triangle(matrix), ITEMS) == pytest.approx(matrix)


def test_the_noise_ends_at_the_edge_and_a_planted_direction_comes_out_at_its_size() -> None:
    size, stddev = 300, 2.0
    edge = noise_edge(stddev, size)
    direction = np.random.default_rng(0).choice([-1.0, 1.0], size) / np.sqrt(size)
    strength = 1.5 * edge
    pure = np.linalg.eigvalsh(item_item.symmetric(noise(size, stddev, 1), size))[-1]
    assert pure == pytest.approx(edge, rel=0.05)
    noisy = strength * np.outer(direction, direction)
    np.fill_diagonal(noisy, 0.0)
    found = shrunk(
        item_item.symmetric(triangle(noisy) + noise(size, stddev, 2), size), noise_stddev=stddev
    )
    top = int(np.argmax(found.values))
    # The observed eigenvalue overstates it by edge²/(4 · strength), a ninth; shrinking undoes that.
    assert found.values[top] == pytest.approx(strength, rel=0.04)
    assert abs(found.vectors[:, top] @ direction) > 0.9


def test_pure_noise_finishes_to_next_to_nothing_and_signal_does_not() -> None:
    quiet = finish(EVEN, noise(ITEMS, 5.0, 4), noise_stddev=6.0, catalogue=CATALOGUE)
    assert isinstance(quiet, ItemItemArtefact)
    assert quiet.directions == 0
    assert not quiet.matrix.any()
    block = np.zeros((ITEMS, ITEMS))
    block[:20, :20] = 30.0
    np.fill_diagonal(block, 0.0)
    loud = finish(
        EVEN, triangle(block) + noise(ITEMS, 5.0, 4), noise_stddev=5.0, catalogue=CATALOGUE
    )
    assert isinstance(loud, ItemItemArtefact)
    assert loud.directions >= 1
    assert not np.diag(loud.matrix).any()
    together, apart = loud.matrix[:20, :20].mean(), np.abs(loud.matrix[20:, :20]).mean()
    assert together > 5 * apart


@pytest.mark.parametrize(
    ("values", "stddev"),
    [
        (np.zeros(3), 1.0),
        (np.full(780, np.inf), 1.0),
        (np.zeros(780), -1.0),
        (np.zeros(780), np.nan),
    ],
)
def test_an_item_item_sum_that_does_not_fit_is_refused(values: FloatArray, stddev: float) -> None:
    with pytest.raises(InvalidInputError):
        finish(EVEN, values, noise_stddev=stddev, catalogue=CATALOGUE)


def test_the_gate_counts_what_a_planted_spectrum_shows() -> None:
    """Plant the reference spectrum at one size, add noise, and count: the gate foretold it."""
    size, shoppers, stddev = 512, 2467, 1.6
    rng = np.random.default_rng(5)
    basis = np.linalg.qr(rng.normal(size=(size, 22)))[0]
    planted = (basis * (np.array(REFERENCE[512]) * shoppers)) @ basis.T
    values = triangle(planted) + noise(size, stddev, 6)
    found = shrunk(item_item.symmetric(values, size), noise_stddev=stddev)
    verdict = item_item_verdict(shoppers=shoppers, listed=size, noise_stddev=stddev)
    assert abs(found.values.size - verdict.directions) <= 1
    assert verdict.directions == 3


def test_the_gate_says_no_for_few_shoppers_and_yes_for_many() -> None:
    few = item_item_verdict(shoppers=2467, listed=512, noise_stddev=5.5)
    assert not few.worthwhile
    assert "Item-item is off: with 2,467 shoppers and noise 5.5" in few.reason
    assert "popularity tasks instead" in few.reason
    many = item_item_verdict(shoppers=100_000, listed=512, noise_stddev=5.5)
    assert many.worthwhile
    assert many.directions > 10
    assert many.edge == few.edge == pytest.approx(5.5 * 32)


@given(shoppers=st.integers(1, 10**7), stddev=st.floats(0.0, 1e3), listed=st.integers(2, 3000))
def test_more_shoppers_or_less_noise_never_turn_the_gate_off(
    shoppers: int, stddev: float, listed: int
) -> None:
    base = item_item_verdict(shoppers=shoppers, listed=listed, noise_stddev=stddev)
    more = item_item_verdict(shoppers=2 * shoppers, listed=listed, noise_stddev=stddev)
    less = item_item_verdict(shoppers=shoppers, listed=listed, noise_stddev=stddev / 2)
    assert base.directions <= min(more.directions, less.directions)
    assert base.worthwhile <= min(more.worthwhile, less.worthwhile)


@pytest.mark.parametrize("bad", [{"shoppers": 0}, {"noise_stddev": -1.0}, {"listed": 1}])
def test_the_gate_refuses_what_is_no_count_and_no_noise(bad: dict[str, float]) -> None:
    arguments = {"shoppers": 10, "listed": 512, "noise_stddev": 1.0} | bad
    with pytest.raises(InvalidInputError):
        item_item_verdict(**arguments)  # type: ignore[arg-type]
