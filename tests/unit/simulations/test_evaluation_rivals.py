"""The rivals against their papers' formulas written out, and what a whole run records of them."""

from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from client.contributions.history import FloatArray, History
from consent.tasks.names import TaskName
from crypto.errors import InvalidInputError
from simulations.evaluation.dataset import evaluate_dataset, evaluate_population
from simulations.evaluation.metrics import Scorer, measure
from simulations.evaluation.models.factors import ials
from simulations.evaluation.models.features import NAMES, Features
from simulations.evaluation.models.linear import ease, weights
from simulations.evaluation.models.neighbours import tifu_knn, up_cf
from simulations.evaluation.models.registry import LEAVE_ONE_OUT, NEXT_BASKET, RivalName
from simulations.evaluation.models.shoppers import matrix, once, rows_of_tested
from simulations.evaluation.models.trees import NOT_A_CANDIDATE, lambda_rank
from simulations.evaluation.options import (
    Options,
    Protocol,
    protocol_named,
    rivals_named,
    stage_named,
)
from simulations.evaluation.protocol import Fold, Stage, split
from simulations.evaluation.release import ALL_TASKS, Noise, release
from simulations.evaluation.tables import quality_table
from simulations.evaluation.tuning import coordinate_search
from simulations.population.population import Population
from simulations.population.synthetic import synthetic
from tests.unit.simulations.test_evaluation import SMALL, population, random_shops


@pytest.fixture(scope="module")
def fold() -> Fold:
    return split(population(random_shops(2))).test


def every(model: Scorer, fold: Fold) -> FloatArray:
    return model(slice(0, len(fold.tested)))


def baskets(history: History) -> list[FloatArray]:
    return [
        np.bincount(history.item[history.basket == n], minlength=history.items).astype(float)
        for n in range(history.baskets)
    ]


def test_the_matrix_counts_every_training_shopper(fold: Fold) -> None:
    counted = matrix(fold, once).toarray()
    assert counted.shape == (len(fold.histories), 6)
    for row, history in zip(counted, fold.histories.values(), strict=True):
        assert row.tolist() == history.counts.tolist()
    names = list(fold.histories)
    assert [names[row] for row in rows_of_tested(fold)] == list(fold.tested)


def test_tifu_knn_is_the_papers_formula(fold: Fold) -> None:
    within, across, group, own, near = 0.9, 0.6, 3, 0.7, 4

    def vector(history: History) -> FloatArray:
        latest_first = baskets(history)[::-1]
        groups = [latest_first[n : n + group] for n in range(0, len(latest_first), group)]
        whole = [
            sum(within**place * basket for place, basket in enumerate(part)) / len(part)
            for part in groups
        ]
        return np.asarray(sum(across**age * part for age, part in enumerate(whole)) / len(whole))

    vectors = {name: vector(history) for name, history in fold.histories.items()}
    got = every(
        tifu_knn(neighbours=near, group=group, within=within, across=across, own=own)(fold), fold
    )
    for row, name in enumerate(fold.tested):
        distance = {
            other: float(np.linalg.norm(vectors[other] - vectors[name]))
            for other in vectors
            if other != name
        }
        ordered = sorted(distance, key=lambda other: distance[other])
        if distance[ordered[near - 1]] + 1e-9 >= distance[ordered[near]]:
            continue  # a tie at the edge: either neighbour is right
        mean = np.mean([vectors[other] for other in ordered[:near]], axis=0)
        assert got[row] == pytest.approx(own * vectors[name] + (1 - own) * mean)


def test_up_cf_is_the_papers_formula(fold: Fold) -> None:
    recent, asymmetry, locality = 2, 0.3, 3.0
    share = {
        name: np.mean(baskets(history)[-recent:], axis=0)
        for name, history in fold.histories.items()
    }
    got = every(up_cf(recent=recent, asymmetry=asymmetry, locality=locality)(fold), fold)
    for row, name in enumerate(fold.tested):
        mine = share[name] > 0
        want = np.zeros(6)
        for theirs in share.values():
            both = (mine & (theirs > 0)).sum()
            alike = both / (mine.sum() ** asymmetry * (theirs > 0).sum() ** (1 - asymmetry))
            want += alike**locality * theirs
        assert got[row] == pytest.approx(want)


