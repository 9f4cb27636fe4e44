"""Evaluation: how well a shopper's last basket was foretold on her device, as one bounded vector.

What leaves is the vector alone, under the task's noise: neither the list nor the basket. Her last
basket may be in the artefacts that the list is made from, with the weight of one shopper among all
and under their noise; the task's ``not_before`` rules that out (see ``consent.tasks.evaluation``).
"""

import numpy as np

from client.contributions.foretold import Foretold, foretold_for
from client.contributions.history import FloatArray, IndexArray
from client.contributions.inputs import Inputs
from consent.tasks.evaluation import MEASURES, SKETCH_SHARE, EvaluationTask

# A public odd constant that scatters neighbouring items over the sketch's buckets.
_SCATTER = 2_654_435_761


def contribution(task: EvaluationTask, inputs: Inputs) -> FloatArray:
    """The measures of her list, then which buckets of the sketch its items fall into.

    Returns:
        float64, shape (task.dimension,), unitless. Guarantee: finite, and of L2 norm at most 1 for
        every history and all artefacts; all zero for a shopper whom the task doesn't count.

    Raises:
        InvalidInputError: the task or an artefact is over other items than the catalogue.
    """
    seen = foretold_for(task, inputs)
    if seen is None:
        return np.zeros(task.dimension)
    return np.concatenate([_measures(seen), sketch(seen.listed, task)])


def _measures(seen: Foretold) -> FloatArray:
    values = {
        "repeat_share": 1.0 - seen.new_share if seen.listed.size else 0.0,
        "list_filled": seen.listed.size / seen.length,
    }
    parts = seen.parts()
    for name, part in parts.items():
        values |= {f"{metric}{name}": value for metric, value in seen.quality(part).items()}
    return MEASURES.write(frozenset(f"shoppers{name}" for name in parts), values)


def sketch(listed: IndexArray, task: EvaluationTask) -> FloatArray:
    """How many of a list's items fall into each bucket, scaled to the sketch's share of the norm.

    Returns:
        float64, shape (task.sketch,): of squared norm SKETCH_SHARE, or all zero for an empty list.
    """
    place = listed if task.items <= task.sketch else bucket(listed, task.sketch)
    counts = np.bincount(place, minlength=task.sketch).astype(np.float64)
    norm = float(np.linalg.norm(counts))
    return np.sqrt(SKETCH_SHARE) * counts / norm if norm else counts


def bucket(items: IndexArray, buckets: int) -> IndexArray:
    """The bucket of each item: the same on every device."""
    scattered = (items.astype(np.uint64) * np.uint64(_SCATTER)) % np.uint64(2**32)
    return (scattered * np.uint64(buckets) // np.uint64(2**32)).astype(np.int64)
