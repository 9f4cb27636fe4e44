"""A factors contribution is a bounded gradient, dense, and her own place stays where it is made."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from client.contributions.factors import contribution, fitted
from client.contributions.history import FloatArray, History
from client.contributions.item_item import direction
from client.contributions.registry import contribute
from consent.purpose import Purpose
from consent.tasks.factors import LEAST, MAX_FACTOR, MOST, FactorsTask
from consent.tasks.task import parse_task
from crypto.errors import ConsentError, InvalidInputError, WireError
from tests.unit.client.test_contributions import CATALOGUE, ITEMS, baskets, granted

WIDTH = 2
MEAN = (0.5, 0.5, 0.5, 0.5, 0.0, 0.0)
PLACES = np.random.default_rng(7).normal(size=(ITEMS, WIDTH)).astype(np.float32)


def task(
    places: FloatArray | np.ndarray = PLACES,
    *,
    weights: tuple[float, ...] = (1.0, 2.0, 1.0, 0.5, 1.0, 1.0),
    mean: tuple[float, ...] = MEAN,
    ridge: float = 0.1,
    unseen: float = 0.3,
    length: float = MOST,
    withheld: int = 0,
) -> FactorsTask:
    return FactorsTask(
        indices=tuple(range(len(places))),
        weights=weights,
        mean=mean,
        places=tuple(np.asarray(places, dtype=np.float64).ravel().tolist()),
        width=places.shape[1],
        ridge=ridge,
        unseen=unseen,
        length=length,
        withheld=withheld,
    )


def history(*contents: str | list[str]) -> History:
    return History.of(granted(*contents), CATALOGUE)


def loss(asked: FactorsTask, hers: History, places: FloatArray, own: FloatArray) -> float:
    """Of one shopper, written out item by item."""
    z = direction(hers, np.arange(ITEMS), np.array(asked.weights), np.array(asked.mean))
    total = 0.5 * asked.ridge * float(own @ own)
    for item in range(ITEMS):
        counts = 1.0 if hers.counts[item] else asked.unseen
        total += 0.5 * counts * float(z[item] - places[item] @ own) ** 2
    return total


def least(asked: FactorsTask, hers: History, places: FloatArray) -> float:
    """The loss at her best place, found by a search that knows no closed form."""

    def at(own: FloatArray) -> float:
        return loss(asked, hers, places, own)

    found = minimize(at, np.zeros(WIDTH), tol=1e-14)
    return float(found.fun)


numbers = st.floats(-1e9, 1e9)
parts = st.floats(-MAX_FACTOR, MAX_FACTOR, width=32)


@given(
    contents=baskets,
    places=st.lists(parts, min_size=ITEMS * WIDTH, max_size=ITEMS * WIDTH),
    weights=st.lists(numbers, min_size=ITEMS, max_size=ITEMS),
    mean=st.lists(numbers, min_size=ITEMS, max_size=ITEMS),
    ridge=st.floats(LEAST, MOST),
    unseen=st.floats(LEAST, 1.0),
    length=st.floats(LEAST, MOST),
    withheld=st.integers(0, 2),
)
def test_no_history_and_no_task_that_parses_give_more_than_one(
    contents: list[list[str]],
    places: list[float],
    weights: list[float],
    mean: list[float],
    ridge: float,
    unseen: float,
    length: float,
    withheld: int,
) -> None:
    made = task(
        np.array(places).reshape(ITEMS, WIDTH),
        weights=tuple(weights),
        mean=tuple(mean),
        ridge=ridge,
        unseen=unseen,
        length=length,
        withheld=withheld,
    )
    asked = parse_task("factors", made.to_json())
    assert asked == made, "every device and whoever finishes hold the same places, to the last bit"
    vector = contribute(asked, granted(*contents), CATALOGUE)
    assert vector.shape == (asked.dimension,)
    assert np.isfinite(vector).all()
    assert float(np.linalg.norm(vector)) <= 1.0 + 1e-12


def test_long_ones_have_length_one_and_short_ones_keep_theirs() -> None:
    hers = history("ab", "ac")
    bare = contribution(task(length=MOST), hers) * MOST
    size = float(np.linalg.norm(bare))
    assert LEAST < size < MOST
    half = contribution(task(length=2 * size), hers)
    assert half == pytest.approx(bare / (2 * size))
    assert np.linalg.norm(contribution(task(length=size / 2), hers)) == pytest.approx(1.0)


def test_her_place_solves_its_normal_equations() -> None:
    asked, hers = task(), history("ab", "ae")
    fit = fitted(asked, hers, asked.factors)
    z = direction(hers, np.arange(ITEMS), np.array(asked.weights), np.array(asked.mean))
    counts = np.array([1.0, 1.0, 0.3, 0.3, 1.0, 0.3])
    slope = asked.factors.T @ (counts * (z - asked.factors @ fit.place)) - 0.1 * fit.place
    assert slope == pytest.approx(np.zeros(WIDTH), abs=1e-12)
    assert loss(asked, hers, asked.factors, fit.place) == pytest.approx(
        least(asked, hers, asked.factors), rel=1e-9
    )


def test_the_gradient_is_the_slope_of_her_least_loss() -> None:
    asked, hers = task(), history("ab", "ae")
    given_up = contribution(asked, hers)[: ITEMS * WIDTH] * MOST
    step = 1e-4
    for place in range(ITEMS * WIDTH):
        unit = (np.eye(ITEMS * WIDTH)[place] * step).reshape(ITEMS, WIDTH)
        up = least(asked, hers, asked.factors + unit)
        down = least(asked, hers, asked.factors - unit)
        assert -given_up[place] == pytest.approx((up - down) / (2 * step), abs=1e-6)


def test_the_rest_is_her_curvature() -> None:
    asked, hers = task(), history("ab", "ae")
    own = fitted(asked, hers, asked.factors).place
    rest = contribution(asked, hers)[ITEMS * WIDTH :] * MOST
    assert rest == pytest.approx([own[0] ** 2, np.sqrt(2.0) * own[0] * own[1], own[1] ** 2])


def test_rows_do_not_show_what_she_bought() -> None:
    """With the public mean direction taken out no row is zero; without it some places are."""
    mean = np.full(ITEMS, ITEMS**-0.5)
    for hers in (history("a"), history("ab", "ae"), history("f", "f", "c")):
        rows = contribution(task(mean=tuple(mean)), hers)[: ITEMS * WIDTH].reshape(ITEMS, WIDTH)
        assert rows.any(axis=1).all()
        bare = task(np.eye(ITEMS, WIDTH), mean=(0.0,) * ITEMS)
        shown = contribution(bare, hers)[: ITEMS * WIDTH].reshape(ITEMS, WIDTH).any(axis=1)
        assert not (shown & (hers.counts == 0)).any(), "the control: then rows are her items"


@pytest.mark.parametrize("contents", [(), ("",), ("yz",)])
def test_who_has_bought_nothing_listed_gives_zeros(contents: tuple[str, ...]) -> None:
    assert not contribution(task(), history(*contents)).any()


def test_lists_withheld_for_the_ranker_do_not_count() -> None:
    whole, before = history("ab", "ae", "f"), history("ab", "ae")
    assert contribution(task(withheld=1), whole).tolist() == contribution(task(), before).tolist()
    assert contribution(task(), whole).tolist() != contribution(task(), before).tolist()


def test_an_item_beyond_the_catalogue_is_refused() -> None:
    wide = task(
        np.ones((ITEMS + 1, WIDTH)), weights=(1.0,) * (ITEMS + 1), mean=(0.0,) * (ITEMS + 1)
    )
    with pytest.raises(InvalidInputError, match="fetch the catalogue"):
        contribution(wide, history("a"))


def test_it_needs_the_grant_for_training() -> None:
    with pytest.raises(ConsentError, match="train"):
        contribute(task(), granted("ab", purpose=Purpose.PERSONALISE), CATALOGUE)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("indices", [0, 1, 2, 3, 4, 4]),
        ("indices", [0]),
        ("indices", [0, 1, 2, 3, 4, -1]),
        ("weights", [1.0]),
        ("mean", [1.0] * 5 + [float("inf")]),
        ("places", ""),
        ("places", None),
        ("width", 0),
        ("width", 7),
        ("width", 3),
        ("ridge", 0.0),
        ("ridge", 2 * MOST),
        ("unseen", 0.0),
        ("unseen", 1.5),
        ("length", 0.0),
        ("length", float("nan")),
        ("withheld", -1),
    ],
)
def test_parameters_out_of_bounds_are_refused(field: str, value: object) -> None:
    with pytest.raises(WireError):
        parse_task("factors", task().to_json() | {field: value})


def test_places_beyond_their_bound_are_refused() -> None:
    with pytest.raises(WireError, match="from -100"):
        parse_task("factors", task(2 * MAX_FACTOR * np.ones((ITEMS, WIDTH))).to_json())


def test_her_place_stays_on_the_client() -> None:
    fit = fitted(task(), history("ab"), task().factors)
    with pytest.raises(TypeError, match="must not leave"):
        pickle.dumps(fit)
    assert repr(fit) == "Fit(2 tastes)"
