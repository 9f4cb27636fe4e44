"""A public subspace: where item-item may hear what is too quiet for the whole list.

The noise of a sum ends at an edge that grows with the root of how many directions are looked at.
Items that share a category, a genre or a decade are bought together, and who belongs together that
way is public: so the few directions that the item list spans are looked at by themselves, with
noise only as wide as they are many. What is found there is added to what the whole list shows.

Source of the edge and the shrinkage: see ``item_item``.
"""

import numpy as np
import scipy.linalg

from consent.tasks.catalogue import Catalogue
from consent.tasks.described import described
from consent.tasks.item_item import ItemItemTask
from server.artefacts.wigner import FloatArray, Spectrum, shrunk

# More directions widen the noise, and the rarer values say little.
MOST_DIRECTIONS = 64
DEPENDENT = 1e-6


def described_values(catalogue: Catalogue) -> int:
    """How many directions the item list can span at most: its values, up to MOST_DIRECTIONS."""
    values = sum(column.members.shape[1] for column in described(catalogue))
    return min(values, MOST_DIRECTIONS)


def public_basis(task: ItemItemTask, catalogue: Catalogue) -> FloatArray:
    """An orthonormal basis of what the item list says, shape (M, d), d at most MOST_DIRECTIONS.

    A column for each value of each attribute: the mean direction on the items that have the value,
    nothing elsewhere, minus its part along the mean direction. The values that cover most of the
    mean direction come first. Nothing in it comes from the sum that it is used on.
    """
    mean = np.asarray(task.mean, dtype=np.float64)
    listed = np.asarray(task.indices)
    members = [column.members.dense(listed) for column in described(catalogue)]
    if not members:
        return np.zeros((mean.size, 0))
    columns = np.hstack(members) * mean[:, None]
    covered = np.linalg.norm(columns, axis=0)
    best = np.argsort(-covered, kind="stable")[:MOST_DIRECTIONS]
    best = best[covered[best] > 0]
    if not best.size:
        return np.zeros((mean.size, 0))
    columns = columns[:, best] / covered[best]
    columns -= np.outer(mean, mean @ columns)
    basis, triangle, _ = scipy.linalg.qr(columns, mode="economic", pivoting=True)
    independent = np.abs(np.diag(triangle)) > DEPENDENT
    spanned: FloatArray = basis[:, independent]
    return spanned


def with_subspace(
    matrix: FloatArray, found: Spectrum, basis: FloatArray, *, noise_stddev: float
) -> Spectrum:
    """What the whole matrix showed, and what its remainder shows inside the basis.

    Args:
        matrix: the noisy symmetric sum, shape (M, M).
        found: its directions beyond the noise edge of M.
        basis: orthonormal, shape (M, d); public.
        noise_stddev: of each value of the sum, as in ``wigner.noise_edge``.

    Returns:
        Both together, by their joint spectrum. Without noise it is ``found``: nothing positive is
        left beside it.
    """
    if not basis.shape[1]:
        return found
    inside = basis.T @ found.vectors
    remainder = basis.T @ (matrix @ basis) - (inside * found.values) @ inside.T
    quiet = shrunk(remainder, noise_stddev=noise_stddev)
    if not quiet.values.size:
        return found
    vectors = np.hstack([found.vectors, basis @ quiet.vectors])
    return _joint(np.concatenate([found.values, quiet.values]), vectors, edge=quiet.edge)


def _joint(values: FloatArray, vectors: FloatArray, *, edge: float) -> Spectrum:
    """The spectrum of Σ values · v vᵀ, whose columns v need not be orthogonal."""
    left, length, _ = np.linalg.svd(vectors * np.sqrt(values), full_matrices=False)
    kept = length > DEPENDENT * length.max()
    return Spectrum(values=length[kept] ** 2, vectors=left[:, kept], edge=edge)
