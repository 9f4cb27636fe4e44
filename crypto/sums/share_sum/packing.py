"""Packing: two signed 20-bit fields a slot, so that one modular sum adds both without carries.

A slot holds (low + 2**20 · high) mod p. Sums unpack uniquely as long as each field's sum stays
within ±(2**19 - 1), which the privacy plan guarantees before anything is sealed.
"""

import numpy as np
import numpy.typing as npt

from crypto.dp.widths import FIELD_BITS
from crypto.sums.share_sum.parameters import PLAIN_MODULUS, SLOTS, ciphertexts

IntArray = npt.NDArray[np.int64]
_SHIFT = np.int64(1 << FIELD_BITS)
_HALF = np.int64(1 << (FIELD_BITS - 1))


def slots(padded_dimension: int) -> int:
    """How many slots a vector takes, padding of the last ciphertext included."""
    return ciphertexts(padded_dimension) * SLOTS


def pack(values: IntArray) -> IntArray:
    """Signed integers, shape (padded dim,), as residues mod p, shape (slots,).

    Raises:
        ValueError: a value does not fit a field by itself.
    """
    if values.max(initial=0) >= _HALF or values.min(initial=0) <= -_HALF:
        raise ValueError(f"A value does not fit a {FIELD_BITS}-bit field; the plan is wrong.")
    fields = np.zeros(2 * slots(values.size), dtype=np.int64)
    fields[: values.size] = values
    low, high = np.split(fields, 2)
    return (low + _SHIFT * high) % PLAIN_MODULUS


def unpack(residues: IntArray, padded_dimension: int) -> IntArray:
    """Undo ``pack`` for a sum: shape (slots,) to signed integers, shape (padded dim,)."""
    centred = np.where(residues > PLAIN_MODULUS // 2, residues - PLAIN_MODULUS, residues)
    low = (centred + _HALF) % _SHIFT - _HALF
    high = (centred - low) // _SHIFT
    return np.concatenate([low, high])[:padded_dimension]
