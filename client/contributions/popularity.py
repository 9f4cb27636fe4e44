"""Popularity: how a shopper spreads one unit of length over the items she buys.

A shopper gives the square root of in how many baskets each item was, scaled to length 1. The root
keeps a staple from drowning the rest of her shelf; the length makes everyone's say the same.
"""

import numpy as np

from client.contributions.history import FloatArray, History
from consent.tasks.popularity import PopularityTask
from crypto.errors import InvalidInputError


def contribution(task: PopularityTask, history: History) -> FloatArray:
    """Root counts over all baskets.

    Returns:
        float64, shape (task.dimension,), unitless. Guarantee: non-negative, finite, and of L2 norm
        0 (no known item) or 1 up to rounding.

    Raises:
        InvalidInputError: the task counts other items than the catalogue lists.
    """
    return root_counts(history, items=task.items)


def root_counts(history: History, *, items: int) -> FloatArray:
    """Square roots of basket counts, L2-normalised; all zero for an empty history."""
    if history.items != items:
        raise InvalidInputError(
            f"The task is over {items} items and the catalogue has {history.items}: "
            "fetch the catalogue that the task's manifest names."
        )
    roots = np.sqrt(history.counts)
    norm = float(np.linalg.norm(roots))
    return roots / norm if norm else roots
