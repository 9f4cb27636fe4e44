"""Noise: the arrow from rounded vectors of a client's shoppers to one noised update."""

from collections.abc import Iterable

import numpy as np

from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.dp.skellam import sample_skellam
from crypto.update import NOISE_DOOR, NoisedUpdate, RoundedUpdate


def add_noise(
    updates: Iterable[RoundedUpdate], *, plan: PrivacyPlan, rng: SecureRandom
) -> NoisedUpdate:
    """Sum a client's shoppers and add the client's share of Skellam noise, once.

    Guarantee: any ``n_min - c`` honest clients' shares together have variance μ = z²Δ₂² per
    coordinate, so their sum has the plan's (ε, δ) for every shopper in it.

    Raises:
        ValueError: no shopper at all, or a vector that the plan's sensitivity does not cover.
    """
    total = np.zeros(plan.padded_dimension, dtype=np.int64)
    shoppers = 0
    for update in updates:
        if update.squared_bound > plan.squared_sensitivity * (1 + 1e-12):
            raise ValueError("A rounded update has a larger bound than the plan accounts for.")
        if update.values.shape != total.shape:
            raise ValueError(
                f"A rounded update has {update.values.size} values, the plan {total.size}."
            )
        total += update.values
        shoppers += 1
    if not shoppers:
        raise ValueError("A client contributes only with at least one consenting shopper.")
    total += sample_skellam(plan.client_variance, total.size, rng)
    return NoisedUpdate(values=total, shoppers=shoppers, door=NOISE_DOOR)
