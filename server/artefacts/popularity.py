"""Popularity, finished: the noisy sum of root counts as scores between 0 and 1."""

import numpy as np
import numpy.typing as npt

from consent.tasks.catalogue import Catalogue
from consent.tasks.popularity import PopularityArtefact, PopularityTask, RecentPopularityTask
from crypto.errors import InvalidInputError

FloatArray = npt.NDArray[np.float64]


def finish(
    task: PopularityTask | RecentPopularityTask,
    values: FloatArray,
    *,
    noise_stddev: float,  # noqa: ARG001 - every finish has it; clipping at 0 needs no scale
    catalogue: Catalogue,
) -> PopularityArtefact:
    """Clip the noisy sum at 0, where the true sum can't go, and scale its largest value to 1.

    Args:
        task: which popularity.
        values: float64, shape (task.dimension,): the noisy sum, in root counts of unit length.
        noise_stddev: of the noise in each value, in the same unit.
        catalogue: what the values are of.

    Returns:
        Scores in [0, 1]; all zero where the noise left nothing positive.

    Raises:
        InvalidInputError: wrong length, or a value that is not finite.
    """
    if values.shape != (len(catalogue),) or task.dimension != len(catalogue):
        raise InvalidInputError(
            f"The sum has shape {values.shape} and the catalogue {len(catalogue)} items."
        )
    if not np.isfinite(values).all():
        raise InvalidInputError("The sum holds a value that is not finite.")
    scores = np.maximum(values, 0.0)
    largest = float(scores.max())
    if largest:
        scores = scores / largest
    return PopularityArtefact(task=task.name, catalogue=catalogue.hash, scores=scores)
