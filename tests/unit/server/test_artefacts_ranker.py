"""The ranker's step: Newton's without noise, damped by the noise, and post-processing alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from client.contributions.ranker import listwise
from consent.tasks.artefact import Artefact, decode_artefact, encode_artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.item_item import ItemItemArtefact
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact
from consent.tasks.ranker import MAX_WEIGHT, START, Feature, RankerArtefact, RankerTask
from consent.tasks.task import parse_task
from crypto.errors import InvalidInputError, WireError
from server.artefacts.ranker import (
    CONTEXT,
    LIFTS,
    RESERVES,
    SEASONS,
    SPREAD,
    finish,
    plan_task,
    step,
)

CATALOGUE = Catalogue(
    name="shelf",
    level="item",
    items=("a", "b", "c"),
    categories=("x", "", "x"),
    departments=("",) * 3,
    products={},
)
FEATURES = (Feature.BASE, Feature.BOUGHT, Feature.DUE)
TASK = RankerTask(features=FEATURES, weights=(3.0, 0.0, 0.0), candidates=9, baskets=1)


def popular(task: TaskName) -> PopularityArtefact:
    return PopularityArtefact(task=task, catalogue=CATALOGUE.hash, scores=np.ones(3))


def pairs(directions: int) -> ItemItemArtefact:
    return ItemItemArtefact(
        catalogue=CATALOGUE.hash,
        indices=np.arange(2),
        matrix=np.zeros((2, 2)),
        weights=np.ones(2),
        mean=np.zeros(2),
        directions=directions,
    )


def packed(gradient: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    upper = [
        curvature[i, j] * (1.0 if i == j else np.sqrt(2.0)) for i in range(3) for j in range(i, 3)
    ]
    return np.concatenate([gradient, upper])


def lists(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Made-up lists whose labels follow known weights."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(count):
        table = rng.normal(size=(9, 3))
        score = table @ np.array([2.5, 1.0, -0.5])
        p = np.exp(score) / np.exp(score).sum()
        bought = np.zeros(9, dtype=bool)
        bought[rng.choice(9, p=p)] = True
        found.append((table, bought))
    return found


def test_rounds_without_noise_reach_the_centralised_fit() -> None:
    """The sum of what devices give, step by step, against the penalised likelihood's maximum."""
    data = lists(400)
    task = TASK
    for _ in range(6):
        given_ = [listwise(table, bought, np.array(task.weights)) for table, bought in data]
        gradient = np.sum([g for g, _ in given_], axis=0)
        curvature = np.sum([c for _, c in given_], axis=0)
        released = finish(task, packed(gradient, curvature), noise_stddev=0.0, catalogue=CATALOGUE)
        task = RankerTask(
            features=FEATURES, weights=tuple(released.weights), candidates=9, baskets=1
        )
    # At the maximum the likelihood's slope equals the prior's.
    slope = np.sum([listwise(t, b, released.weights)[0] for t, b in data], axis=0)
    prior = (released.weights - np.array([START[Feature.BASE], 0.0, 0.0])) / SPREAD
    assert slope == pytest.approx(prior, abs=1e-6)
    assert released.weights == pytest.approx([2.5, 1.0, -0.5], abs=0.4)


def test_one_step_is_newtons() -> None:
    data = [listwise(table, bought, np.array(TASK.weights)) for table, bought in lists(50)]
    gradient = np.sum([g for g, _ in data], axis=0)
    curvature = np.sum([c for _, c in data], axis=0)
    found = finish(TASK, packed(gradient, curvature), noise_stddev=0.0, catalogue=CATALOGUE)
    newton = np.linalg.solve(curvature + np.eye(3) / SPREAD, gradient)
    assert found.weights - np.array(TASK.weights) == pytest.approx(newton)


EVEN = np.full(3, SPREAD)


def test_more_noise_means_a_shorter_step_and_none_where_the_sum_says_nothing() -> None:
    gradient, curvature = np.array([5.0, -3.0, 1.0]), np.diag([50.0, 20.0, 0.0])
    steps = [
        np.linalg.norm(step(gradient, curvature, EVEN, noise_stddev=noise)[0])
        for noise in (0, 3, 10, 100)
    ]
    assert steps == sorted(steps, reverse=True)
    assert step(gradient, curvature, EVEN, noise_stddev=1.0)[0][2] == pytest.approx(0.0)
    assert not step(gradient, np.zeros((3, 3)), EVEN, noise_stddev=0.0)[0].any()
    assert not step(gradient, -curvature, EVEN, noise_stddev=1.0)[0].any()


def test_the_step_is_the_mean_of_the_weights_given_the_gradient() -> None:
    """Weights and gradients drawn from the model: regressing one on the other gives the step."""
    rng = np.random.default_rng(11)
    curvature = np.array([[40.0, 6.0, 0.0], [6.0, 25.0, -4.0], [0.0, -4.0, 10.0]])
    prior, noise = np.array([0.3, 0.05, 1.2]), 3.0
    scatter = curvature + noise**2 * (1 + prior.sum() / 2) * np.eye(3)
    weights = rng.normal(size=(200_000, 3)) * np.sqrt(prior)
    gradients = weights @ curvature + rng.multivariate_normal(np.zeros(3), scatter, 200_000)
    regressed = np.linalg.lstsq(gradients, weights, rcond=None)[0]
    for gradient in np.eye(3) * 10:
        found = step(gradient, curvature, prior, noise_stddev=noise)[0]
        assert found == pytest.approx(gradient @ regressed, abs=0.005)


