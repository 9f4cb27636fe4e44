"""Lists with their discovery zone as evaluated models: the list is untouched, the zone counts."""

from typing import Any

import numpy as np
import pytest

from client.recommender.discovery import Zone
from client.recommender.openness import Breadth, slots
from client.recommender.scores import Model
from crypto.errors import InvalidInputError
from simulations.evaluation.dataset import evaluate_population
from simulations.evaluation.discovery import LIST, ZONE_METRICS, ZONED, placed
from simulations.evaluation.options import Options, Protocol
from simulations.evaluation.page import to_html
from simulations.evaluation.protocol import Stage, split
from simulations.evaluation.release import DELTA, TWO_TASKS, Noise, release
from simulations.evaluation.significance import holm
from simulations.population.synthetic import Habits, synthetic

TOWN = synthetic(40, 60, seed=4, categories=10, habits=Habits(repeat=0.4))
FREE = "fedcart, no noise"


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    options = Options(stage=Stage.VALIDATION, epsilons=(None, 8.0), seeds=2, discovery=True)
    return evaluate_population(TOWN, options)


def test_places_are_list_then_zone_then_the_rest() -> None:
    fold = split(TOWN).validation
    made = release(fold, Noise.none(TWO_TASKS), rng=np.random.default_rng(0))
    model, zone = Model.of(fold.training.catalogue, made.values()), Zone(mean=4.0)
    for name in fold.tested:
        history = fold.histories[name]
        plain = np.argsort(-model.scores(history).total, kind="stable")
        found = placed(
            model, history, zone=zone, breadth=Breadth.AS_I_SHOP, rng=np.random.default_rng(1)
        )
        order = np.argsort(-found, kind="stable")
        assert sorted(order) == list(range(len(fold.training.catalogue)))
        np.testing.assert_array_equal(order[:LIST], plain[:LIST])
        count = slots(history, Breadth.AS_I_SHOP, mean=zone.mean, most=zone.most)
        drawn = order[LIST : LIST + count]
        assert not history.counts[drawn].any()
        rest = order[LIST + count :]
        np.testing.assert_array_equal(rest, [item for item in plain[LIST:] if item not in drawn])
        shut = placed(model, history, zone=zone, breadth=Breadth.NONE, rng=np.random.default_rng(1))
        np.testing.assert_array_equal(np.argsort(-shut, kind="stable"), plain)


def test_a_zone_is_a_row_of_its_own_and_leaves_ten_places_alone(record: dict[str, Any]) -> None:
    [models] = record["quality"].values()
    for name in (FREE, "fedcart, epsilon 8"):
        for metric in ("ndcg@10", "recall_explore@10"):
            assert models[ZONED + name][metric] == models[name][metric]
    assert models[ZONED + FREE]["recall_explore@20"] > models[FREE]["recall_explore@20"]
    [compared] = record["comparisons"].values()
    pairs = {(one["first"], one["second"], one["metric"]) for one in compared}
    assert {(ZONED + FREE, FREE, metric) for metric in ZONE_METRICS} <= pairs
    assert not any(one["second"].startswith(ZONED) for one in compared)
    for metric in ("ndcg@10", "recall_explore@20"):  # one table, one family
        family = [one for one in compared if one["metric"] == metric]
        adjusted = [one["p_holm"] for one in family]
        assert adjusted == pytest.approx(holm([one["p"] for one in family]))
    assert ZONED + FREE in to_html(record)


def test_one_bounded_budget_gives_the_record_its_delta(record: dict[str, Any]) -> None:
    assert record["privacy"]["epsilons"] == [None, 8.0]
    assert record["privacy"]["delta"] == DELTA


def test_leave_one_out_has_no_zone() -> None:
    with pytest.raises(InvalidInputError, match="next-basket"):
        Options(protocol=Protocol.LEAVE_ONE_OUT, discovery=True)
