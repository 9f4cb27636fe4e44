"""The figures of decision 0005 on validation baskets, within what seeds and platforms may move.

Validation, not test: this runs on every change, and whoever tunes must not learn from the test.
All product classes are read, as in the literature on these data, unless a test says otherwise.
"""

import numpy as np
import pytest

from consent.tasks.names import TaskName
from server.artefacts.signal import REFERENCE, item_item_verdict
from simulations.evaluation import baselines
from simulations.evaluation.evaluate import compare, on_device, per_shopper
from simulations.evaluation.models.neighbours import tifu_knn, up_cf
from simulations.evaluation.protocol import Fold, split
from simulations.evaluation.release import ALL_TASKS, Noise, release
from simulations.evaluation.spectrum import reference_spectrum
from simulations.population.complete_journey import load_complete_journey
from simulations.population.population import Population
from simulations.population.sensitive import granted


@pytest.fixture(scope="module")
def population() -> Population:
    return granted(load_complete_journey())


@pytest.fixture(scope="module")
def fold(population: Population) -> Fold:
    return split(population).validation


def test_who_is_eligible(fold: Fold) -> None:
    assert len(fold.tested) == 2403
    assert len(fold.histories) == 2467


def test_what_withholding_sensitive_classes_changes(population: Population, fold: Fold) -> None:
    """37,002 lines; no model sees them, so none is told what another is not."""
    flagged = load_complete_journey()
    assert int(flagged.catalogue.sensitive.sum()) == 130
    kept = split(flagged).validation
    assert len(population.events) - len(split(flagged).population.events) == 37_002
    assert (len(kept.tested), len(kept.histories)) == (2400, 2467)
    assert not kept.training.catalogue.sensitive[np.concatenate(kept.truth)].any()
    means = [
        float(np.nanmean(measured["global"]["ndcg@10"]))
        for measured in (per_shopper({"global": baselines.global_top}, f) for f in (kept, fold))
    ]
    assert means == pytest.approx([0.1661, 0.1661], abs=4e-3)


def test_private_popularity_beats_personal_and_global_top(fold: Fold) -> None:
    rng = np.random.default_rng(11)
    artefacts = release(fold, Noise.of(2.0, overhead=1.1), rng=rng)
    measured = per_shopper(
        {
            "global": baselines.global_top,
            "both": baselines.personal_and_global_top,
            "device": on_device(artefacts.values()),
        },
        fold,
    )
    mean = {name: float(np.nanmean(values["ndcg@10"])) for name, values in measured.items()}
    assert mean["global"] == pytest.approx(0.1661, abs=1e-3)
    assert mean["both"] == pytest.approx(0.2591, abs=1e-3)
    assert mean["device"] == pytest.approx(0.2740, abs=2e-3)
    for metric in ("ndcg@10", "recall_explore@10"):
        _, (low, _) = compare(measured, "device", "both", metric=metric, rng=rng)
        assert low > 0, metric


def test_neighbour_methods_reach_their_tuned_figures(fold: Fold) -> None:
    measured = per_shopper(
        {
            "tifu": tifu_knn(neighbours=100, group=7, within=1.0, across=0.7, own=0.5),
            "upcf": up_cf(recent=25, asymmetry=0.75, locality=10.0),
        },
        fold,
    )
    assert float(np.nanmean(measured["tifu"]["ndcg@10"])) == pytest.approx(0.2687, abs=1e-3)
    assert float(np.nanmean(measured["upcf"]["ndcg@10"])) == pytest.approx(0.2632, abs=1e-3)


def test_the_recorded_spectrum_is_the_measured_one(population: Population) -> None:
    recorded = REFERENCE[256]
    measured = reference_spectrum(population, listed=256)[: len(recorded)]
    assert measured == pytest.approx(recorded, abs=6e-5)


@pytest.mark.parametrize(("epsilon", "worthwhile"), [(1, False), (2, False), (4, True), (8, True)])
def test_where_item_item_begins_to_pay(epsilon: float, worthwhile: bool) -> None:
    stddev = Noise.of(epsilon, tasks=ALL_TASKS, overhead=1.1).stddev[TaskName.ITEM_ITEM]
    verdict = item_item_verdict(shoppers=2467, listed=512, noise_stddev=stddev)
    assert verdict.worthwhile is worthwhile
