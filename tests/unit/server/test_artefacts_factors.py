"""The factors' step: least squares without noise, shrunk by it, and post-processing alone."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.contributions.factors import contribution, fitted
from client.contributions.history import FloatArray, History
from client.contributions.item_item import direction
from consent.tasks.artefact import decode_artefact, encode_artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.factors import MAX_FACTOR, MOST, FactorsArtefact, FactorsTask
from consent.tasks.item_item import ItemItemArtefact
from consent.tasks.names import TaskName
from consent.tasks.parameters import pack
from consent.tasks.popularity import PopularityArtefact
from consent.tasks.task import parse_task
from crypto.errors import InvalidInputError, WireError
from crypto.wire import canonical, parse_object
from server.artefacts import ranker
from server.artefacts.factors import RIDGE, begun, denoised, finish, plan_task

ITEMS = 30
SHELVES = 3
CATALOGUE = Catalogue(
    name="shelf",
    level="item",
    items=tuple(f"item-{n:02d}" for n in range(ITEMS)),
    categories=tuple(f"shelf-{n % SHELVES}" for n in range(ITEMS)),
    departments=("",) * ITEMS,
    products={},
)
PLAIN = replace(CATALOGUE, categories=("",) * ITEMS)
POPULARITY = PopularityArtefact(
    task=TaskName.POPULARITY, catalogue=CATALOGUE.hash, scores=np.linspace(1.0, 0.3, ITEMS)
)
RNG = np.random.default_rng(5)
TASTES = RNG.normal(size=(ITEMS, 2))


def shoppers(count: int, seed: int = 0) -> list[History]:
    """Two tastes decide what they buy, whatever the shelf."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        score = TASTES @ rng.normal(size=2) * 2 - np.log(rng.standard_exponential(ITEMS))
        bought = np.sort(np.argsort(-score)[: rng.integers(2, 9)])
        found.append(
            History(
                items=ITEMS,
                basket=np.zeros(bought.size, dtype=np.int64),
                item=bought.astype(np.int64),
            )
        )
    return found


SHOPPERS = shoppers(400)


def planned(width: int = 2, catalogue: Catalogue = PLAIN, **changes: Any) -> FactorsTask:
    return replace(plan_task(POPULARITY, catalogue, listed=ITEMS, width=width), **changes)


def total(task: FactorsTask, everyone: list[History] = SHOPPERS) -> FloatArray:
    return sum((contribution(task, each) for each in everyone), np.zeros(task.dimension))


def loss(task: FactorsTask, factors: FloatArray) -> float:
    """Of everybody at their best places, with the items' own ridge as ``finish`` has it."""
    whole = 0.5 * RIDGE * task.length * float(np.sum(factors**2))
    for each in SHOPPERS:
        fit = fitted(task, each, factors)
        whole += 0.5 * float(fit.counts @ fit.residual**2)
        whole += 0.5 * task.ridge * float(fit.place @ fit.place)
    return whole


def projector(factors: FloatArray) -> FloatArray:
    basis: FloatArray = np.linalg.qr(factors)[0]
    both: FloatArray = basis @ basis.T
    return both


def test_without_noise_it_is_one_step_of_a_central_solver() -> None:
    """From everybody's targets and places in one place, by a least-squares routine."""
    task = planned(length=2.0, unseen=0.4)
    places, targets = [], []
    for each in SHOPPERS:
        fit = fitted(task, each, task.factors)
        z = direction(each, np.array(task.indices), np.array(task.weights), np.array(task.mean))
        put_back = task.factors @ fit.place
        places.append(fit.place)
        targets.append(put_back + fit.counts * (z - put_back))
    held = np.sqrt(RIDGE * task.length) * np.eye(2)
    solved = np.linalg.lstsq(
        np.vstack([places, held]), np.vstack([targets, np.zeros((2, ITEMS))]), rcond=None
    )[0].T
    got = finish(task, total(task), noise_stddev=0.0, catalogue=PLAIN).factors
    # Axes are free: what counts is what places can say together.
    assert got @ got.T == pytest.approx(solved @ solved.T, abs=1e-6)


