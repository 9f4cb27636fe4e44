"""Evaluate a whole data set offline: baselines, tuned rivals, and the recommender under noise.

Every model of a run is fitted on the same training data and measured on the same shoppers. Rivals
are tuned on validation in the same run, and the record says what was tried. Artefacts are plain
sums of the training contributions with Gaussian noise: nothing is sealed here, and the result says
so.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from client.contributions.history import FloatArray
from consent.tasks.names import TaskName
from server.artefacts.item_item import LISTED
from server.artefacts.signal import Verdict, item_item_verdict
from server.artefacts.subspace import described_values
from simulations.evaluation.discovery import ZONE_METRICS, ZONED, with_zone
from simulations.evaluation.evaluate import Recommender, on_device
from simulations.evaluation.models.registry import RivalName
from simulations.evaluation.options import Options, Protocol, protocol_named
from simulations.evaluation.protocol import MINIMUM_BASKETS, Fold, Stage
from simulations.evaluation.published import LEAVE_ONE_OUT as PUBLISHED
from simulations.evaluation.release import ALL_TASKS, DELTA, WITHOUT_PAIRS, Noise, release
from simulations.evaluation.significance import Difference, Seeded, compare_seeds, summarise_seeds
from simulations.evaluation.tables import quality_table
from simulations.evaluation.trial import TARGET, Trial, Views, prepare
from simulations.evaluation.tuning import coordinate_search
from simulations.population.population import Population
from simulations.population.sensitive import granted, withheld

__all__ = ["evaluate_dataset", "evaluate_population", "quality_table"]

# Noise drawn by survivors beyond the planned minimum, as a factor on its standard deviation.
OVERHEAD = 1.1
Progress = Callable[[str, int, int], None]


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
    run = _Run(trial, options, progress)
    run.measure_all()
    rng = np.random.default_rng([options.seed, 0xB0])
    return {
        "seed": options.seed,
        "protocol": str(options.protocol),
        "stage": str(options.stage),
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


class _Run:
    """Measures model after model and keeps what each came to."""

    def __init__(self, trial: Trial, options: Options, progress: Progress) -> None:
        self._trial, self._options, self._progress = trial, options, progress
        self._steps = len(trial.simple) + len(options.rivals) + len(options.epsilons)
        self.measured: dict[str, dict[str, dict[str, FloatArray]]] = {}
        self.tuning: dict[str, Any] = {}
        self.seconds: dict[str, float] = {}
        self.releases: dict[str, dict[str, float]] = {}
        self.warnings: list[str] = []
        self._zoned: dict[str, list[Views]] = {}

    def measure_all(self) -> None:
        """Baselines, then rivals, then the recommender at every budget."""
        for name, model in self._trial.simple.items():
            self._timed(name, partial(self._simple, model))
        for name in self._options.rivals:
            if name in self._trial.rivals:
                self._timed(str(name), partial(self._rival, name))
            else:
                self.warnings.append(f"{name} is not made for {self._options.protocol}: left out.")
        for epsilon in self._options.epsilons:
            name = self._name(epsilon)
            self._timed(name, partial(self._private, name, epsilon))
            if name in self._zoned:
                self._timed(f"{ZONED}{name}", partial(self._zoned.__getitem__, name))
        self._progress("evaluate", self._steps, self._steps)
        if self._options.stage is Stage.VALIDATION and self.tuning:
            self.warnings.append(
                "Tuned and reported on the same validation data: rivals look a little better than "
                "they are."
            )

    def per_seed(self) -> dict[str, dict[str, list[float]]]:
        """View to noisy model to its mean NDCG@10 at each seed."""
        return {
            view: {
                model: [float(value) for value in np.nanmean(values[TARGET], axis=1)]
                for model, values in models.items()
                if model in self.releases
            }
            for view, models in self.measured.items()
        }

    def budgets(self) -> dict[str, float | None]:
        """The recommender's models by name, each with its ε; None for no noise."""
        return {self._name(epsilon): epsilon for epsilon in self._options.epsilons}

    def tasks(self) -> dict[str, dict[str, Any]]:
        """What the first budget released."""
        return {
            task: {"noise_stddev": stddev, "sealing": "none"}
            for task, stddev in next(iter(self.releases.values())).items()
        }

    def _timed(self, name: str, work: Callable[[], list[Views]]) -> None:
        """Measure a model, once a seed, and note how long that took."""
        self._progress("evaluate", len(self.seconds), self._steps)
        started = time.perf_counter()
        draws = work()
        self.seconds[name] = round(time.perf_counter() - started, 2)
        for view in draws[0]:
            stacked = {
                metric: np.stack([draw[view][metric] for draw in draws])
                for metric in draws[0][view]
            }
            self.measured.setdefault(view, {})[name] = stacked

    def _views(self, model: Recommender) -> Views:
        fold = self._trial.fold
        return self._trial.measure(model(fold), fold)

    def _simple(self, model: Recommender) -> list[Views]:
        return [self._views(model)]

    def _rival(self, name: RivalName) -> list[Views]:
        rival = self._trial.rivals[name]
        tuned = coordinate_search(
            rival.start, rival.space, lambda settings: self._trial.score(rival.build(**settings))
        )
        self.tuning[name] = {
            "source": rival.source,
            "on": "validation",
            "metric": TARGET,
            **tuned.to_json(),
        }
        return [self._views(rival.build(**tuned.chosen))]

    def _private(self, name: str, epsilon: float | None) -> list[Views]:
        fold, options = self._trial.fold, self._options
        noise, verdict = noise_for(fold, epsilon, options.noise_shoppers)
        if verdict is not None and not verdict.worthwhile:
            self.warnings.append(f"{name}: {verdict.reason}")
        self.releases[name] = {str(task): stddev for task, stddev in noise.stddev.items()}
        found = []
        for draw in range(options.seeds if epsilon is not None else 1):
            made = release(fold, noise, rng=np.random.default_rng([options.seed, draw])).values()
            found.append(self._views(on_device(made)))
            if options.discovery:
                model = with_zone(made, seed=options.seed + draw)
                self._zoned.setdefault(name, []).append(self._views(model))
        return found

    def _name(self, epsilon: float | None) -> str:
        if epsilon is None:
            return "fedcart, no noise"
        many = self._options.noise_shoppers
        label = "" if many is None else f", noise as for {many:,} shoppers"
        return f"fedcart, epsilon {epsilon:g}{label}"


