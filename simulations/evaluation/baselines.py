"""What a recommender must beat: popularity in three forms, and item-item without any privacy.

Each is fitted on a fold's training data and returns a scorer of its tested shoppers.
"""

import numpy as np
import scipy.linalg

from client.contributions.history import FloatArray
from simulations.evaluation.metrics import Scorer
from simulations.evaluation.protocol import Fold

# Ridge of the centralised item-item model, in shoppers; chosen on validation (decision 0005).
CENTRAL_RIDGE = 300.0
JUST_BELOW_ONE = 0.999


def global_top(fold: Fold) -> Scorer:
    """Items by in how many training baskets they were, the same list for everyone."""
    total = _totals(fold)
    return lambda rows: np.tile(total, (rows.stop - rows.start, 1))


def personal_top(fold: Fold) -> Scorer:
    """A shopper's own items by in how many of her baskets they were; ties by list order."""
    return lambda rows: fold.counts[rows].toarray()


def personal_and_global_top(fold: Fold) -> Scorer:
    """Personal top, with ties and empty places by global top."""
    total = _totals(fold)
    share = JUST_BELOW_ONE * total / max(float(total.max()), 1.0)
    return lambda rows: fold.counts[rows].toarray() + share


def central_item_item(fold: Fold, *, ridge: float = CENTRAL_RIDGE) -> Scorer:
    """EASE (Steck 2019) over all items, from everyone's data in one place and without noise.

    Rows are a shopper's root counts at unit length, so the ridge is in shoppers. EASE leaves an
    item's own count out; bought items are scored by it as well, at the weight of the strongest
    association, else a next basket could not repeat.
    """
    profiles = np.sqrt(fold.counts.toarray())
    profiles /= np.maximum(np.linalg.norm(profiles, axis=1, keepdims=True), 1e-12)
    gram = profiles.T @ profiles
    gram[np.diag_indices_from(gram)] += ridge
    inverse: FloatArray = scipy.linalg.inv(gram, overwrite_a=True, check_finite=False)
    model = -inverse / np.diag(inverse)
    np.fill_diagonal(model, 1.0)
    scores: FloatArray = profiles @ model
    return lambda rows: scores[rows]


BASELINES = {
    "global top": global_top,
    "personal top": personal_top,
    "personal + global top": personal_and_global_top,
    "item-item, centralised": central_item_item,
}


def _totals(fold: Fold) -> FloatArray:
    """In how many training baskets each item was, every training shopper's, shape (items,)."""
    total = np.zeros(len(fold.training.catalogue))
    for history in fold.histories.values():
        total += history.counts
    return total
