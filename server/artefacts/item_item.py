"""Item-item, planned and finished: from released popularity to the task, from its sum to a model.

What the noisy sum shows beyond its noise is found by ``wigner``, and by ``subspace`` among the few
directions that the public item list spans; the model is the closed form of both together.
"""

import numpy as np
import numpy.typing as npt

from consent.tasks.catalogue import Catalogue
from consent.tasks.item_item import MOST_LISTED, ItemItemArtefact, ItemItemTask
from consent.tasks.popularity import PopularityArtefact
from crypto.errors import InvalidInputError
from server.artefacts.subspace import public_basis, with_subspace
from server.artefacts.wigner import Spectrum, shrunk

FloatArray = npt.NDArray[np.float64]

# The list: the most popular items that together make up COVERED of popularity, at most LISTED.
LISTED = MOST_LISTED
COVERED = 0.99
# z = x · (p / p_max)^-WEIGHT_POWER; popularity below the floor is mostly noise and counts as it.
WEIGHT_POWER = 0.25
POPULARITY_FLOOR = 1e-3
# Ridge of the closed form: this share of the noise edge plus a constant, in shoppers.
EDGE_RIDGE = 0.5
RIDGE = 10.0
# EASE divides by what its ridge leaves of each item; never by less than this.
LEAST_REMAINDER = 0.05


def plan_task(
    popularity: PopularityArtefact, *, listed: int | None = None, withheld: int = 0
) -> ItemItemTask:
    """The item-item task that a released popularity asks for; post-processing, costs no privacy.

    Lists the most popular items: ``listed`` of them, or as many as make up COVERED of popularity
    but at most LISTED. ``withheld`` last lists of each shopper stay out of the sum, for the ranker
    to foretell. The public mean direction is the profile of a shopper who buys by
    popularity alone.

    Raises:
        InvalidInputError: fewer than two items, or more than an artefact can hold.
    """
    size = min(_covering(popularity.scores) if listed is None else listed, popularity.scores.size)
    if not 2 <= size <= LISTED:
        raise InvalidInputError(f"Item-item lists 2 to {LISTED} items, not {size}.")
    indices = np.argsort(-popularity.scores, kind="stable")[:size]
    p = np.maximum(popularity.scores[indices], POPULARITY_FLOOR)
    weights = p**-WEIGHT_POWER
    mean = p * weights
    mean = mean / np.linalg.norm(mean)
    return ItemItemTask(
        indices=tuple(indices.tolist()),
        weights=tuple(weights.tolist()),
        mean=tuple(mean.tolist()),
        withheld=withheld,
    )


def _covering(scores: FloatArray) -> int:
    """How many of the most popular items make up COVERED of popularity, from 2 to LISTED."""
    covered = np.cumsum(np.sort(scores)[::-1])
    return min(max(int(np.searchsorted(covered, COVERED * covered[-1])) + 1, 2), LISTED)


def finish(
    task: ItemItemTask, values: FloatArray, *, noise_stddev: float, catalogue: Catalogue
) -> ItemItemArtefact:
    """The closed-form item-item model of a noisy sum.

    Args:
        task: the list, weights and mean direction of the sum.
        values: float64, shape (task.dimension,): noisy sum of √2 · upper triangles, in shoppers.
        noise_stddev: of the noise in each value, in the same unit; 0 for a sum without noise.
        catalogue: the list that the indices are of.

    Returns:
        The model; a zero matrix where no direction clears the noise edge.

    Raises:
        InvalidInputError: wrong length, a value that is not finite, or a negative noise.
    """
    if values.shape != (task.dimension,) or not np.isfinite(values).all():
        raise InvalidInputError(f"Expected {task.dimension} finite values, not {values.shape}.")
    if not 0 <= noise_stddev < np.inf:
        raise InvalidInputError(f"Expected noise_stddev={noise_stddev} to be finite and >= 0.")
    matrix = symmetric(values, len(task.indices))
    signal = with_subspace(
        matrix,
        shrunk(matrix, noise_stddev=noise_stddev),
        public_basis(task, catalogue),
        noise_stddev=noise_stddev,
    )
    return ItemItemArtefact(
        catalogue=catalogue.hash,
        indices=np.asarray(task.indices, dtype=np.int64),
        matrix=ease(signal, ridge=EDGE_RIDGE * signal.edge + RIDGE),
        weights=np.asarray(task.weights, dtype=np.float64),
        mean=np.asarray(task.mean, dtype=np.float64),
        directions=signal.values.size,
    )


def symmetric(values: FloatArray, size: int) -> FloatArray:
    """The symmetric matrix, shape (size, size), zero diagonal, with this √2 · upper triangle."""
    matrix = np.zeros((size, size))
    matrix[np.triu_indices(size, 1)] = values / np.sqrt(2.0)
    both: FloatArray = matrix + matrix.T
    return both


def ease(signal: Spectrum, *, ridge: float) -> FloatArray:
    """The EASE model (Steck 2019) of a Gram matrix known by its spectrum; zero diagonal.

    With G = V w Vᵀ and P = (G + λI)⁻¹, EASE is B = I - P · diag(1/diag P). Here λP = I - F with
    F = V · w/(w + λ) · Vᵀ, hence B = F · diag(1/(1 - diag F)) off the diagonal.
    """
    shrunk = signal.values / (signal.values + ridge)
    filtered = (signal.vectors * shrunk) @ signal.vectors.T
    model: FloatArray = filtered / np.maximum(1.0 - np.diag(filtered), LEAST_REMAINDER)
    np.fill_diagonal(model, 0.0)
    return model