@pytest.mark.parametrize("unseen", [0.2, 1.0])
def test_without_noise_and_bounds_no_step_makes_the_loss_larger(unseen: float) -> None:
    task = planned(length=10.0, unseen=unseen)
    before = loss(task, task.factors)
    for _ in range(4):
        made = finish(task, total(task), noise_stddev=0.0, catalogue=PLAIN)
        after = loss(task, made.factors)
        assert after <= before + 1e-9
        before = after
        task = replace(task, places=tuple(made.factors.ravel().tolist()))
    assert after < loss(planned(length=10.0, unseen=unseen), np.zeros((ITEMS, 2)))


def test_rounds_find_the_tastes_that_decided() -> None:
    """By angles between spans, against the leading directions of everybody's targets."""
    task = planned()
    targets = np.array(
        [
            direction(each, np.array(task.indices), np.array(task.weights), np.array(task.mean))
            for each in SHOPPERS
        ]
    )
    leading = np.linalg.svd(targets, full_matrices=False)[2][:2].T
    alike = [float(np.trace(projector(task.factors) @ projector(leading))) / 2]
    for _ in range(6):
        made = finish(task, total(task), noise_stddev=0.0, catalogue=PLAIN)
        task = plan_task(POPULARITY, PLAIN, listed=ITEMS, width=2, previous=made)
        alike.append(float(np.trace(projector(made.factors) @ projector(leading))) / 2)
    assert alike[0] < 0.4
    assert alike[-1] > 0.95


def test_noise_alone_leaves_nothing_and_the_next_round_begins_anew() -> None:
    task = planned()
    rng = np.random.default_rng(2)
    made = finish(
        task, 50.0 * rng.standard_normal(task.dimension), noise_stddev=60.0, catalogue=PLAIN
    )
    assert not made.factors.any()
    again = plan_task(POPULARITY, PLAIN, listed=ITEMS, width=2, previous=made)
    assert np.linalg.matrix_rank(again.factors) == 2


def test_the_edge_and_the_shrinkage_are_those_of_the_noise() -> None:
    """A planted direction comes back nearer to the truth than it was seen; pure noise goes."""
    rng = np.random.default_rng(4)
    tall, wide = 600, 12
    pure = rng.standard_normal((tall, wide))
    kept = [float(np.abs(denoised(rng.standard_normal((tall, wide)), noise_stddev=1.0)).max())]
    assert kept[0] < 0.2 * float(np.abs(pure).max())
    left, right = rng.standard_normal(tall), rng.standard_normal(wide)
    truth = 45.0 * np.outer(left / np.linalg.norm(left), right / np.linalg.norm(right))
    seen = truth + pure
    got = denoised(seen, noise_stddev=1.0)
    assert np.linalg.norm(got - truth) < 0.7 * np.linalg.norm(seen - truth)
    assert denoised(seen, noise_stddev=0.0) == pytest.approx(seen)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32), size=st.floats(0, 1e12), stddev=st.floats(0, 1e6))
def test_whatever_the_sum_what_is_released_can_be_read_again(
    seed: int, size: float, stddev: float
) -> None:
    task = planned()
    values = size * np.random.default_rng(seed).standard_normal(task.dimension)
    made = finish(task, values, noise_stddev=stddev, catalogue=PLAIN)
    read = decode_artefact(encode_artefact(made))
    assert isinstance(read, FactorsArtefact)
    assert read.factors.tolist() == made.factors.tolist()
    assert np.abs(read.factors).max() <= MAX_FACTOR


