"""Item-item: which listed items are bought by the same people, as one bounded vector.

The shopper's listed items become a direction z of length 1, and z zᵀ off the diagonal is what she
gives. Popular items are weighted down and the public mean direction is taken out first, because
every shopper shares it and the sum would otherwise say little else. Both come from artefacts that
were released before, so they cost no privacy.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import islice

import numpy as np

from client.contributions.history import FloatArray, History, IndexArray
from client.contributions.lists import untold
from consent.tasks.item_item import ItemItemTask
from crypto.errors import InvalidInputError

SQRT_TWO = float(np.sqrt(2.0))
# Below this share of a shopper's length, what is left beside the mean direction is rounding error.
LEAST_RESIDUAL = 1e-6
SHOPPERS_AT_ONCE = 1024


def contribution(task: ItemItemTask, history: History) -> FloatArray:
    """√2 · the upper triangle of z zᵀ, row by row above the diagonal.

    z is made without the lists that the task withholds for the ranker.

    Returns:
        float64, shape (task.dimension,), unitless. Guarantee: finite, and the squared L2 norm is
        1 - Σ zᵢ⁴ for a shopper with a direction, 0 for one without: at most 1 for every history
        and every task that parses.

    Raises:
        InvalidInputError: the task lists an item that the catalogue does not have.
    """
    indices = _listed(task)
    given = untold(_known(history, indices), task.withheld)
    z = direction(given, indices, np.asarray(task.weights), np.asarray(task.mean))
    row, column = _upper(indices.size)
    return SQRT_TWO * z[row] * z[column]


def total(task: ItemItemTask, histories: Iterable[History]) -> FloatArray:
    """The sum of everybody's contribution, shape (task.dimension,), to rounding.

    For a client that stands for many shoppers, and for simulations: one product of matrices
    instead of a long vector a shopper. Guarantee: nothing of it may leave without noise, as with
    any sum.

    Raises:
        InvalidInputError: as ``contribution``.
    """
    indices = _listed(task)
    size = indices.size
    summed = np.zeros((size, size))
    weights, mean = np.asarray(task.weights), np.asarray(task.mean)
    everyone = iter(histories)
    while batch := list(islice(everyone, SHOPPERS_AT_ONCE)):
        given = [untold(_known(history, indices), task.withheld) for history in batch]
        rows = np.array([direction(history, indices, weights, mean) for history in given])
        summed += rows.T @ rows
    return SQRT_TWO * summed[_upper(size)]


def direction(
    history: History, indices: IndexArray, weights: FloatArray, mean: FloatArray
) -> FloatArray:
    """A shopper's direction z among the listed items.

    Her ``profile`` minus the part along ``mean``, scaled to length 1 again.

    Args:
        history: hers.
        indices: of the listed items, shape (M,).
        weights: one per listed item.
        mean: the direction that is taken out, shape (M,).

    Returns:
        float64, shape (M,): of length 1, or all zero where no listed item was bought or nothing is
        left beside the mean direction.
    """
    whole = profile(history, indices, weights)
    residual = whole - float(whole @ mean) * mean
    if float(np.linalg.norm(residual)) < LEAST_RESIDUAL:
        return np.zeros(indices.size)
    return _unit(residual)


def profile(
    history: History,
    indices: IndexArray,
    weights: FloatArray,
    *,
    entries: FloatArray | None = None,
) -> FloatArray:
    """Her root basket counts of the listed items times weights, shape (M,).

    ``entries``: what each of her entries counts, shape (n,), such as more for recent ones; 1 each
    without. On the device only: what is contributed counts all alike.

    Returns:
        float64, shape (M,): of length 1, or all zero where no listed item was bought.
    """
    counts = history.counts
    if entries is not None:
        counts = np.bincount(history.item, entries, minlength=history.items).astype(np.float64)
    return _unit(np.sqrt(counts[indices]) * weights)


def _listed(task: ItemItemTask) -> IndexArray:
    return np.asarray(task.indices, dtype=np.int64)


def _known(history: History, indices: IndexArray) -> History:
    """The history, whose catalogue has every listed item."""
    if indices.max() >= history.items:
        raise InvalidInputError(
            f"The task lists item {indices.max()} and the catalogue has {history.items} items: "
            "fetch the catalogue that the task's manifest names."
        )
    return history


def _unit(values: FloatArray) -> FloatArray:
    """The vector scaled to length 1; by its largest entry first, so that nothing overflows."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0:
        return np.zeros_like(values)
    scaled = values / largest
    unit: FloatArray = scaled / np.linalg.norm(scaled)
    return unit


@lru_cache(maxsize=4)
def _upper(size: int) -> tuple[IndexArray, IndexArray]:
    row, column = np.triu_indices(size, 1)
    return row.astype(np.int64), column.astype(np.int64)
