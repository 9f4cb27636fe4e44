"""Factors: where items should move to foretell a shopper better, as one bounded vector.

Her target z is the direction of ``item_item``; what she has bought counts 1 and everything else
``unseen``. With F the items' places and c those counts, her own place is the ridge solution

    x = argmin ½ Σᵢ cᵢ (zᵢ - Fᵢ x)² + ½ ridge |x|²  =  (Fᵀ diag(c) F + ridge)⁻¹ Fᵀ (c z)

It stays here. With r = c (z - F x) the least of that loss has the gradient -r xᵀ by F (the
dependence of x on F drops out at the minimum), and its curvature along each item is at most x xᵀ.
She gives both. An item that she has not bought has a row as any other does: z is nowhere zero where
the public mean direction isn't.

Source: Hu, Koren and Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008,
for the weighted loss; Ammad-ud-din et al., "Federated collaborative filtering", 2019, for keeping
the shopper's own factors on her device.
"""

from dataclasses import dataclass

import numpy as np

from client.contributions.history import FloatArray, History
from client.contributions.item_item import direction
from client.contributions.lists import untold
from consent.tasks.factors import FactorsArtefact, FactorsTask
from crypto.errors import InvalidInputError

SQRT_TWO = float(np.sqrt(2.0))


@dataclass(frozen=True, kw_only=True, repr=False)
class Fit:
    """One shopper's place among given items' places; never leaves the device.

    Attributes:
        place: float64, shape (k,).
        counts: float64, shape (M,): what each listed item counts in the loss.
        residual: float64, shape (M,): what her place leaves of her direction.
    """

    place: FloatArray
    counts: FloatArray
    residual: FloatArray

    def __repr__(self) -> str:
        return f"Fit({self.place.size} tastes)"

    def __reduce__(self) -> str:
        raise TypeError("A Fit must not leave the client: contribute a sealed update.")


def contribution(task: FactorsTask, history: History) -> FloatArray:
    """The descent direction r xᵀ, row by row, then √2 · the upper triangle of x xᵀ.

    The diagonal is not times √2. Both are made without the lists that the task withholds.

    Returns:
        float64, shape (task.dimension,), unitless. Guarantee: finite, and of L2 norm at most 1 for
        every history and every task that parses: divided by its own length, or by ``task.length``
        where it is shorter. Zeros for a shopper without a direction.

    Raises:
        InvalidInputError: the task lists an item that the catalogue does not have.
    """
    if max(task.indices) >= history.items:
        raise InvalidInputError(
            f"The task lists item {max(task.indices)} and the catalogue has {history.items} items: "
            "fetch the catalogue that the task's manifest names."
        )
    fit = fitted(task, untold(history, task.withheld), task.factors)
    row, column = np.triu_indices(task.width)
    scale = np.where(row == column, 1.0, SQRT_TWO)
    vector = np.concatenate(
        [
            np.outer(fit.counts * fit.residual, fit.place).ravel(),
            scale * fit.place[row] * fit.place[column],
        ]
    )
    return vector / max(float(np.linalg.norm(vector)), task.length)


def fitted(terms: FactorsTask | FactorsArtefact, history: History, factors: FloatArray) -> Fit:
    """Where a shopper lies among items at the given places, shape (M, k)."""
    listed = np.asarray(terms.indices, dtype=np.int64)
    z = direction(history, listed, np.asarray(terms.weights), np.asarray(terms.mean))
    counts = np.where(history.counts[listed] > 0, 1.0, terms.unseen)
    weighed = factors * counts[:, None]
    normal = weighed.T @ factors + terms.ridge * np.eye(factors.shape[1])
    place = np.linalg.solve(normal, weighed.T @ z).astype(np.float64)
    return Fit(place=place, counts=counts, residual=z - factors @ place)