class TestBeginning:
    def test_it_is_public_and_the_same_for_everybody(self) -> None:
        assert planned() == planned()
        other = replace(PLAIN, name="another shelf")
        assert planned(catalogue=other).places != planned().places
        places = planned().factors
        assert places.tolist() == places.astype(np.float32).tolist()
        assert parse_task("factors", planned().to_json()) == planned()

    def test_what_the_item_list_says_comes_first(self) -> None:
        task = planned(width=4, catalogue=CATALOGUE)
        member = np.array(
            [[index % SHELVES == n for n in range(SHELVES)] for index in task.indices]
        )
        columns = member * np.array(task.mean)[:, None]
        columns -= np.outer(task.mean, np.array(task.mean) @ columns)
        # With the mean direction out, three shelves span two directions.
        inside = np.linalg.norm(projector(columns[:, :2]) @ task.factors, axis=0)
        assert inside[:2] == pytest.approx(1.0, abs=1e-6)
        assert inside[2:] == pytest.approx(0.0, abs=1e-6)

    def test_released_pairs_come_before_it(self) -> None:
        left = np.linalg.qr(RNG.normal(size=(ITEMS, 2)))[0]
        order = np.arange(ITEMS)[::-1]
        pairs = ItemItemArtefact(
            catalogue=CATALOGUE.hash,
            indices=order,
            matrix=(left * [5.0, 3.0]) @ left.T,
            weights=np.ones(ITEMS),
            mean=np.zeros(ITEMS),
            directions=2,
        )
        task = plan_task(
            POPULARITY, PLAIN, listed=ITEMS, width=3, released={TaskName.ITEM_ITEM: pairs}
        )
        rows = left[np.argsort(order)][list(task.indices)]
        assert np.abs(np.sum(rows * task.factors[:, :2], axis=0)) == pytest.approx(1.0, abs=1e-6)
        none = plan_task(
            POPULARITY,
            PLAIN,
            listed=ITEMS,
            width=3,
            released={TaskName.ITEM_ITEM: replace(pairs, directions=0)},
        )
        assert none == planned(width=3)

    def test_a_round_before_is_carried_on_and_hidden_tastes_are_replaced(self) -> None:
        half = np.zeros((ITEMS, 2))
        half[:, 0] = np.linspace(-1, 1, ITEMS).astype(np.float32)
        made = replace(
            finish(planned(), total(planned()), noise_stddev=0.0, catalogue=PLAIN), factors=half
        )
        task = plan_task(POPULARITY, PLAIN, listed=ITEMS, width=2, previous=made)
        assert task.factors[:, 0].tolist() == half[:, 0].tolist()
        assert np.linalg.norm(task.factors[:, 1]) == pytest.approx(1.0, abs=1e-6)

    def test_more_is_known_than_fits(self) -> None:
        known = RNG.normal(size=(ITEMS, 5))
        places = begun(known, np.zeros((ITEMS, 0)), width=3, name="x")
        assert places.tolist() == known[:, :3].astype(np.float32).tolist()

    def test_there_are_no_more_tastes_than_items(self) -> None:
        assert plan_task(POPULARITY, PLAIN, listed=2, width=16).width == 2


@pytest.mark.parametrize(
    ("values", "stddev"),
    [
        (np.zeros(5), 1.0),
        (np.full(planned().dimension, np.nan), 1.0),
        (np.zeros(planned().dimension), -1.0),
        (np.zeros(planned().dimension), np.inf),
    ],
)
def test_a_sum_that_does_not_fit_is_refused(values: FloatArray, stddev: float) -> None:
    with pytest.raises(InvalidInputError, match="Expected"):
        finish(planned(), values, noise_stddev=stddev, catalogue=PLAIN)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("indices", [1, 1]),
        ("width", 3),
        ("factors", pack(np.full(2 * ITEMS, 2 * MAX_FACTOR))),
        ("ridge", 2 * MOST),
        ("unseen", 0.0),
    ],
)
def test_an_artefact_out_of_bounds_is_refused(field: str, value: object) -> None:
    made = finish(planned(), total(planned()), noise_stddev=0.0, catalogue=PLAIN)
    body = parse_object(encode_artefact(made), what="artefact")
    with pytest.raises(WireError):
        decode_artefact(canonical(body | {field: value}))


def test_a_ranker_weighs_what_goes_together_where_factors_are_released_for_it() -> None:
    made = finish(planned(), total(planned()), noise_stddev=0.0, catalogue=PLAIN)
    hidden = replace(made, factors=np.zeros((ITEMS, 2)))
    assert set(ranker.plan_task([POPULARITY, made], PLAIN).features) >= ranker.LIFTS
    assert not set(ranker.plan_task([POPULARITY, hidden], PLAIN).features) & ranker.LIFTS
