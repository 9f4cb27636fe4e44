"""What the released item-item model says of every item, for one shopper.

Her items make a profile of length 1. It is α · m + r: a part along the public mean direction m, by
which every shopper resembles the crowd, and what is left of her own, r.

    lift_j     = (r / |r|) · B_j               her own part alone, as it was summed
    foretold_j = (α m_j + r · B_j) / (1 - m_j²)

m was taken out of the sum so that its noise doesn't drown what is left. It belongs back where new
items compete: how much of a shopper is the crowd's says how far popularity speaks for her. Since m
is orthogonal to every direction of the sum and known without noise, putting it back into the closed
form (EASE, Steck 2019) adds m mᵀ to what the model is made of; the denominator is what that leaves
of an item beyond what B is divided by already, to first order.
"""

from dataclasses import dataclass

import numpy as np

from client.contributions.history import FloatArray, History
from client.contributions.item_item import LEAST_RESIDUAL, profile
from client.recommender.content import recency
from client.recommender.shared import Shared

# The least that is left of an item, however much of the mean direction it is alone.
LEAST_LEFT = 0.1


@dataclass(frozen=True, kw_only=True)
class Foretold:
    """What is foretold of every item; each float64, shape (items,), 0 for unlisted ones.

    Attributes:
        crowd: for whoever is as much the crowd's as she is.
        own: for what she has beside that.
    """

    crowd: FloatArray
    own: FloatArray


def lift(shared: Shared, history: History) -> FloatArray:
    """Her own part's say on every item, shape (items,); 0 for unlisted ones."""
    found = np.zeros(history.items)
    _, own, length = _spoken(shared, history, None)
    if shared.item_item is not None and length > LEAST_RESIDUAL:
        found[shared.item_item.indices] = own / length
    return found


def foretold(shared: Shared, history: History, half_life: float) -> Foretold:
    """What her latest entries foretell, each counting half of what one ``half_life`` later does."""
    crowd, own = np.zeros(history.items), np.zeros(history.items)
    model = shared.item_item
    if model is not None:
        along, spoken, _ = _spoken(shared, history, recency(history, half_life))
        left = np.maximum(1.0 - model.mean**2, LEAST_LEFT)
        crowd[model.indices] = along * model.mean / left
        own[model.indices] = spoken / left
    return Foretold(crowd=crowd, own=own)


def _spoken(
    shared: Shared, history: History, entries: FloatArray | None
) -> tuple[float, FloatArray, float]:
    """α, r · B over the listed items, and the length of r.

    Only her own rows of B are read: r · B = profile · B - α (m · B), the last known beforehand.
    """
    model = shared.item_item
    if model is None:
        return 0.0, np.zeros(0), 0.0
    whole = profile(history, model.indices, model.weights, entries=entries)
    along = float(whole @ model.mean)
    own = np.flatnonzero(whole)
    spoken: FloatArray = whole[own] @ model.matrix[own] - along * shared.said_by_mean
    return along, spoken, float(np.linalg.norm(whole - along * model.mean))
