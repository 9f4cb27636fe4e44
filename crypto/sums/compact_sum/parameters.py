"""The fixed parameters of compact sum. There is no negotiation: others are another scheme.

Ring Z[x]/(x**2048 + 1) modulo 2**32; secret and error are discrete Gaussians of σ = 8. What a
round opens (the sum of the secrets, and with it that of the errors) is a hint on each secret;
pairing every honest client with one honest contributor leaves an effective σ of at least 4
(Kim, Lee, Seo, Song 2023, Hint-LWE), for which the lattice estimator gives 244 bits (116 at degree
1024, which is therefore refused). It takes two honest contributors: the honest key holders' noise
entries are that.
"""

import math
from typing import Final

import numpy as np

from crypto.dp.widths import GUARD_BITS, FieldLayout
from crypto.sums.pieces.length import SECRET_LENGTH
from crypto.sums.schemes import HOLDERS

RING_DEGREE: Final = SECRET_LENGTH
SIGMA: Final = 8.0
# Guard bits, and the most contributors (the three key holders among them) whose errors they hold:
# margins of 12.6, 8.1 and 10.2 standard deviations of their sum.
MAX_CONTRIBUTORS: Final = {bits: clients + HOLDERS for clients, bits in GUARD_BITS.items()}


def blocks(padded_dimension: int, layout: FieldLayout) -> int:
    """How many ring elements a body has."""
    return -(-layout.coefficients(padded_dimension) // RING_DEGREE)


def body_bytes(padded_dimension: int, layout: FieldLayout) -> int:
    """How long a body is: 4 bytes a coefficient, whole blocks."""
    return 4 * RING_DEGREE * blocks(padded_dimension, layout)


def overflow_probability(guard_bits: int, contributors: int) -> float:
    """Bound on the probability that the summed error of one coefficient leaves its guard bits.

    A discrete Gaussian of centre 0 is subgaussian with its σ² (Canonne, Kamath, Steinke 2020), a
    sum of them with the sum, so this is 2 · exp(-t² / 2nσ²) at t = 2**(guard_bits - 1).
    """
    threshold = float(np.ldexp(1.0, guard_bits - 1))
    return 2 * math.exp(-(threshold**2) / (2 * contributors * SIGMA**2))
