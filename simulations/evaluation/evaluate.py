"""Evaluate models side by side on one fold, and compare two of them shopper by shopper."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from client.contributions.history import FloatArray
from client.recommender.scores import Model
from client.recommender.settings import Settings
from consent.tasks.artefact import Artefact
from simulations.evaluation.metrics import Scorer, interval, measure, summarise
from simulations.evaluation.protocol import Fold

# A model to evaluate: fitted on a fold's training data, it scores that fold's tested shoppers.
Recommender = Callable[[Fold], Scorer]
PerShopper = Mapping[str, Mapping[str, FloatArray]]


def on_device(artefacts: Iterable[Artefact], settings: Settings | None = None) -> Recommender:
    """The on-device recommender with the given artefacts: the very code that devices run."""
    given = tuple(artefacts)

    def fit(fold: Fold) -> Scorer:
        model = Model.of(fold.training.catalogue, given, settings)
        return lambda rows: np.stack(
            [
                model.scores(fold.histories[fold.tested[number]], fold.moment(number)).total
                for number in range(*rows.indices(len(fold.tested)))
            ]
        )

    return fit


def per_shopper(models: Mapping[str, Recommender], fold: Fold) -> dict[str, dict[str, FloatArray]]:
    """Model to metric to values, shape (tested,)."""
    return {name: measure(model(fold), fold) for name, model in models.items()}


def evaluate(
    models: Mapping[str, Recommender], fold: Fold, *, rng: np.random.Generator
) -> dict[str, dict[str, float | list[float]]]:
    """Model to metric to mean, and metric + "_ci" to its 95 % interval: as in ``metrics.json``."""
    return {name: summarise(values, rng=rng) for name, values in per_shopper(models, fold).items()}


def compare(
    measured: PerShopper, first: str, second: str, *, metric: str, rng: np.random.Generator
) -> tuple[float, list[float]]:
    """Mean difference first - second and its 95 % interval, paired by shopper."""
    difference = measured[first][metric] - measured[second][metric]
    low, high = interval(difference[:, None], rng=rng)
    return float(np.nanmean(difference)), [float(low[0]), float(high[0])]
