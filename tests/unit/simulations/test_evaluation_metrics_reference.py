"""Our metrics against trec_eval, the reference of information retrieval (pytrec_eval-terrier)."""

import numpy as np
import pytest
import pytrec_eval

from client.contributions.history import FloatArray, IndexArray
from simulations.evaluation.leave_one_out import LeaveOneOut
from simulations.evaluation.metrics import measure
from simulations.evaluation.negatives import drawn_negatives
from simulations.evaluation.protocol import Fold, split
from simulations.evaluation.ranks import measure_ranks
from simulations.population.synthetic import synthetic

CUTOFFS = "10,20"
MEASURES = {f"{name}.{CUTOFFS}" for name in ("ndcg_cut", "recall", "success")}


def reference(
    fold: Fold, scores: FloatArray, wanted: list[IndexArray], candidates: list[IndexArray]
) -> dict[str, FloatArray]:
    """trec_eval's figures, shape (tested,); NaN for shoppers without anything wanted.

    Scores are handed over as ranks: trec_eval keeps single precision, in which scores may tie.
    """
    judged, ranked = {}, {}
    for row, shopper in enumerate(fold.tested):
        if wanted[row].size:
            judged[shopper] = {str(item): 1 for item in wanted[row]}
            order = candidates[row][np.argsort(-scores[row, candidates[row]])]
            ranked[shopper] = {str(item): float(-place) for place, item in enumerate(order)}
    found = pytrec_eval.RelevanceEvaluator(judged, MEASURES).evaluate(ranked)
    return {
        f"{ours}@{k}": np.array(
            [found.get(shopper, {}).get(f"{theirs}_{k}", np.nan) for shopper in fold.tested]
        )
        for k in (10, 20)
        for ours, theirs in (("ndcg", "ndcg_cut"), ("recall", "recall"), ("phr", "success"))
    }


def test_next_basket_metrics_are_those_of_trec_eval() -> None:
    fold = split(synthetic(shoppers=120, items=80, seed=1)).test
    scores = np.random.default_rng(2).random((len(fold.tested), 80))
    got = measure(lambda rows: scores[rows], fold)
    everything = [np.arange(80)] * len(fold.tested)
    bought = [np.unique(fold.histories[shopper].item) for shopper in fold.tested]
    parts = {
        "": list(fold.truth),
        "_repeat": [np.intersect1d(t, b) for t, b in zip(fold.truth, bought, strict=True)],
        "_explore": [np.setdiff1d(t, b) for t, b in zip(fold.truth, bought, strict=True)],
    }
    for suffix, wanted in parts.items():
        for name, values in reference(fold, scores, wanted, everything).items():
            metric, k = name.split("@")
            ours = got[f"{metric}{suffix}@{k}"]
            assert ours == pytest.approx(values, nan_ok=True), (suffix, name)
    new = [np.setdiff1d(np.arange(80), had) for had in bought]
    for name, values in reference(fold, scores, parts["_explore"], new).items():
        metric, k = name.split("@")
        if metric != "phr":
            assert got[f"{metric}_new@{k}"] == pytest.approx(values, nan_ok=True), name


@pytest.mark.parametrize("full", [False, True])
def test_leave_one_out_metrics_are_those_of_trec_eval(full: bool) -> None:
    parts = LeaveOneOut(population=synthetic(shoppers=120, items=150, seed=3))
    drawn = drawn_negatives(parts, rng=np.random.default_rng(4))
    fold, negatives = drawn.restricted(parts.test)
    scores = np.random.default_rng(5).random((len(fold.tested), 150))
    got = measure_ranks(lambda rows: scores[rows], fold, negatives=None if full else negatives)
    rivals = list(negatives)
    if full:
        rivals = [
            np.setdiff1d(np.arange(150), np.append(fold.histories[shopper].item, truth))
            for shopper, truth in zip(fold.tested, fold.truth, strict=True)
        ]
    candidates = [np.append(t, r) for t, r in zip(fold.truth, rivals, strict=True)]
    want = reference(fold, scores, list(fold.truth), candidates)
    for k in (10, 20):
        assert got[f"hr@{k}"] == pytest.approx(want[f"phr@{k}"])
        assert got[f"ndcg@{k}"] == pytest.approx(want[f"ndcg@{k}"])
