"""Evaluate a whole data set offline: baselines, tuned rivals, and the recommender under noise.

Every model of a run is fitted on the same training data and measured on the same shoppers. Rivals
are tuned on validation in the same run, and the record says what was tried. Artefacts are plain
sums of the training contributions with Gaussian noise: nothing is sealed here, and the result says
so.
"""

from typing import Any

import numpy as np

from simulations.evaluation.discovery import ZONE_METRICS, ZONED
from simulations.evaluation.measuring import Measuring, Progress
from simulations.evaluation.options import Options, Protocol, protocol_named
from simulations.evaluation.protocol import MINIMUM_BASKETS, Stage
from simulations.evaluation.published import LEAVE_ONE_OUT as PUBLISHED
from simulations.evaluation.release import DELTA
from simulations.evaluation.significance import Difference, Seeded, compare_seeds, summarise_seeds
from simulations.evaluation.tables import quality_table
from simulations.evaluation.trial import Trial, prepare
from simulations.population.population import Population
from simulations.population.sensitive import granted, withheld

__all__ = ["evaluate_dataset", "evaluate_population", "quality_table"]


def evaluate_dataset(
    population: Population,
    *,
    protocol: str = Protocol.NEXT_BASKET,
    stage: Stage = Stage.TEST,
    epsilon: float | None = 2.0,
    minimum_baskets: int = MINIMUM_BASKETS,
    seed: int = 0,
) -> dict[str, Any]:
    """``evaluate_population`` at one budget and without tuned rivals."""
    options = Options(
        protocol=protocol_named(protocol),
        stage=stage,
        epsilons=(epsilon,),
        minimum=minimum_baskets,
        seed=seed,
    )
    return evaluate_population(population, options)


def evaluate_population(
    population: Population,
    options: Options,
    *,
    progress: Progress = lambda _what, _done, _total: None,
) -> dict[str, Any]:
    """Metrics of every baseline, rival and budget, in the shape of ``metrics.json``.

    Beside the parts that every run has: "budgets" (the recommender's models, each with its ε),
    "comparisons" (paired differences with interval and
    p-values), "seeds" (NDCG@10 of each noise draw), "tuning" (what was tried and chosen),
    "seconds" of each model, "releases" (noise by model), and for leave-one-out "checks" (the leak
    probe) and "published".

    Raises:
        InvalidInputError: nothing to evaluate, or a file of negatives of other data.
    """
    population = granted(population) if options.sensitive else withheld(population)
    trial = prepare(population, options)
    run = Measuring(trial, options, progress)
    run.measure_all()
    rng = np.random.default_rng([options.seed, 0xB0])
    return {
        "seed": options.seed,
        "protocol": str(options.protocol),
        "stage": str(options.stage),
        "context": options.context,
        "dataset": {
            "name": population.name,
            "note": population.note,
            "shoppers": len(population.shoppers),
            "evaluated": len(trial.fold.tested),
            "minimum_baskets": options.minimum,
            "items": len(population.catalogue),
            "interactions": len(population.events),
        },
        "privacy": _privacy(options),
        "quality": {
            view: {model: summarise_seeds(values, rng=rng) for model, values in models.items()}
            for view, models in run.measured.items()
        },
        "columns": dict(trial.columns),
        "budgets": run.budgets(),
        "comparisons": {
            view: [difference.to_json() for difference in _comparisons(models, trial, rng)]
            for view, models in run.measured.items()
        },
        "seeds": run.per_seed(),
        "tuning": run.tuning,
        "seconds": run.seconds,
        "tasks": run.tasks(),
        "releases": run.releases,
        "checks": dict(trial.checks),
        "published": list(PUBLISHED) if options.protocol is Protocol.LEAVE_ONE_OUT else [],
        "warnings": [
            "Offline research: sums and noise were made in one place; nothing was sealed.",
            *trial.notes,
            *run.warnings,
        ],
    }


def _privacy(options: Options) -> dict[str, Any]:
    first = options.epsilons[0]
    return {
        "epsilon": first,
        "epsilons": list(options.epsilons),
        "delta": None if set(options.epsilons) == {None} else DELTA,
        "unit": "shopper",
        "adjacency": "zero-out",
        "accountant": "analytic Gaussian",
        "noise_draws": options.seeds,
        "noise_as_for_shoppers": options.noise_shoppers,
    }


def _comparisons(models: Seeded, trial: Trial, rng: np.random.Generator) -> list[Difference]:
    """The recommender at every budget against all other models, and noisy against noise-free."""
    ours = [name for name in models if name.startswith("fedcart")]
    zoned = [name for name in models if name.startswith(ZONED)]
    others = [name for name in models if name not in ours and name not in zoned]
    pairs = [(own, other) for own in ours for other in others]
    free = "fedcart, no noise"
    pairs += [(own, free) for own in ours if free in ours and own != free]
    lists = [(name, name.removeprefix(ZONED)) for name in zoned]
    found: list[Difference] = []
    # One metric after the other: all that is compared on it stands in one table and is one family.
    for metric in dict.fromkeys((*trial.compared, *ZONE_METRICS)):
        family = pairs if metric in trial.compared else []
        family = [*family, *lists] if metric in ZONE_METRICS else family
        found += compare_seeds(models, family, metrics=(metric,), rng=rng)
    return found
