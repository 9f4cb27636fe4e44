"""EASE: the closed-form item-item model, from everyone's data in one place and without noise."""

from enum import StrEnum
from functools import lru_cache

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from client.contributions.history import FloatArray, History, IndexArray
from simulations.evaluation.evaluate import Recommender
from simulations.evaluation.metrics import Scorer
from simulations.evaluation.models.shoppers import matrix, once, rows_of_tested
from simulations.evaluation.protocol import Fold

# Inverting a Gram matrix takes time with the cube of its size: rarer items are left out beyond.
MOST_ITEMS = 6_000


class Profile(StrEnum):
    """What a shopper's row of the matrix holds."""

    BINARY = "binary"
    """1 for every item she has had: the form in which EASE was published."""

    ROOTS = "roots"
    """Root counts at unit length: nobody counts more than another."""


def ease(
    *, ridge: float, profile: str, own: float = 0.0, popularity_power: float = 0.0
) -> Recommender:
    """EASE over the most popular items.

    Args:
        ridge: λ, in shoppers (binary: in co-occurrences).
        profile: one of ``Profile``.
        own: weight of an item's own place in a shopper's row, as a share of the row; EASE proper
            has 0, and then a next basket can't repeat for an item's own sake.
        popularity_power: scores are divided by popularity to this power.

    Source: Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019.
    """

    def fit(fold: Fold) -> Scorer:
        rows, kept, plain = _fitted(fold, Profile(profile), ridge)
        bought = np.asarray((rows[:, kept] > 0).sum(axis=0), dtype=np.float64)
        model = plain + own * np.eye(kept.size)
        model /= np.maximum(bought, 1.0) ** popularity_power
        chosen = rows[:, kept][rows_of_tested(fold)].tocsr()

        def scores(part: slice) -> FloatArray:
            every = np.zeros((part.stop - part.start, rows.shape[1]))
            every[:, kept] = chosen[part] @ model
            return every

        return scores

    return fit


# What only weighs a solved model differently needs no second inversion.
@lru_cache(maxsize=2)
def _fitted(
    fold: Fold, profile: Profile, ridge: float
) -> tuple[sp.csr_array, IndexArray, FloatArray]:
    """Everyone's rows, the items that are kept, and their EASE weights."""
    rows = matrix(fold, lambda history: _profile(history, profile))
    bought = np.asarray((rows > 0).sum(axis=0))
    kept = np.sort(np.argsort(-bought, kind="stable")[:MOST_ITEMS]).astype(np.int64)
    model = weights(rows[:, kept], ridge)
    model.flags.writeable = False
    return rows, kept, model


def weights(rows: sp.csr_array, ridge: float) -> FloatArray:
    """The EASE weights B = I - P · diag(1/diag P) with P = (XᵀX + λI)⁻¹; zero diagonal."""
    gram: FloatArray = (rows.T @ rows).toarray()
    gram[np.diag_indices_from(gram)] += ridge
    inverse: FloatArray = scipy.linalg.inv(gram, overwrite_a=True, check_finite=False)
    model: FloatArray = -inverse / np.diag(inverse)
    np.fill_diagonal(model, 0.0)
    return model


def _profile(history: History, profile: Profile) -> FloatArray:
    """The weight of each entry, so that a shopper's entries add up to her row."""
    counts = np.maximum(history.counts[history.item], 1.0)
    if profile is Profile.BINARY:
        return once(history) / counts
    length = float(np.sqrt(history.counts.sum()))
    return np.sqrt(counts) / counts / max(length, 1.0)
