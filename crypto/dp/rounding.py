"""Conditional rounding: from a clipped real vector to integers whose norm is bounded for certain.

Each coordinate is rounded up or down at random so that its mean is exact; a draw whose norm
exceeds the bound is thrown away and drawn again. With β = exp(-1/2) the bound is

    Δ₂² = min{(s + √d)², s² + d/4 + (s + √d / 2)}

for vectors of norm at most s in d dimensions, and a draw is kept with probability at least 1 - β.
Source: Kairouz, Liu, Steinke 2021, "The Distributed Discrete Gaussian Mechanism", Prop. 22.
"""

import math

import numpy as np

from crypto.dp.random import SecureRandom
from crypto.dp.rotation import Rotation
from crypto.update import ClippedUpdate, RoundedUpdate

# A kept draw has probability >= 0.39, so 400 refusals in a row have probability below 2**-280.
_MAX_DRAWS = 400


def squared_l2_bound(scale: float, dimension: int) -> float:
    """Δ₂²: the largest squared norm of a rounded vector; ``scale`` is s, the scaled norm."""
    plain = (scale + math.sqrt(dimension)) ** 2
    conditional = scale**2 + dimension / 4 + (scale + math.sqrt(dimension) / 2)
    return min(plain, conditional)


def l1_bound(scale: float, dimension: int) -> float:
    """Δ₁: the largest L1 norm of a rounded vector, from min(Δ₂², √d · Δ₂)."""
    squared = squared_l2_bound(scale, dimension)
    return min(squared, math.sqrt(dimension * squared))


def round_update(
    clipped: ClippedUpdate, *, rotation: Rotation, scale: float, rng: SecureRandom
) -> RoundedUpdate:
    """Rotate, scale by ``scale / clipping_norm`` and round one shopper's vector.

    Guarantee: unbiased up to conditioning, and squared norm <= ``squared_l2_bound``.

    Raises:
        RuntimeError: no draw was kept (probability below 2**-280: a broken generator).
    """
    rotated = rotation.forward(clipped.values) * (scale / clipped.clipping_norm)
    bound = squared_l2_bound(scale, rotated.size)
    floor = np.floor(rotated)
    fraction = rotated - floor
    for _ in range(_MAX_DRAWS):
        drawn = floor + (rng.uniform(rotated.size) < fraction)
        if float(np.dot(drawn, drawn)) <= bound:
            return RoundedUpdate(drawn.astype(np.int64), bound)
    raise RuntimeError("Conditional rounding kept no draw: the random generator is broken.")
