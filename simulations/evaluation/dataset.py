"""Evaluate a whole data set offline: the baselines, and the recommender at one privacy budget."""

from typing import Any, Literal

import numpy as np
from rich.table import Table

from consent.tasks.task import TaskName
from crypto.errors import InvalidInputError
from server.artefacts.item_item import LISTED
from server.artefacts.signal import Verdict, item_item_verdict
from simulations.evaluation.baselines import BASELINES
from simulations.evaluation.evaluate import Recommender, on_device, per_shopper
from simulations.evaluation.metrics import summarise
from simulations.evaluation.protocol import MINIMUM_BASKETS, Fold, Stage, split
from simulations.evaluation.release import ALL_TASKS, DELTA, TWO_TASKS, Noise, release
from simulations.population.population import Population

Protocol = Literal["next-basket"]

# Noise drawn by survivors beyond the planned minimum, as a factor on its standard deviation.
OVERHEAD = 1.1
COLUMNS = {
    "ndcg@10": "NDCG@10",
    "recall@10": "recall@10",
    "recall_repeat@10": "… repeat",
    "recall_explore@10": "… explore",
    "phr@10": "PHR@10",
    "repeat_share@10": "repeats in list",
}


def evaluate_dataset(
    population: Population,
    *,
    protocol: Protocol = "next-basket",
    stage: Stage = Stage.TEST,
    epsilon: float | None = 2.0,
    minimum_baskets: int = MINIMUM_BASKETS,
    seed: int = 0,
) -> dict[str, Any]:
    """Metrics of every baseline and of the recommender, in the shape of ``metrics.json``.

    Artefacts are plain sums of the training contributions with Gaussian noise for ``epsilon``
    (nothing is sealed here, and the result says so); item-item takes part where the gate finds it
    worthwhile. Everything is fitted without the held-out baskets.

    Args:
        population: the data.
        protocol: "next-basket".
        stage: which baskets are foretold; tune on validation, report the test.
        epsilon: privacy budget of all tasks together at δ = 1e-5; None releases without noise.
        minimum_baskets: how many an evaluated shopper has at least.
        seed: of the noise and the bootstrap.

    Raises:
        InvalidInputError: an unknown protocol, or no eligible shopper.
    """
    if protocol != "next-basket":
        raise InvalidInputError(f"Unknown protocol {protocol!r}; this version has next-basket.")
    parts = split(population, minimum_baskets=minimum_baskets)
    fold = parts.test if stage is Stage.TEST else parts.validation
    noise, verdict = _noise(fold, epsilon)
    rng = np.random.default_rng(seed)
    artefacts = release(fold, noise, rng=rng)
    name = "fedcart, no noise" if epsilon is None else f"fedcart, epsilon {epsilon:g}"
    models: dict[str, Recommender] = {**BASELINES, name: on_device(artefacts.values())}
    measured = per_shopper(models, fold)
    lines = population.events
    return {
        "seed": seed,
        "dataset": {
            "name": population.name,
            "note": population.note,
            "shoppers": len(population.shoppers),
            "evaluated": len(fold.tested),
            "minimum_baskets": minimum_baskets,
            "items": len(population.catalogue),
            "interactions": len(lines),
        },
        "privacy": {
            "epsilon": epsilon,
            "delta": None if epsilon is None else DELTA,
            "unit": "shopper",
            "adjacency": "zero-out",
            "accountant": "analytic Gaussian",
        },
        "quality": {
            f"{protocol} {stage}": {
                model: summarise(values, rng=rng) for model, values in measured.items()
            }
        },
        "tasks": {
            str(task): {"noise_stddev": stddev, "sealing": "none"}
            for task, stddev in noise.stddev.items()
        },
        "warnings": [
            "Offline research: sums and noise were made in one place; nothing was sealed.",
            *([verdict.reason] if verdict and not verdict.worthwhile else []),
        ],
    }


def quality_table(metrics: dict[str, Any]) -> Table:
    """The models side by side, mean and 95 % interval over shoppers."""
    (protocol, models), *_ = metrics["quality"].items()
    data = metrics["dataset"]
    table = Table(
        title=f"{data['name']}, {protocol}",
        caption=f"{data['evaluated']:,} shoppers with at least {data['minimum_baskets']} baskets; "
        f"{data['items']:,} items. Intervals: 95 %, bootstrap over shoppers.",
    )
    table.add_column("model")
    for title in COLUMNS.values():
        table.add_column(title, justify="right")
    for model, values in models.items():
        table.add_row(model, *(_cell(values, metric) for metric in COLUMNS))
    return table


def _noise(fold: Fold, epsilon: float | None) -> tuple[Noise, Verdict | None]:
    if epsilon is None:
        return Noise.none(), None
    three = Noise.of(epsilon, tasks=ALL_TASKS, overhead=OVERHEAD)
    verdict = item_item_verdict(
        shoppers=len(fold.histories),
        listed=min(LISTED, len(fold.training.catalogue)),
        noise_stddev=three.stddev[TaskName.ITEM_ITEM],
    )
    two = Noise.of(epsilon, tasks=TWO_TASKS, overhead=OVERHEAD)
    return (three if verdict.worthwhile else two), verdict


def _cell(values: dict[str, Any], metric: str) -> str:
    if metric not in values:
        return "–"
    low, high = values[f"{metric}_ci"]
    return f"{values[metric]:.3f} [{low:.3f}, {high:.3f}]"
