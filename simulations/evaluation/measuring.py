"""Measure every model of an evaluation, piece by piece, and keep what each came to."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from client.contributions.history import FloatArray
from consent.tasks.names import TaskName
from server.artefacts.item_item import LISTED
from server.artefacts.signal import Verdict, item_item_verdict
from server.artefacts.subspace import described_values
from simulations.evaluation.discovery import ZONED, with_zone
from simulations.evaluation.evaluate import Recommender, on_device
from simulations.evaluation.models.registry import RivalName
from simulations.evaluation.options import Options
from simulations.evaluation.parallel import in_order
from simulations.evaluation.protocol import Fold, Stage
from simulations.evaluation.release import ALL_TASKS, WITHOUT_PAIRS, Noise, release
from simulations.evaluation.trial import TARGET, Trial, Views
from simulations.evaluation.tuning import coordinate_search

# Noise drawn by survivors beyond the planned minimum, as a factor on its standard deviation.
OVERHEAD = 1.1
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class _Done:
    """What one piece of work came to: views by model, tuning records by rival, and its time."""

    views: Mapping[str, Views]
    tuning: Mapping[str, Any]
    seconds: float

    @classmethod
    def since(
        cls,
        started: float,
        views: Mapping[str, Views],
        tuning: Mapping[str, Any] = MappingProxyType({}),
    ) -> "_Done":
        seconds = time.perf_counter() - started
        return cls(views=views, tuning=dict(tuning), seconds=seconds)


class Measuring:
    """Measures model after model and keeps what each came to."""

    def __init__(self, trial: Trial, options: Options, progress: Progress) -> None:
        self._trial, self._options, self._progress = trial, options, progress
        self.measured: dict[str, dict[str, dict[str, FloatArray]]] = {}
        self.tuning: dict[str, Any] = {}
        self.seconds: dict[str, float] = {}
        self.releases: dict[str, dict[str, float]] = {}
        self.warnings: list[str] = []

    def measure_all(self) -> None:
        """Baselines, then rivals, then the recommender at every budget."""
        jobs: list[tuple[str, Callable[[], _Done]]] = [
            (name, partial(self._simple, name, model)) for name, model in self._trial.simple.items()
        ]
        for rival in self._options.rivals:
            if rival in self._trial.rivals:
                jobs.append((str(rival), partial(self._rival, rival)))
            else:
                self.warnings.append(f"{rival} is not made for {self._options.protocol}: left out.")
        for epsilon in self._options.epsilons:
            name, draws = self._name(epsilon), self._options.seeds if epsilon is not None else 1
            noise = self._noise(name, epsilon)
            jobs += [(name, partial(self._private, name, noise, draw)) for draw in range(draws)]
        self._collect(jobs)
        if self._options.stage is Stage.VALIDATION and self.tuning:
            self.warnings.append(
                "Tuned and reported on the same validation data: rivals look a little better than "
                "they are."
            )

    def _collect(self, jobs: Sequence[tuple[str, Callable[[], "_Done"]]]) -> None:
        """Do everything, and lay the draws of one model one above the other."""
        found: dict[str, list[Views]] = {}
        self._progress("evaluate", 0, len(jobs))
        done = in_order([work for _, work in jobs], workers=self._options.workers)
        for number, ((name, _), each) in enumerate(zip(jobs, done, strict=True), start=1):
            self._progress("evaluate", number, len(jobs))
            self.seconds[name] = round(self.seconds.get(name, 0.0) + each.seconds, 2)
            self.tuning.update(each.tuning)
            for model, views in each.views.items():
                found.setdefault(model, []).append(views)
        for model, draws in found.items():
            for view in draws[0]:
                self.measured.setdefault(view, {})[model] = {
                    metric: np.stack([draw[view][metric] for draw in draws])
                    for metric in draws[0][view]
                }

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

    def _views(self, model: Recommender) -> Views:
        fold = self._trial.fold
        return self._trial.measure(model(fold), fold)

    def _simple(self, name: str, model: Recommender) -> "_Done":
        started = time.perf_counter()
        return _Done.since(started, {name: self._views(model)})

    def _rival(self, name: RivalName) -> "_Done":
        started = time.perf_counter()
        rival = self._trial.rivals[name]
        tuned = coordinate_search(
            rival.start, rival.space, lambda settings: self._trial.score(rival.build(**settings))
        )
        record = {"source": rival.source, "on": "validation", "metric": TARGET, **tuned.to_json()}
        views = {str(name): self._views(rival.build(**tuned.chosen))}
        return _Done.since(started, views, tuning={str(name): record})

    def _noise(self, name: str, epsilon: float | None) -> Noise:
        """The noise of a budget, noted."""
        noise, verdict = noise_for(self._trial.fold, epsilon, self._options.noise_shoppers)
        if verdict is not None and not verdict.worthwhile:
            self.warnings.append(f"{name}: {verdict.reason}")
        self.releases[name] = {str(task): stddev for task, stddev in noise.stddev.items()}
        return noise

    def _private(self, name: str, noise: Noise, draw: int) -> "_Done":
        started, options = time.perf_counter(), self._options
        rng = np.random.default_rng([options.seed, draw])
        made = release(self._trial.fold, noise, rng=rng).values()
        views = {name: self._views(on_device(made))}
        if options.discovery:
            model = with_zone(made, seed=options.seed + draw)
            views[f"{ZONED}{name}"] = self._views(model)
        return _Done.since(started, views)

    def _name(self, epsilon: float | None) -> str:
        if epsilon is None:
            return "fedcart, no noise"
        many = self._options.noise_shoppers
        label = "" if many is None else f", noise as for {many:,} shoppers"
        return f"fedcart, epsilon {epsilon:g}{label}"


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
