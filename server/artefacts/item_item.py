"""Item-item, planned and finished: from released popularity to the task, from its sum to a model.

The true sum of z zᵀ has few strong directions; the noise on its off-diagonal entries is a Wigner
matrix whose spectrum ends at the edge e = σ√(2M). A direction that shows beyond the edge is real,
and its observed eigenvalue w overstates it by a known amount, so ½(w + √(w² - e²)) is what it was
(Benaych-Georges and Nadakuditi 2011). The rest is noise and goes to zero.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consent.tasks.catalogue import Catalogue
from consent.tasks.item_item import ItemItemArtefact, ItemItemTask
from consent.tasks.popularity import PopularityArtefact
from crypto.errors import InvalidInputError

FloatArray = npt.NDArray[np.float64]

LISTED = 512
# z = x · (p / p_max)^-WEIGHT_POWER; popularity below the floor is mostly noise and counts as it.
WEIGHT_POWER = 0.25
POPULARITY_FLOOR = 1e-3
# Ridge of the closed form: this share of the noise edge plus a constant, in shoppers.
EDGE_RIDGE = 0.5
RIDGE = 10.0
# EASE divides by what its ridge leaves of each item; never by less than this.
LEAST_REMAINDER = 0.05


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """The part of a noisy sum that is signal.

    Attributes:
        values: float64, shape (r,): eigenvalues, the noise's share taken off, in shoppers.
        vectors: float64, shape (M, r): one column each.
        edge: where the noise's own spectrum ends.
    """

    values: FloatArray
    vectors: FloatArray
    edge: float


def plan_task(popularity: PopularityArtefact, *, listed: int = LISTED) -> ItemItemTask:
    """The item-item task that a released popularity asks for; post-processing, costs no privacy.

    Lists the most popular items. The public mean direction is the profile of a shopper who buys
    by popularity alone.
    """
    size = min(listed, popularity.scores.size)
    if size < 2:
        raise InvalidInputError(f"Item-item needs at least two items, not {size}.")
    indices = np.argsort(-popularity.scores, kind="stable")[:size]
    p = np.maximum(popularity.scores[indices], POPULARITY_FLOOR)
    weights = p**-WEIGHT_POWER
    mean = p * weights
    mean = mean / np.linalg.norm(mean)
    return ItemItemTask(
        indices=tuple(indices.tolist()),
        weights=tuple(weights.tolist()),
        mean=tuple(mean.tolist()),
    )


def noise_edge(noise_stddev: float, items: int) -> float:
    """Where the spectrum of pure noise ends: e = σ√(2M).

    The sum holds √2 · the triangle, so an off-diagonal entry has noise σ/√2, and
    Wigner's semicircle of such entries has radius 2 · (σ/√2) · √M.
    """
    return noise_stddev * float(np.sqrt(2.0 * items))


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
    signal = spectrum(symmetric(values, len(task.indices)), noise_stddev=noise_stddev)
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


def spectrum(matrix: FloatArray, *, noise_stddev: float) -> Spectrum:
    """The positive directions of a symmetric matrix beyond the noise edge, shrunk."""
    edge = noise_edge(noise_stddev, len(matrix))
    observed, vectors = np.linalg.eigh(matrix)
    kept = observed > max(edge, 1e-9)
    w = observed[kept]
    return Spectrum(values=0.5 * (w + np.sqrt(w**2 - edge**2)), vectors=vectors[:, kept], edge=edge)


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
