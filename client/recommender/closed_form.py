"""The closed-form recommender: scores of all items for one shopper, without anything trained.

    score = habit + c · p                                        for an item she has bought
    score = c · p · exp(a · asinh(s · lift)) · affinityᵇ         for an item she has not

habit is the sum over her baskets of decay^(baskets ago) · (reference size / basket size)^e. For
bought items p is recent popularity, for new ones overall popularity: what to come back to follows
the season, what to try follows the crowd. Every artefact may be missing.
"""

from dataclasses import dataclass

import numpy as np

from client.contributions.history import FloatArray, History
from client.recommender.shared import Shared


@dataclass(frozen=True, kw_only=True)
class ClosedForm:
    """One shopper's closed-form scores and what they are made of; each float64, shape (items,).

    ``total`` is exactly ``((habit + popularity) + pairing) + affinity``, added in that order.
    """

    habit: FloatArray
    popularity: FloatArray
    pairing: FloatArray
    affinity: FloatArray
    total: FloatArray


def closed_form(shared: Shared, history: History, lift: FloatArray) -> ClosedForm:
    """Score every item; finite, and zero where nothing is known."""
    bought = history.counts > 0
    settings = shared.settings
    own = habit(history, decay=settings.decay, shared=shared)
    crowd = settings.popularity * np.where(bought, shared.lately, shared.overall)
    exponent = settings.pairing * np.arcsinh(settings.pairing_scale * lift)
    pairing = np.where(bought, 0.0, crowd * np.expm1(exponent))
    affinity = np.where(bought, 0.0, (crowd + pairing) * (liked(shared, history) - 1.0))
    total = ((own + crowd) + pairing) + affinity
    return ClosedForm(habit=own, popularity=crowd, pairing=pairing, affinity=affinity, total=total)


def habit(history: History, *, decay: float, shared: Shared) -> FloatArray:
    """Decayed counts, lines of large baskets counting less, shape (items,)."""
    settings = shared.settings
    basket = (settings.reference_size / history.sizes) ** settings.size_exponent
    weight = decay**history.age * basket[history.basket]
    found = np.bincount(history.item, weight, minlength=history.items)
    return found.astype(np.float64)  # bincount counts in integers when there is nothing to add


def liked(shared: Shared, history: History) -> FloatArray:
    """The factor of the category affinity, shape (items,); 1 where it says nothing.

    How many different items of the category she has bought, against how many a shopper with as
    many items would have if she bought by popularity alone.
    """
    settings, shelf = shared.settings, shared.shelf
    if shelf is None or not settings.affinity:
        return np.ones(history.items)
    owned = np.bincount(shared.category[history.counts > 0], minlength=shelf.size)
    prior = settings.affinity_prior
    ratio = (owned + prior) / (owned.sum() * shelf + prior)
    factor: FloatArray = np.where(
        shared.categorised, (ratio**settings.affinity)[shared.category], 1.0
    )
    return factor
