"""The next-basket protocol: right splits, right metrics, and nothing of the test in the scores."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from client.contributions.history import FloatArray, History
from consent.events import Events
from consent.purpose import Purpose
from consent.tasks.catalogue import Catalogue
from consent.tasks.item_item import ItemItemArtefact
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact, PopularityTask
from crypto.errors import InvalidInputError
from simulations.evaluation import baselines
from simulations.evaluation.dataset import evaluate_dataset, quality_table
from simulations.evaluation.evaluate import compare, evaluate, on_device, per_shopper
from simulations.evaluation.metrics import interval, measure, summarise
from simulations.evaluation.protocol import Fold, Stage, history_of, split
from simulations.evaluation.release import (
    ALL_TASKS,
    TWO_TASKS,
    Noise,
    gaussian_multiplier,
    release,
    total,
)
from simulations.population.population import Population
from tests.unit.client.test_contributions import CATALOGUE as LETTERS

Shops = dict[str, list[str]]

SMALL: Shops = {
    "ann": ["ab", "ac", "ad", "ae"],
    "bob": ["bc", "bc", "bd"],
    "cat": ["a", "f"],  # too few baskets to be tested
    "dan": ["yz", "c", "cz", "y", "cd"],  # y and z are unknown: three baskets count
}


def population(shops: Shops, catalogue: Catalogue = LETTERS) -> Population:
    lines = [
        (shopper, f"{shopper}-{n}", item, 100_000 * n)
        for shopper, baskets in sorted(shops.items())
        for n, basket in enumerate(baskets)
        for item in basket
    ]
    columns = list(zip(*lines, strict=True))
    texts = [np.array(column, dtype=object) for column in columns[:3]]
    return Population(
        name="small",
        note="made up",
        catalogue=catalogue,
        events=Events(
            shopper=texts[0],
            basket=texts[1],
            item=texts[2],
            time=np.array(columns[3], dtype=np.int64),
            quantity=np.ones(len(lines)),
            price=np.ones(len(lines)),
            store=np.full(len(lines), "", dtype=object),
        ),
        stores={},
        devices=tuple(sorted(shops)),
        groups={},
    )


def random_shops(seed: int, shoppers: int = 40) -> Shops:
    rng = np.random.default_rng(seed)
    letters = np.array(list("abcdef"))
    return {
        f"s{n:02}": [
            "".join(rng.choice(letters, rng.integers(1, 4))) for _ in range(rng.integers(1, 9))
        ]
        for n in range(shoppers)
    }


def letters(items: np.ndarray[tuple[int], np.dtype[np.int64]]) -> str:
    return "".join(LETTERS.items[i] for i in items)


def content(history: History) -> list[str]:
    return [letters(history.item[history.basket == n]) for n in range(history.baskets)]


def test_the_last_basket_is_the_test_and_the_one_before_validation() -> None:
    parts = split(population(SMALL))
    assert parts.test.tested == parts.validation.tested == ("ann", "bob", "dan")
    assert [letters(t) for t in parts.test.truth] == ["ae", "bd", "cd"]
    assert [letters(t) for t in parts.validation.truth] == ["ad", "bc", "c"]
    assert content(parts.test.histories["ann"]) == ["ab", "ac", "ad"]
    assert content(parts.validation.histories["ann"]) == ["ab", "ac"]
    assert content(parts.test.histories["dan"]) == ["c", "c"]
    assert content(parts.validation.histories["bob"]) == ["bc"]


def test_who_is_not_tested_stays_in_training_whole() -> None:
    parts = split(population(SMALL))
    assert content(parts.validation.histories["cat"]) == ["a", "f"]
    assert split(population(SMALL), minimum_baskets=4).test.tested == ("ann",)


def test_nothing_to_test_and_too_low_a_minimum_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="nothing to evaluate"):
        _ = split(population({"ann": ["a"]})).test
    with pytest.raises(InvalidInputError, match="minimum_baskets=2"):
        split(population(SMALL), minimum_baskets=2)


def models(fold: Fold, seed: int = 0) -> dict[str, FloatArray]:
    artefacts = release(fold, Noise.of(4.0, tasks=ALL_TASKS), rng=np.random.default_rng(seed))
    fitted = {**baselines.BASELINES, "device": on_device(artefacts.values())}
    return {name: fit(fold)(slice(0, len(fold.tested))) for name, fit in fitted.items()}


@pytest.mark.parametrize("stage", list(Stage))
def test_what_is_held_out_never_moves_a_score(stage: Stage) -> None:
    shops = random_shops(1)
    held = 1 if stage is Stage.TEST else 2
    # Same shoppers and basket counts; the held-out baskets are replaced by something else.
    other = {name: [*b[:-held], *["f"] * held] if len(b) >= 3 else b for name, b in shops.items()}
    first, second = (getattr(split(population(s)), stage) for s in (shops, other))
    assert first.tested == second.tested
    assert any(a.tolist() != b.tolist() for a, b in zip(first.truth, second.truth, strict=True))
    for name, scores in models(first).items():
        assert np.array_equal(scores, models(second)[name]), name


def test_the_leak_check_can_fail() -> None:
    """Training data that keep the held-out basket do move the scores."""
    fold = split(population(random_shops(1))).test
    leaky = replace(fold, training=split(population(random_shops(1))).population)
    for name, scores in models(leaky).items():
        if name != "global top":
            assert not np.array_equal(scores, models(fold)[name]), name


def test_metrics_by_hand() -> None:
    fold = split(population(SMALL)).test
    # Ranks a, e, b for ann (truth a and e; only a bought before), and likewise for the others.
    scores = np.array([[9, 7, 0, 0, 8, 0], [9, 8, 0, 0, 0, 7], [0, 0, 0, 9, 8, 7]], dtype=float)
    got = measure(lambda rows: scores[rows], fold, cutoffs=(2, 3))
    assert got["recall@2"].tolist() == [1.0, 0.5, 0.5]
    second = 1 / math.log2(3)
    assert got["ndcg@2"] == pytest.approx([1.0, second / (1 + second), 1 / (1 + second)])
    assert got["phr@2"].tolist() == [1, 1, 1]
    assert got["recall_repeat@2"].tolist() == [1, 1, 0]
    assert got["recall_explore@2"].tolist() == [1, 0, 1]
    assert got["ndcg_explore@2"] == pytest.approx([second, 0, 1])
    assert got["repeat_share@2"].tolist() == [0.5, 0.5, 0.0]
    assert got["repeat_share@3"] == pytest.approx([2 / 3, 1 / 3, 0.0])


def test_metrics_agree_with_a_plain_loop() -> None:
    fold = split(population(random_shops(2))).test
    scores = np.random.default_rng(3).random((len(fold.tested), 6))
    got = measure(lambda rows: scores[rows], fold, cutoffs=(3,))
    for row, (shopper, truth) in enumerate(zip(fold.tested, fold.truth, strict=True)):
        ranked = sorted(range(6), key=(-scores[row]).__getitem__)[:3]
        bought = set(fold.histories[shopper].item.tolist())
        for suffix, part in {
            "": set(truth.tolist()),
            "_repeat": set(truth.tolist()) & bought,
            "_explore": set(truth.tolist()) - bought,
        }.items():
            if not part:
                assert np.isnan(got[f"recall{suffix}@3"][row])
                continue
            gain = sum(1 / math.log2(r + 2) for r, item in enumerate(ranked) if item in part)
            ideal = sum(1 / math.log2(r + 2) for r in range(min(3, len(part))))
            assert got[f"ndcg{suffix}@3"][row] == pytest.approx(gain / ideal)
            assert got[f"recall{suffix}@3"][row] == pytest.approx(len(part & {*ranked}) / len(part))


def test_a_score_that_is_not_a_number_is_refused() -> None:
    fold = split(population(random_shops(2))).test
    with pytest.raises(InvalidInputError, match="NaN"):
        measure(lambda rows: np.full((rows.stop - rows.start, 6), np.nan), fold)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    fold = split(population(random_shops(2))).test
    whole = measure(baselines.personal_and_global_top(fold), fold)
    monkeypatch.setattr("simulations.evaluation.metrics.SHOPPERS_AT_ONCE", 7)
    for name, values in measure(baselines.personal_and_global_top(fold), fold).items():
        assert np.array_equal(values, whole[name], equal_nan=True)


def test_intervals_have_the_width_of_the_standard_error() -> None:
    rng = np.random.default_rng(4)
    table = rng.normal(3.0, 2.0, (2000, 1))
    low, high = interval(table, rng=rng, resamples=4000)
    assert (high - low)[0] == pytest.approx(2 * 1.96 * 2.0 / math.sqrt(2000), rel=0.06)
    assert low[0] < table.mean() < high[0]


def test_a_metric_that_nobody_has_is_left_out_and_a_rare_one_stays_finite() -> None:
    rare = np.full(50, np.nan)
    rare[3] = 0.5
    got = summarise({"none": np.full(50, np.nan), "rare": rare}, rng=np.random.default_rng(1))
    assert got == {"rare": 0.5, "rare_ci": [0.5, 0.5]}


def test_pairing_removes_what_two_models_share() -> None:
    rng = np.random.default_rng(5)
    level = rng.normal(0, 5, 400)
    measured = {"a": {"m": level + 0.1}, "b": {"m": level + rng.normal(0, 0.05, 400)}}
    mean, (low, high) = compare(measured, "a", "b", metric="m", rng=rng)
    assert mean == pytest.approx(0.1, abs=0.01)
    assert 0.08 < low < high < 0.12


def test_the_multiplier_is_the_published_one_and_its_delta_is_exact() -> None:
    assert gaussian_multiplier(1.0, 1e-5) == pytest.approx(3.73, abs=0.005)
    assert gaussian_multiplier(8.0, 1e-5) == pytest.approx(0.600, abs=0.001)
    # Integrate the privacy loss of N(1, z²) against N(0, z²) directly.
    z = gaussian_multiplier(2.0, 1e-5)
    x = np.linspace(-12 * z, 12 * z + 1, 2_000_001)
    density = [
        np.exp(-((x - shift) ** 2) / (2 * z * z)) / math.sqrt(2 * math.pi) / z for shift in (1, 0)
    ]
    delta = np.trapezoid(np.maximum(density[0] - math.exp(2.0) * density[1], 0), x)
    assert delta == pytest.approx(1e-5, rel=1e-3)


@pytest.mark.parametrize("tasks", [TWO_TASKS, ALL_TASKS])
def test_the_shares_of_a_budget_compose_to_the_whole(tasks: frozenset[TaskName]) -> None:
    noise = Noise.of(2.0, tasks=tasks)
    together = sum(stddev**-2 for stddev in noise.stddev.values()) ** -0.5
    assert together == pytest.approx(gaussian_multiplier(2.0, 1e-5))
    assert noise.scaled(0.5).stddev[TaskName.POPULARITY] * 2 == noise.stddev[TaskName.POPULARITY]


def test_item_item_without_popularity_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="popularity"):
        Noise.of(1.0, tasks=frozenset({TaskName.ITEM_ITEM}))


def test_a_release_is_the_sum_plus_noise_of_the_stated_size() -> None:
    fold = split(population(random_shops(6, shoppers=200))).test
    clean = release(fold, Noise.none(), rng=np.random.default_rng(0))
    popularity, pairs = clean[TaskName.POPULARITY], clean[TaskName.ITEM_ITEM]
    assert isinstance(popularity, PopularityArtefact)
    assert isinstance(pairs, ItemItemArtefact)
    summed = np.zeros(6)
    for shopper in fold.training.shoppers:
        counts = history_of(fold.training, shopper, Purpose.TRAIN).counts
        summed += np.sqrt(counts / counts.sum())
    assert popularity.scores == pytest.approx(summed / summed.max())
    draws = []
    for seed in range(60):
        noisy = release(
            fold, Noise(stddev={TaskName.POPULARITY: 3.0}), rng=np.random.default_rng(seed)
        )[TaskName.POPULARITY]
        assert isinstance(noisy, PopularityArtefact)
        draws.append(noisy.scores / noisy.scores.mean())
    assert np.std(draws, axis=0) * summed.mean() == pytest.approx(np.full(6, 3.0), rel=0.35)


def test_the_sum_is_over_every_training_shopper() -> None:
    fold = split(population(SMALL)).test
    values = total(fold, PopularityTask(items=6))
    assert values[5] == pytest.approx(math.sqrt(0.5))  # cat's f, who is not tested herself


def test_baselines_rank_as_their_names_say() -> None:
    fold = split(population(SMALL)).test
    everyone = slice(0, 3)
    top = baselines.global_top(fold)(everyone)
    assert top[0].tolist() == top[2].tolist() == [4, 3, 5, 1, 0, 1]
    assert baselines.personal_top(fold)(everyone)[0].tolist() == [3, 1, 1, 1, 0, 0]
    both = baselines.personal_and_global_top(fold)(everyone)
    assert np.argsort(-both[0], kind="stable")[:4].tolist() == [0, 2, 1, 3]


def test_central_item_item_is_ease() -> None:
    fold = split(population(random_shops(7))).test
    got = baselines.central_item_item(fold, ridge=2.0)(slice(0, len(fold.tested)))
    x = np.sqrt(fold.counts.toarray())
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    for j in range(6):
        others = [i for i in range(6) if i != j]
        weights = np.linalg.solve(
            x[:, others].T @ x[:, others] + 2 * np.eye(5), x[:, others].T @ x[:, j]
        )
        assert got[:, j] == pytest.approx(x[:, j] + x[:, others] @ weights)


def test_a_whole_data_set_comes_out_in_the_shape_of_metrics_json() -> None:
    metrics = evaluate_dataset(population(random_shops(8)), epsilon=1.0)
    (models,) = metrics["quality"].values()
    assert list(models) == [*baselines.BASELINES, "fedcart, epsilon 1"]
    assert all(task["sealing"] == "none" for task in metrics["tasks"].values())
    assert set(metrics["tasks"]) == {"popularity", "recent-popularity", "ranker"}
    assert any("Item-item is off" in warning for warning in metrics["warnings"])
    for values in models.values():
        for name in itertools.chain(values):
            if not name.endswith("_ci"):
                low, high = values[f"{name}_ci"]
                assert low - 1e-12 <= values[name] <= high + 1e-12
    console = Console(width=200, record=True, quiet=True)
    console.print(quality_table(metrics))
    free = evaluate_dataset(population(random_shops(8)), epsilon=None, stage=Stage.VALIDATION)
    assert "item-item" in free["tasks"]
    assert list(free["quality"]) == ["next-basket validation"]


def test_the_same_seed_gives_the_same_metrics() -> None:
    first, second = (evaluate_dataset(population(random_shops(8)), seed=3) for _ in range(2))
    assert first.pop("seconds").keys() == second.pop("seconds").keys()
    assert first == second


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="next-basket"):
        evaluate_dataset(population(SMALL), protocol="crystal-ball")


def test_evaluate_reports_every_model() -> None:
    fold = split(population(random_shops(9))).validation
    got = evaluate(baselines.BASELINES, fold, rng=np.random.default_rng(0))
    measured = per_shopper(baselines.BASELINES, fold)
    assert got["global top"]["ndcg@10"] == pytest.approx(
        float(np.mean(measured["global top"]["ndcg@10"]))
    )
