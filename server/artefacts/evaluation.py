"""Evaluation, planned and finished: from artefacts to the task, from its sum to figures."""

from collections.abc import Iterable
from hashlib import sha256

import numpy as np

from consent.tasks.artefact import Artefact, encode_artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.estimate import Estimate
from consent.tasks.evaluation import (
    MAX_SKETCH,
    MEASURES,
    SKETCH_SHARE,
    EvaluationArtefact,
    EvaluationTask,
)
from server.artefacts.readings import CLEAR, FloatArray, Reading, Z, check_sum

EFFECTIVE = "effective_items"


def plan_task(
    catalogue: Catalogue,
    artefacts: Iterable[Artefact],
    *,
    length: int = 10,
    least_baskets: int = 3,
    not_before: int | None = None,
) -> EvaluationTask:
    """The task that measures released artefacts.

    Args:
        catalogue: the item list.
        artefacts: what lists are made from; the task names each by its hash.
        length: of the list.
        least_baskets: only shoppers with so many baskets are counted.
        not_before: Unix seconds; set to when the artefacts were made, it measures them on baskets
            that can't be in them.
    """
    return EvaluationTask(
        items=len(catalogue),
        length=length,
        least_baskets=least_baskets,
        not_before=not_before,
        sketch=min(len(catalogue), MAX_SKETCH),
        inputs=input_hashes(artefacts),
    )


def input_hashes(artefacts: Iterable[Artefact]) -> tuple[str, ...]:
    """How a task names the artefacts that clients must be given, in the order given."""
    return tuple(sha256(encode_artefact(artefact)).hexdigest() for artefact in artefacts)


def finish(
    task: EvaluationTask, values: FloatArray, *, noise_stddev: float, catalogue: Catalogue
) -> EvaluationArtefact:
    """Federated metrics of a noisy sum, each with a 95 % interval over shoppers and noise.

    Args:
        task: what was measured.
        values: float64, shape (task.dimension,): the noisy sum.
        noise_stddev: of the noise in each value.
        catalogue: the list the task is over.

    Raises:
        InvalidInputError: wrong length, a value that is not finite, or a negative noise.
    """
    check_sum(values, task.dimension, noise_stddev)
    size = MEASURES.dimension
    reading = Reading.of(MEASURES, values[:size], noise_stddev=noise_stddev, scale=1.0)
    figures = {count.name: reading.count(count.name) for count in MEASURES.counts}
    figures |= {measure.name: reading.mean(measure.name) for measure in MEASURES.measures}
    figures[EFFECTIVE] = effective_items(values[size:], noise_stddev, items=task.items)
    return EvaluationArtefact(
        catalogue=catalogue.hash,
        length=task.length,
        not_before=task.not_before,
        inputs=task.inputs,
        figures=figures,
    )


def effective_items(sketch: FloatArray, noise_stddev: float, *, items: int) -> Estimate:
    """Over how many items the lists would be spread if each were shown alike: 1 / Σ p².

    Noise adds σ² to every squared bucket on average, which is taken off. Items that share a bucket
    are told apart on average too: Σ_b p_b² = Σ p² + (1 - Σ p²) / B for a random scatter.
    """
    buckets = sketch.size
    scaled, noise = sketch / np.sqrt(SKETCH_SHARE), noise_stddev / np.sqrt(SKETCH_SHARE)
    squares = float((scaled**2).sum()) - buckets * noise**2
    total = float(scaled.sum())
    error = float(np.sqrt(4.0 * noise**2 * max(squares, 0.0) + 2.0 * buckets * noise**4))
    if squares <= CLEAR * error or total <= CLEAR * noise * np.sqrt(buckets) or total <= 0:
        return Estimate(value=1.0, low=1.0, high=float(max(items, 1)), swamped=True)
    share = squares / total**2
    spread = share * float(np.hypot(error / squares, 2.0 * noise * np.sqrt(buckets) / total))
    low, value, high = (
        _spread_over(share + sign * Z * spread, buckets=buckets, items=items)
        for sign in (1.0, 0.0, -1.0)
    )
    return Estimate(value=value, low=low, high=high)


def _spread_over(share: float, *, buckets: int, items: int) -> float:
    """1 / Σ p² of the items, from that of the buckets; between 1 and all items."""
    own = share if items <= buckets else (share - 1.0 / buckets) / (1.0 - 1.0 / buckets)
    return float(np.clip(1.0 / own, 1.0, items)) if own > 0 else float(items)
