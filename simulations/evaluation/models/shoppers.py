"""All training shoppers of a fold as one sparse matrix, for models that see everyone's data."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from client.contributions.history import FloatArray, History, IndexArray
from simulations.evaluation.protocol import Fold


def matrix(fold: Fold, weight: Callable[[History], FloatArray]) -> sp.csr_array:
    """Shoppers by items, shape (training shoppers, items): summed weights of a shopper's entries.

    Args:
        fold: whose training shoppers; rows are in their order.
        weight: of each (basket, item) entry of a history, shape like ``history.item``.
    """
    histories = list(fold.histories.values())
    row = np.repeat(np.arange(len(histories)), [history.item.size for history in histories])
    item = np.concatenate([history.item for history in histories])
    value = np.concatenate([weight(history) for history in histories])
    shape = (len(histories), len(fold.training.catalogue))
    summed = sp.csr_array((value, (row, item)), shape=shape)
    summed.eliminate_zeros()
    return summed


def rows_of_tested(fold: Fold) -> IndexArray:
    """Where each tested shopper is among the training shoppers, shape (tested,)."""
    place = {shopper: row for row, shopper in enumerate(fold.histories)}
    return np.array([place[shopper] for shopper in fold.tested], dtype=np.int64)


def once(history: History) -> FloatArray:
    """Every entry counts 1: the matrix holds in how many baskets each item was."""
    return np.ones(history.item.size)
