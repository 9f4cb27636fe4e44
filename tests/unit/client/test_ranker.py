"""The ranker's contribution is bounded, true to its formulas, and reads only what was granted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.contributions.history import FloatArray, History
from client.contributions.inputs import Inputs
from client.contributions.ranker import candidates, contribution, listwise
from client.contributions.registry import contribute
from client.recommender.features import COLUMNS, HALF_LIVES, Knowledge
from client.recommender.moment import UNKNOWN
from client.recommender.scores import SOURCES, Model
from consent.purpose import Purpose
from consent.tasks.artefact import Artefact
from consent.tasks.names import TaskName
from consent.tasks.ranker import MAX_WEIGHT, START, Feature, RankerArtefact, RankerTask
from crypto.errors import ConsentError
from tests.unit.client.test_contributions import baskets, granted
from tests.unit.client.test_recommender import CATALOGUE, OVERALL, PAIRS, RECENT

ARTEFACTS: dict[TaskName, Artefact] = {each.task: each for each in (OVERALL, RECENT, PAIRS)}
FEATURES = tuple(Feature)


def task(
    features: tuple[Feature, ...] = FEATURES,
    weights: tuple[float, ...] | None = None,
    *,
    lists: int = 2,
    moments: bool = False,
) -> RankerTask:
    return RankerTask(
        features=features,
        weights=tuple(START.get(f, 0.0) for f in features) if weights is None else weights,
        candidates=5,
        baskets=lists,
        moments=moments,
    )


def history(*contents: str | list[str]) -> History:
    return History.of(granted(*contents), CATALOGUE)


def given_by(asked: RankerTask, *contents: str | list[str]) -> FloatArray:
    return contribution(
        asked, Inputs(history=history(*contents), catalogue=CATALOGUE, artefacts=ARTEFACTS)
    )


@given(
    contents=baskets,
    weights=st.lists(
        st.floats(-MAX_WEIGHT, MAX_WEIGHT), min_size=len(FEATURES), max_size=len(FEATURES)
    ),
    moments=st.booleans(),
)
def test_no_history_and_no_weights_give_more_than_one(
    contents: list[list[str]], weights: list[float], moments: bool
) -> None:
    vector = given_by(task(weights=tuple(weights), moments=moments), *contents)
    assert vector.shape == (task().dimension,)
    assert np.isfinite(vector).all()
    assert float(np.linalg.norm(vector)) <= 1.0 + 1e-12


def test_the_worst_list_would_be_longer_without_the_bound() -> None:
    table = np.array([[100.0, -100.0], [-100.0, 100.0]])
    gradient, _ = listwise(table, np.array([True, False]), np.array([-1.0, 0.0]))
    assert float(np.linalg.norm(gradient)) > 1.0
    steep = task((Feature.BASE, Feature.LATE), (-MAX_WEIGHT, MAX_WEIGHT))
    assert float(np.linalg.norm(given_by(steep, "a", "b", "ab"))) <= 1.0 + 1e-12


@pytest.mark.parametrize("contents", [(), ("",), ("abc",), ("yz", "a")])
def test_who_has_nothing_to_foretell_gives_zeros(contents: tuple[str, ...]) -> None:
    assert not given_by(task(), *contents).any()


def test_gradient_and_curvature_are_the_derivatives_of_the_likelihood() -> None:
    rng = np.random.default_rng(3)
    table, weights = rng.normal(size=(9, 4)), rng.normal(size=4)
    bought = np.zeros(9, dtype=bool)
    bought[[1, 4, 5]] = True

    def likelihood(at: FloatArray) -> float:
        score = table @ at
        return float((score[bought] - np.log(np.exp(score).sum())).mean())

    gradient, curvature = listwise(table, bought, weights)
    step = 1e-5
    for row in range(4):
        unit = np.eye(4)[row] * step
        slope = (likelihood(weights + unit) - likelihood(weights - unit)) / (2 * step)
        assert gradient[row] == pytest.approx(slope, abs=1e-8)
        bend = (
            listwise(table, bought, weights - unit)[0] - listwise(table, bought, weights + unit)[0]
        )
        assert curvature[row] == pytest.approx(bend / (2 * step), abs=1e-8)


def test_lists_are_made_from_what_lay_before_and_averaged() -> None:
    features = (Feature.BASE, Feature.BOUGHT, Feature.CATEGORY)
    asked = task(features)
    whole = history("ab", "bc", "af")
    model = Model.of(CATALOGUE, ARTEFACTS.values())
    expected = []
    for kept, wanted in ((2, {0, 5}), (1, {1, 2})):
        before = history(*["ab", "bc"][:kept])
        know = Knowledge(shared=model, history=before, moment=UNKNOWN)
        chosen = candidates(model, know, 5)
        table = know.table(features)[chosen]
        bought = np.array([item in wanted for item in chosen.tolist()])
        gradient, curvature = listwise(table, bought, np.array([3.0, 0.0, 0.0]))
        upper = [
            curvature[i, j] * (1.0 if i == j else np.sqrt(2.0))
            for i in range(3)
            for j in range(i, 3)
        ]
        expected.append(np.concatenate([gradient, upper]))
    mean = np.mean(expected, axis=0)
    inputs = Inputs(history=whole, catalogue=CATALOGUE, artefacts=ARTEFACTS)
    assert contribution(asked, inputs) == pytest.approx(mean / max(np.linalg.norm(mean), 1.0))


def test_a_ranker_released_before_does_not_move_the_candidates() -> None:
    old = RankerArtefact(
        catalogue=CATALOGUE.hash, features=(Feature.BASE,), weights=np.array([-1.0])
    )
    inputs = Inputs(
        history=history("ab", "b"), catalogue=CATALOGUE, artefacts=ARTEFACTS | {old.task: old}
    )
    assert contribution(task(), inputs).tolist() == given_by(task(), "ab", "b").tolist()


def test_context_takes_part_only_for_known_moments() -> None:
    """The made-up baskets are a day and an hour apart; only the day is granted."""
    context = (Feature.BASE, Feature.WEEKDAY, Feature.DAYPART, Feature.STORE)
    week = ["a", "b", "b", "b", "b", "b", "b", "ab"]
    blind, aware = given_by(task(context), *week), given_by(task(context, moments=True), *week)
    assert not blind[1:4].any()
    assert aware[1]
    assert not aware[2:4].any()


def test_it_needs_the_grant_for_training() -> None:
    with pytest.raises(ConsentError, match="train"):
        contribute(task(), granted("ab", "a", purpose=Purpose.PERSONALISE), CATALOGUE)
    events = granted("ab", "a")
    found = contribute(task(), events, CATALOGUE, artefacts=ARTEFACTS)
    assert found.tolist() == given_by(task(), "ab", "a").tolist()


def test_every_feature_has_a_column_and_a_source() -> None:
    assert set(COLUMNS) == set(Feature)
    assert set(SOURCES) | set(HALF_LIVES) == set(Feature) - {Feature.BASE}
    assert not set(SOURCES) & set(HALF_LIVES)