def _privacy(options: Options) -> dict[str, Any]:
    first = options.epsilons[0]
    return {
        "epsilon": first,
        "epsilons": list(options.epsilons),
        "delta": None if first is None else DELTA,
        "unit": "shopper",
        "adjacency": "zero-out",
        "accountant": "analytic Gaussian",
        "noise_draws": options.seeds,
        "noise_as_for_shoppers": options.noise_shoppers,
    }


def noise_for(
    fold: Fold, epsilon: float | None, noise_shoppers: int | None
) -> tuple[Noise, Verdict | None]:
    """The noise of a budget; item-item takes part where the gate finds it worthwhile.

    As if ``noise_shoppers`` took part: the sums keep the size that the shoppers at hand give them,
    and the noise shrinks in the proportion in which theirs would outgrow it.
    """
    if epsilon is None:
        return Noise.none(), None
    shoppers = len(fold.histories)
    three = Noise.of(epsilon, tasks=ALL_TASKS, overhead=OVERHEAD)
    verdict = item_item_verdict(
        shoppers=noise_shoppers or shoppers,
        listed=min(LISTED, len(fold.training.catalogue)),
        noise_stddev=three.stddev[TaskName.ITEM_ITEM],
        described=described_values(fold.training.catalogue),
    )
    two = Noise.of(epsilon, tasks=WITHOUT_PAIRS, overhead=OVERHEAD)
    chosen = three if verdict.worthwhile else two
    return chosen.scaled(shoppers / (noise_shoppers or shoppers)), verdict


def _comparisons(models: Seeded, trial: Trial, rng: np.random.Generator) -> list[Difference]:
    """The recommender at every budget against all other models, and noisy against noise-free."""
    ours = [name for name in models if name.startswith("fedcart")]
    zoned = [name for name in models if name.startswith(ZONED)]
    others = [name for name in models if name not in ours and name not in zoned]
    pairs = [(own, other) for own in ours for other in others]
    free = "fedcart, no noise"
    pairs += [(own, free) for own in ours if free in ours and own != free]
    found = compare_seeds(models, pairs, metrics=trial.compared, rng=rng)
    pairs = [(name, name.removeprefix(ZONED)) for name in zoned]
    return [*found, *compare_seeds(models, pairs, metrics=ZONE_METRICS, rng=rng)]