def test_ease_solves_its_regressions(fold: Fold) -> None:
    x = (matrix(fold, once) > 0).toarray().astype(float)
    got = every(ease(ridge=2.0, profile="binary")(fold), fold)
    chosen = x[rows_of_tested(fold)]
    for j in range(6):
        others = [i for i in range(6) if i != j]
        part = x[:, others]
        solved = np.linalg.solve(part.T @ part + 2 * np.eye(5), part.T @ x[:, j])
        assert got[:, j] == pytest.approx(chosen[:, others] @ solved)
    popular = every(ease(ridge=2.0, profile="binary", popularity_power=0.5)(fold), fold)
    assert popular == pytest.approx(got / np.sqrt(x.sum(axis=0)))
    assert np.diag(weights(matrix(fold, once), 1.0)).tolist() == [0.0] * 6


def test_ease_with_roots_and_own_counts_is_the_fixed_baseline(fold: Fold) -> None:
    from simulations.evaluation.baselines import central_item_item  # noqa: PLC0415

    tested_only = {name: fold.histories[name] for name in fold.tested}
    reduced = Fold(stage=fold.stage, training=fold.training, tested=fold.tested, truth=fold.truth)
    reduced.__dict__["histories"] = tested_only
    got = every(ease(ridge=5.0, profile="roots", own=1.0)(reduced), reduced)
    assert got == pytest.approx(every(central_item_item(reduced, ridge=5.0), reduced))


def test_ials_is_a_stationary_point_of_its_loss(fold: Fold) -> None:
    """Its shopper vectors solve the weighted least squares of the published objective."""
    counts = matrix(fold, once).toarray()
    got = every(ials(factors=3, regularisation=0.7, confidence=2.0, iterations=300)(fold), fold)
    again = every(ials(factors=3, regularisation=0.7, confidence=2.0, iterations=300)(fold), fold)
    assert np.array_equal(got, again)
    shoppers, items, confidence = _als(counts, factors=3, ridge=0.7, alpha=2.0)
    mine = (shoppers @ items.T)[rows_of_tested(fold)]

    def loss(scores: FloatArray) -> float:
        wanted = counts[rows_of_tested(fold)] > 0
        return float((confidence[rows_of_tested(fold)] * (wanted - scores) ** 2).sum())

    assert loss(got) == pytest.approx(loss(mine), rel=0.03)


