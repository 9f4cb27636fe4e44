"""Exact products in Z[x]/(x**2048 + 1) modulo 2**32, by float64 FFT over limbs.

A polynomial a of degree below N = 2048 becomes N/2 complex numbers a_j + i·a_(j + N/2), because
x**(N/2) = i in one of the two factors of x**N + 1 over C; twisting by exp(iπj/N) makes the product
there a cyclic convolution of length N/2 = 1024.

Exactness. a is cut into two signed limbs of 16 bits, the other factor s into as many signed limbs
of 11 bits as it needs (one for a client's secret, two for any sum of honest secrets, three for any
words at all). For one pair of limbs:

- ``|a_j| <= 2**15`` and ``|s_j| <= 2**10``, so ``‖a‖ <= 2**20.5`` and ``‖s‖ <= 2**15.5`` (L2).
  Each coefficient of the product is at most ``‖a‖·‖s‖ = 2**36``, their L2 norm at most 2**41.5.
- Let ρ bound the relative L2 error of one transform with its twist. Forward errors and the
  pointwise product (relative error below 3u, u = 2**-53) change a coefficient by at most
  ``(2ρ + ρ² + 4u)·‖a‖·‖s‖``; the inverse by at most ρ times the L2 norm of the product. Together
  less than ``ρ · 2**41.6``.
- Rounding to the nearest integer is exact if that is below 1/2, that is for ρ <= 2**-42.6 = 1370u.
  Radix-2 transforms of length 1024 with accurately rounded twiddles have ρ < 10 · 5u, and higher
  radices less (Brisebarre, Joldes, Muller, Naneş, Picot 2020); the twist adds 4u. This leaves a
  factor of 25, for every input, not on average.

The limbs' products are then shifted and added as integers modulo 2**32. Tests compare with exact
integer products, worst cases included.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from crypto.sums.compact_sum.parameters import RING_DEGREE
from crypto.sums.pieces.split import WordArray
from crypto.update import FloatArray, IntArray

ComplexArray = npt.NDArray[np.complex128]

_HALF: Final = RING_DEGREE // 2
_TWIST: Final = np.exp(1j * np.pi * np.arange(_HALF) / RING_DEGREE)
_UNTWIST: Final = np.conj(_TWIST)
_WIDE_BITS: Final = 16
_SHORT_BITS: Final = 11
_WORD_BITS: Final = 32
# Adding it to a float64 below 2**51 in size rounds to the nearest integer and leaves that integer
# mod 2**52 in the low bits of the float's own representation.
_ROUNDER: Final = 1.5 * 2.0**52


class Factor:
    """One polynomial, transformed once, to multiply many others by.

    Args:
        polynomial: integers within ±2**31, shape (2048,), any signed type; not kept.
    """

    def __init__(self, polynomial: npt.NDArray[np.signedinteger]) -> None:
        self._limbs = [_transform(limb.astype(np.float64)) for limb in _short_limbs(polynomial)]

    def times(self, others: WordArray) -> WordArray:
        """Multiply modulo (x**2048 + 1, 2**32): uint32, shape (count, 2048), to the same shape."""
        total = np.zeros_like(others, dtype=np.uint32)
        for position, wide in enumerate(_wide_limbs(others)):
            transformed = _transform(wide)
            for order, short in enumerate(self._limbs):
                shift = position * _WIDE_BITS + order * _SHORT_BITS
                if shift < _WORD_BITS:
                    product = _inverse(transformed * short)
                    product <<= np.uint32(shift)
                    total += product
        return total

    def erase(self) -> None:
        """Overwrite what was kept of the polynomial (best effort: FFT scratch space is not ours).

        The factor is of no use afterwards.
        """
        for limb in self._limbs:
            limb.fill(0)


def _short_limbs(polynomial: npt.NDArray[np.signedinteger]) -> list[IntArray]:
    """Signed limbs of 11 bits, lowest first; at least one, and as many as it takes."""
    rest = polynomial.astype(np.int64)
    half, mask = np.int64(1 << (_SHORT_BITS - 1)), np.int64((1 << _SHORT_BITS) - 1)
    limbs: list[IntArray] = []
    while not limbs or rest.any():
        limb = ((rest + half) & mask) - half
        rest = (rest - limb) >> np.int64(_SHORT_BITS)
        limbs.append(limb)
    return limbs


def _wide_limbs(others: WordArray) -> tuple[FloatArray, FloatArray]:
    """Two signed limbs of 16 bits of each word, low and high (the high one mod 2**16)."""
    low = others.astype(np.uint16).view(np.int16)
    high = (others >> np.uint32(_WIDE_BITS)).astype(np.uint16)
    high += low < 0
    return low.astype(np.float64), high.view(np.int16).astype(np.float64)


def _transform(values: FloatArray) -> ComplexArray:
    """Real polynomials, shape (..., 2048), to their transforms, shape (..., 1024)."""
    folded = np.empty((*values.shape[:-1], _HALF), dtype=np.complex128)
    folded.real = values[..., :_HALF]
    folded.imag = values[..., _HALF:]
    folded *= _TWIST
    return np.fft.fft(folded, out=folded)


def _inverse(transformed: ComplexArray) -> WordArray:
    """Undo ``_transform`` to the nearest integers mod 2**32; overwrites its argument."""
    np.fft.ifft(transformed, out=transformed)
    transformed *= _UNTWIST
    result = np.empty((*transformed.shape[:-1], RING_DEGREE), dtype=np.uint32)
    for start, part in ((0, transformed.real), (_HALF, transformed.imag)):
        rounded = (part + _ROUNDER).view(np.uint64)
        result[..., start : start + _HALF] = rounded.astype(np.uint32)
    return result