def test_the_evidence_is_the_density_of_the_gradient() -> None:
    curvature = np.array([[9.0, 2.0], [2.0, 5.0]])
    gradient, noise = np.array([4.0, -7.0]), 1.5
    found = []
    for prior in (np.array([0.3, 0.3]), np.array([0.3, 0.02])):
        scatter = curvature + noise**2 * (1 + prior.sum() / 2) * np.eye(2)
        model = multivariate_normal(cov=curvature @ np.diag(prior) @ curvature + scatter)
        found.append((step(gradient, curvature, prior, noise_stddev=noise)[1], model))
    told = found[0][0] - found[1][0]
    assert told == pytest.approx(found[0][1].logpdf(gradient) - found[1][1].logpdf(gradient))


@pytest.mark.parametrize(("moved", "wide"), [(0.0, False), (2.0, True)])
def test_reserved_features_are_freed_by_the_sum_that_needs_them(moved: float, wide: bool) -> None:
    """With a reserved feature that matters its prior is wide; with one that doesn't, narrow."""
    task = RankerTask(
        features=(Feature.BASE, Feature.CONTENT, Feature.LIFT_NEW),
        weights=(2.0, 0.0, 0.0),
        candidates=9,
        baskets=1,
    )
    curvature = np.diag([300.0, 200.0, 200.0])
    gradient = curvature @ np.array([0.0, moved, -moved])
    values = packed(gradient, curvature)
    found = finish(task, values, noise_stddev=4.0, catalogue=CATALOGUE).weights[1:]
    narrow = step(gradient, curvature, np.array([SPREAD, *[RESERVES[0]] * 2]), noise_stddev=4.0)[0]
    assert (np.abs(found) > 1.05 * np.abs(narrow[1:])).all() == wide


@given(
    values=st.lists(st.floats(-1e9, 1e9), min_size=9, max_size=9),
    noise=st.floats(0.0, 1e6),
)
def test_whatever_the_noise_makes_of_it_the_weights_are_bounded(
    values: list[float], noise: float
) -> None:
    found = finish(TASK, np.array(values), noise_stddev=noise, catalogue=CATALOGUE)
    assert np.isfinite(found.weights).all()
    assert float(np.abs(found.weights).max()) <= MAX_WEIGHT


@pytest.mark.parametrize(
    ("values", "noise"),
    [(np.zeros(8), 1.0), (np.full(9, np.nan), 1.0), (np.zeros(9), -1.0), (np.zeros(9), np.inf)],
)
def test_a_sum_that_does_not_fit_is_refused(values: np.ndarray, noise: float) -> None:
    with pytest.raises(InvalidInputError):
        finish(TASK, values, noise_stddev=noise, catalogue=CATALOGUE)


def test_a_plan_leaves_out_what_nothing_can_fill() -> None:
    both = [popular(TaskName.POPULARITY), popular(TaskName.RECENT_POPULARITY)]
    released: list[Artefact] = [*both, pairs(3)]
    assert not set(plan_task(released, CATALOGUE, moments=False).features) & CONTEXT
    assert set(plan_task(released, CATALOGUE).features) >= CONTEXT
    assert not set(plan_task([*both, pairs(0)], CATALOGUE).features) & LIFTS
    assert not set(plan_task(both[:1], CATALOGUE).features) & SEASONS
    assert LIFTS & set(plan_task(released, CATALOGUE).features)


def test_a_next_round_starts_where_the_last_one_ended() -> None:
    previous = RankerArtefact(
        catalogue=CATALOGUE.hash, features=FEATURES, weights=np.array([2.2, 0.5, -0.25])
    )
    task = plan_task([popular(TaskName.POPULARITY)], CATALOGUE, previous=previous)
    found = dict(zip(task.features, task.weights, strict=True))
    assert found[Feature.BASE] == 2.2
    assert found[Feature.BOUGHT] == 0.5
    assert found[Feature.LATE] == 0.0


def test_task_and_artefact_survive_the_wire() -> None:
    task = plan_task([], CATALOGUE, moments=True, inputs=("0" * 64,))
    assert parse_task("ranker", task.to_json()) == task
    artefact = RankerArtefact(
        catalogue=CATALOGUE.hash, features=FEATURES, weights=np.array([1.5, 0.25, -2.0])
    )
    again = decode_artefact(encode_artefact(artefact))
    assert isinstance(again, RankerArtefact)
    assert again.features == FEATURES
    assert again.weights.tolist() == [1.5, 0.25, -2.0]


@pytest.mark.parametrize(
    "change",
    [
        {"features": []},
        {"features": ["base", "base", "due"]},
        {"features": ["base", "bought", "unheard-of"]},
        {"features": "base"},
        {"weights": [0.0, 0.0]},
        {"weights": [0.0, 0.0, 2 * MAX_WEIGHT]},
        {"candidates": 1},
        {"baskets": 0},
        {"moments": 1},
        {"inputs": ["ABC"]},
    ],
)
def test_parameters_out_of_bounds_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(WireError):
        parse_task("ranker", TASK.to_json() | change)
