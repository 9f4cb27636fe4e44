"""Shamir sharing of residue vectors: three shares, any two recover, one says nothing.

A secret m mod p becomes m + r·x for x = 1, 2, 3 with r uniform mod p; shares add. Since p passes
2**40, products are split into 20-bit limbs to stay within 64 bits.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from crypto.dp.random import SecureRandom
from crypto.errors import SealError
from crypto.sums.schemes import HOLDERS, THRESHOLD
from crypto.sums.share_sum.parameters import PLAIN_MODULUS

IntArray = npt.NDArray[np.int64]
_LIMB = 1 << 20


def share(secret: IntArray, rng: SecureRandom) -> list[IntArray]:
    """Shares of a residue vector for key holders 1..3, each of the secret's shape.

    Guarantee: any single share is uniform and independent of the secret.
    """
    slope = rng.below(PLAIN_MODULUS, secret.size)
    return [(secret + x * slope) % PLAIN_MODULUS for x in range(1, HOLDERS + 1)]


def recover(shares: Mapping[int, IntArray]) -> IntArray:
    """The secret from the shares of two or three key holders (keys 1..3).

    Raises:
        SealError: fewer than two, unknown key holders, or a third share that does not lie on the
            line of the first two (somebody erred or lied; nothing may be released).
    """
    if len(shares) < THRESHOLD or not set(shares) <= set(range(1, HOLDERS + 1)):
        raise SealError(f"Expected shares of {THRESHOLD} or {HOLDERS} key holders.")
    (i, first), (j, second), *rest = sorted(shares.items())
    secret = _line(first, second, i, j, at=0)
    for k, third in rest:
        if not np.array_equal(_line(first, second, i, j, at=k), third % PLAIN_MODULUS):
            raise SealError("The opened shares contradict each other; the round is discarded.")
    return secret


def _line(first: IntArray, second: IntArray, i: int, j: int, *, at: int) -> IntArray:
    inverse = pow(j - i, -1, PLAIN_MODULUS)
    left = _scale(first, (j - at) * inverse % PLAIN_MODULUS)
    right = _scale(second, (at - i) * inverse % PLAIN_MODULUS)
    return (left + right) % PLAIN_MODULUS


def _scale(values: IntArray, factor: int) -> IntArray:
    """``values · factor`` mod p: Horner over the factor's 20-bit limbs, all below 2**61."""
    result = np.zeros_like(values)
    for limb in (factor >> 40, factor >> 20 & (_LIMB - 1), factor & (_LIMB - 1)):
        result = (result * _LIMB + values % PLAIN_MODULUS * limb) % PLAIN_MODULUS
    return result
