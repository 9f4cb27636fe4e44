"""Two neighbour methods for next baskets that see everyone's data: TIFU-KNN and UP-CF.

Both need one place that holds all histories, which is what a federation does without.
"""

from functools import lru_cache

import numpy as np
import scipy.sparse as sp

from client.contributions.history import FloatArray, History, IndexArray
from simulations.evaluation.evaluate import Recommender
from simulations.evaluation.metrics import Scorer
from simulations.evaluation.models.shoppers import matrix, once, rows_of_tested
from simulations.evaluation.protocol import Fold

SHOPPERS_AT_ONCE = 512


def tifu_knn(
    *, neighbours: int, group: int, within: float, across: float, own: float
) -> Recommender:
    """TIFU-KNN: a shopper's twice decayed item frequencies, and those of her nearest neighbours.

    Args:
        neighbours: how many others, nearest by Euclidean distance (k).
        group: baskets in a group, counted from the latest (m).
        within: what a basket counts against the one after it in its group (r_b).
        across: what a group counts against the one after it (r_g).
        own: weight of the shopper's own vector against the neighbours' mean (α).

    Source: Hu, He, Gao and Zhang, "Modeling personalized item frequency information for
    next-basket recommendation", SIGIR 2020.
    """

    def fit(fold: Fold) -> Scorer:
        vectors, near = _neighbourhood(fold, group, within, across, neighbours)
        rows = rows_of_tested(fold)

        def scores(part: slice) -> FloatArray:
            others: FloatArray = (near[part] @ vectors).toarray()
            mine: FloatArray = vectors[rows[part]].toarray()
            return own * mine + (1.0 - own) * others

        return scores

    return fit


# How her own vector weighs against the neighbours' does not move who the neighbours are.
@lru_cache(maxsize=2)
def _neighbourhood(
    fold: Fold, group: int, within: float, across: float, count: int
) -> tuple[sp.csr_array, sp.csr_array]:
    """All TIFU vectors, and 1 / count at the nearest others of each tested shopper."""
    vectors = matrix(fold, lambda history: _decayed(history, group, within, across))
    return vectors, _nearest(vectors, rows_of_tested(fold), count)


def up_cf(*, recent: int, asymmetry: float, locality: float) -> Recommender:
    """UP-CF: everyone's shares of recent baskets, weighted by how alike the shoppers are.

    Args:
        recent: over how many of the latest baskets; 0 for all (r).
        asymmetry: exponent of the target's norm in the asymmetric cosine, 0 to 1 (α).
        locality: power that sharpens the similarity (q).

    Source: Faggioli, Polato and Aiolli, "Recency aware collaborative filtering for next basket
    recommendation", UMAP 2020.
    """

    def fit(fold: Fold) -> Scorer:
        share = matrix(fold, lambda history: _shares(history, recent))
        has = share.copy()
        has.data[:] = 1.0
        size = np.maximum(has.sum(axis=1), 1.0)
        rows = rows_of_tested(fold)
        others = (sp.diags_array(size ** -(1.0 - asymmetry)) @ has).T.tocsr()

        def scores(part: slice) -> FloatArray:
            chosen = rows[part]
            alike = (has[chosen] @ others).toarray() * (size[chosen, None] ** -asymmetry)
            found: FloatArray = alike**locality @ share
            return found

        return scores

    return fit


def _decayed(history: History, group: int, within: float, across: float) -> FloatArray:
    """The weight of each entry in a TIFU vector: the mean over groups of means over baskets.

    Groups are full from the latest basket back, so the oldest one may be short.
    """
    groups = -(-history.baskets // group)
    number = history.age // group
    oldest = history.baskets - group * (groups - 1)
    size = np.where(number == groups - 1, oldest, group)
    decayed = within ** (history.age % group) * across**number
    weight: FloatArray = decayed / (size * max(groups, 1))
    return weight


def _shares(history: History, recent: int) -> FloatArray:
    """1 / (number of baskets looked at) for each entry of one of them, 0 for an older one."""
    window = min(recent, history.baskets) if recent else history.baskets
    return np.where(history.age < window, once(history) / max(window, 1), 0.0)


def _nearest(vectors: sp.csr_array, rows: IndexArray, count: int) -> sp.csr_array:
    """1 / count at the nearest others of each given shopper, shape (rows, shoppers)."""
    count = min(count, vectors.shape[0] - 1)
    length = vectors.multiply(vectors).sum(axis=1)
    found = np.empty((rows.size, max(count, 0)), dtype=np.int64)
    transposed = vectors.T.tocsr()
    for start in range(0, rows.size if count > 0 else 0, SHOPPERS_AT_ONCE):
        chosen = rows[start : start + SHOPPERS_AT_ONCE]
        # Her own length is the same for all others, so it doesn't move the order.
        distance = length - 2.0 * (vectors[chosen] @ transposed).toarray()
        distance[np.arange(chosen.size), chosen] = np.inf
        found[start : start + chosen.size] = np.argpartition(distance, count - 1, axis=1)[:, :count]
    shape = (rows.size, vectors.shape[0])
    where = (np.repeat(np.arange(rows.size), found.shape[1]), found.ravel())
    return sp.csr_array((np.full(found.size, 1.0 / max(count, 1)), where), shape=shape)
