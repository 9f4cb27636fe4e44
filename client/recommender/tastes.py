"""Factors on the device: what her items say of others, where a round of factors said it."""

from functools import lru_cache

import numpy as np

from consent.tasks.factors import FactorsArtefact
from consent.tasks.item_item import ItemItemArtefact

# What an item's own tastes leave of it is divided by, as item-item's closed form does; no less.
LEAST_REMAINDER = 0.05


# A store asks for the same ones on behalf of each of its shoppers.
@lru_cache(maxsize=2)
def pairs_of(released: FactorsArtefact) -> ItemItemArtefact:
    """The item-item model that places are worth.

    A shopper with direction z has the place x = (Fᵀ F + ridge)⁻¹ Fᵀ z and items have the scores
    F x, so F (Fᵀ F + ridge)⁻¹ Fᵀ says what each listed item speaks for each other: symmetric, and
    divided by what its own column leaves of an item, as in EASE (Steck 2019). So scores and
    reasons are those of item-item. Everything listed counts alike here, also under ``unseen`` < 1.
    """
    factors = released.factors
    normal = factors.T @ factors + released.ridge * np.eye(factors.shape[1])
    matrix = factors @ np.linalg.solve(normal, factors.T).astype(np.float64)
    matrix = matrix / np.maximum(1.0 - np.diag(matrix), LEAST_REMAINDER)
    np.fill_diagonal(matrix, 0.0)
    return ItemItemArtefact(
        catalogue=released.catalogue,
        indices=released.indices,
        matrix=matrix,
        weights=released.weights,
        mean=released.mean,
        directions=int(factors.any(axis=0).sum()),
    )