def _als(
    counts: FloatArray, *, factors: int, ridge: float, alpha: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Alternating least squares as Hu et al. 2008 write it, without any shortcut."""
    rng = np.random.default_rng(0)
    wanted = (counts > 0).astype(float)
    confidence = np.where(counts > 0, alpha * counts, 1.0)
    items = rng.normal(0, 0.3, (counts.shape[1], factors))
    shoppers = np.zeros((counts.shape[0], factors))
    for _ in range(300):
        for side, other, weight, target in (
            (shoppers, items, confidence, wanted),
            (items, shoppers, confidence.T, wanted.T),
        ):
            for row in range(len(side)):
                left = (other.T * weight[row]) @ other + ridge * np.eye(factors)
                side[row] = np.linalg.solve(left, (other.T * weight[row]) @ target[row])
    return shoppers, items, confidence


def test_features_by_hand() -> None:
    fold = split(population({"ann": ["ab", "a", "c", "ab", "f"], **SMALL})).test
    artefacts = release(fold, Noise.none(), rng=np.random.default_rng(0)).values()
    history = fold.histories["ann"]
    rows = Features(fold.training.catalogue, artefacts).rows(history, np.arange(6))
    table = {name: rows[:, column] for column, name in enumerate(NAMES)}
    assert content_counts(fold, "ann") == table["baskets"].tolist()
    for item in range(6):
        seen = np.unique(history.basket[history.item == item])
        if not seen.size:
            assert np.isnan(table["baskets since"][item])
            continue
        assert table["baskets since"][item] == history.baskets - 1 - seen[-1]
        gap = np.diff(seen).mean() if seen.size > 1 else np.nan
        assert table["mean gap in baskets"][item] == pytest.approx(gap, nan_ok=True)
        assert (table["device last-basket"][item] > 0) == (seen[-1] == history.baskets - 1)
    # The made-up shops have a basket every 100,000 seconds; without the hour, days count.
    day = np.arange(history.baskets) * 100_000 // 86_400
    last = [day[history.basket[history.item == i]].max(initial=-1) for i in range(6)]
    since = [day[-1] - each if each >= 0 else np.nan for each in last]
    assert table["days since"] == pytest.approx(since, nan_ok=True)
    assert table["her baskets"].tolist() == [history.baskets] * 6


def content_counts(fold: Fold, shopper: str) -> list[float]:
    return list(fold.histories[shopper].counts.tolist())


@pytest.fixture(scope="module")
def shop() -> Population:
    return synthetic(shoppers=150, items=60, stores=0, seed=3)


def test_lambda_rank_learns_what_shoppers_come_back_to(shop: Population) -> None:
    fold = split(shop).test
    model = lambda_rank(trees=30, leaves=7, rate=0.1)(fold)
    found = float(np.nanmean(measure(model, fold)["ndcg@10"]))
    rng = np.random.default_rng(0)
    blind = measure(lambda rows: rng.random((rows.stop - rows.start, 60)), fold)["ndcg@10"]
    assert found > 1.5 * float(np.nanmean(blind))
    with pytest.raises(InvalidInputError, match="trees=0"):
        lambda_rank(trees=0, leaves=7, rate=0.1)


def test_lambda_rank_says_what_it_lacks() -> None:
    few = split(population({f"s{n}": ["ab", "cd", "ae"] for n in range(9)})).validation
    with pytest.raises(InvalidInputError, match="leave it out of --rivals"):
        lambda_rank(trees=5, leaves=4, rate=0.1)(few)


def test_lambda_rank_lists_its_candidates_alone(
    shop: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulations.evaluation.models.trees.POPULAR", 5)
    fold = split(replace(shop, name="again")).test  # nothing cached for the first serves it
    scores = every(lambda_rank(trees=5, leaves=4, rate=0.1)(fold), fold)
    listed = (scores > NOT_A_CANDIDATE).sum(axis=1)
    own = np.array([np.unique(fold.histories[name].item).size for name in fold.tested])
    assert (listed <= own + 5).all()
    assert (listed >= own).all()


def test_no_rival_sees_what_is_held_out(shop: Population) -> None:
    """Other held-out baskets, the same training data: the same scores to the last bit."""
    shops = random_shops(1)
    other = {name: [*b[:-1], "f"] if len(b) >= 3 else b for name, b in shops.items()}
    first, second = (split(population(s)).test for s in (shops, other))
    assert any(a.tolist() != b.tolist() for a, b in zip(first.truth, second.truth, strict=True))
    for name, rival in NEXT_BASKET.items():
        model = rival.build(**rival.start)
        assert np.array_equal(every(model(first), first), every(model(second), second)), name


def printed(metrics: dict[str, Any]) -> str:
    out = StringIO()
    Console(width=240, file=out).print(quality_table(metrics))
    return out.getvalue()


def test_coordinate_search_keeps_the_first_of_equals_and_scores_nothing_twice() -> None:
    seen: list[tuple[int, int]] = []

    def score(settings: Mapping[str, Any]) -> float:
        seen.append((settings["a"], settings["b"]))
        return float(-((settings["a"] - 2) ** 2) - abs(settings["b"] - 1.5))

    found = coordinate_search({"a": 0, "b": 0}, {"a": (0, 1, 2, 3), "b": (1, 2)}, score)
    assert found.chosen == {"a": 2, "b": 1}
    assert found.value == -0.5
    # a at b = 0, then b at a = 2, and once more all of a at b = 1.
    assert len(seen) == len(set(seen)) == len(found.tried) == 4 + 2 + 3
    assert found.to_json()["tried"][0] == [{"a": 0, "b": 0}, -5.5]


def test_rivals_are_tuned_on_validation_and_recorded(shop: Population) -> None:
    options = Options(
        epsilons=(1.0, None), seeds=2, rivals=(RivalName.TIFU_KNN, RivalName.UP_CF, RivalName.EASE)
    )
    metrics = evaluate_population(shop, options)
    assert metrics["tuning"].keys() == {"TIFU-KNN", "UP-CF", "EASE"}
    for name, record in metrics["tuning"].items():
        assert record["on"] == "validation"
        assert record["value"] == max(value for _, value in record["tried"])
        rival = NEXT_BASKET[RivalName(name)]
        validation = split(shop).validation
        again = measure(rival.build(**record["chosen"])(validation), validation)["ndcg@10"]
        assert record["value"] == pytest.approx(float(np.nanmean(again)))
    [(view, models)] = metrics["quality"].items()
    assert view == "next-basket test"
    assert list(models)[-2:] == ["fedcart, epsilon 1", "fedcart, no noise"]
    assert metrics["seconds"].keys() == models.keys()
    assert len(metrics["seeds"][view]["fedcart, epsilon 1"]) == 2
    assert np.mean(metrics["seeds"][view]["fedcart, epsilon 1"]) == pytest.approx(
        models["fedcart, epsilon 1"]["ndcg@10"]
    )
    compared = {(one["first"], one["second"]) for one in metrics["comparisons"][view]}
    assert ("fedcart, epsilon 1", "TIFU-KNN") in compared
    assert ("fedcart, epsilon 1", "fedcart, no noise") in compared
    text = printed(metrics)
    assert "Tuned on validation" in text
    assert "Differences in NDCG@10, paired by shopper" in text


def test_noise_as_for_more_shoppers_is_labelled_and_smaller(shop: Population) -> None:
    plain, scaled = (
        evaluate_population(shop, Options(noise_shoppers=many)) for many in (None, 1_500)
    )
    [name] = scaled["releases"]
    assert name == "fedcart, epsilon 2, noise as for 1,500 shoppers"
    assert scaled["privacy"]["noise_as_for_shoppers"] == 1500
    before, after = (next(iter(run["releases"].values())) for run in (plain, scaled))
    # With so many the gate lets item-item in, and the budget has a third part.
    assert after.keys() - before.keys() == {"item-item"}
    recent, overall = (
        Noise.of(2.0, tasks=ALL_TASKS, overhead=1.1).stddev[task] / 10
        for task in (TaskName.RECENT_POPULARITY, TaskName.POPULARITY)
    )
    assert after["recent-popularity"] == pytest.approx(recent)
    assert after["popularity"] == pytest.approx(overall)


def test_leave_one_out_runs_whole(shop: Population) -> None:
    options = Options(
        protocol=Protocol.LEAVE_ONE_OUT,
        stage=Stage.VALIDATION,
        epsilons=(4.0,),
        rivals=(RivalName.EASE, RivalName.TIFU_KNN),
    )
    metrics = evaluate_population(shop, options)
    assert list(metrics["quality"]) == [
        "leave-one-out validation, negatives",
        "leave-one-out validation, full ranking",
    ]
    for models in metrics["quality"].values():
        assert list(models) == ["global top", "EASE", "fedcart, epsilon 4"]
        for values in models.values():
            assert 0 <= values["ndcg@10"] <= values["hr@10"] <= 1
    assert metrics["checks"]["leak probe"]["control"] > 0.9
    assert {one["model"] for one in metrics["published"]} >= {"FedMF", "PFedRec"}
    assert all("leak" in one["note"] for one in metrics["published"] if one["federated"])
    assert any("TIFU-KNN is not made for leave-one-out" in said for said in metrics["warnings"])
    assert any(said.startswith("Negatives: ") for said in metrics["warnings"])
    text = printed(metrics)
    assert "Published by others, on MovieLens 1M" in text
    assert "synthetic-150x60-3 has 150 and 60" in " ".join(text.split())
    assert "at chance, as it must be" in text
    assert set(LEAVE_ONE_OUT) <= set(RivalName)


def test_rivals_are_named_between_commas() -> None:
    assert rivals_named("all", Protocol.NEXT_BASKET) == tuple(RivalName)
    assert rivals_named("all", Protocol.LEAVE_ONE_OUT) == (RivalName.EASE, RivalName.IALS)
    assert rivals_named("none", Protocol.NEXT_BASKET) == ()
    found = rivals_named("tifu-knn, EASE,ease", Protocol.NEXT_BASKET)
    assert found == (RivalName.TIFU_KNN, RivalName.EASE)
    with pytest.raises(InvalidInputError, match="Unknown rival 'gru'"):
        rivals_named("gru", Protocol.NEXT_BASKET)


def test_impossible_options_are_refused() -> None:
    wrong: tuple[dict[str, Any], ...] = (
        {"epsilons": ()},
        {"epsilons": (1.0, 1.0)},
        {"seeds": 0},
        {"noise_shoppers": 0},
        {"minimum": 2},
        {"negatives": Path("given.csv")},
    )
    for options in wrong:
        with pytest.raises(InvalidInputError):
            Options(**options)
    with pytest.raises(InvalidInputError, match="next-basket and leave-one-out"):
        protocol_named("crystal-ball")
    with pytest.raises(InvalidInputError, match="validation and test"):
        stage_named("dress rehearsal")
    assert stage_named("test") is Stage.TEST
    assert evaluate_dataset(population(random_shops(8)))["stage"] == "test"
