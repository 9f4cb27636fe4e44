"""Packing: signed fields in the payload of 32-bit coefficients, so that sums add without carries.

Coefficient j carries m = Σ 2**(i · field_bits) · (value j + i · n) over the fields i, n being the
number of coefficients, shifted up by the layout's guard bits. Sums unpack uniquely as long as each
field's sum stays within the layout's limit and what was added below the guard stays within
±(2**(guard_bits - 1) - 1); the privacy plan guarantees both before anything is sealed.
"""

import numpy as np
import numpy.typing as npt

from crypto.dp.widths import FieldLayout
from crypto.sums.pieces.split import WordArray
from crypto.update import IntArray


def pack(values: IntArray, layout: FieldLayout) -> WordArray:
    """Signed integers, shape (padded dim,), as words mod 2**32, shape (coefficients,).

    Raises:
        ValueError: a value does not fit a field by itself.
    """
    if values.max(initial=0) > layout.limit or values.min(initial=0) < -layout.limit:
        raise ValueError(
            f"A value does not fit a {layout.field_bits}-bit field; the plan is wrong."
        )
    count = layout.coefficients(values.size)
    words = np.zeros(count, dtype=np.uint32)
    for field in range(layout.fields):
        part = values[field * count : (field + 1) * count].astype(np.uint32)
        part <<= np.uint32(layout.guard_bits + field * layout.field_bits)
        words[: part.size] += part
    return words


def unpack(sums: WordArray, layout: FieldLayout, padded_dimension: int) -> IntArray:
    """Undo ``pack`` for a sum: shape (coefficients,) to signed integers, shape (padded dim,)."""
    rest = _above_guard(sums, layout.guard_bits).astype(np.int64)
    half, bits = np.int64(1 << (layout.field_bits - 1)), np.int64(layout.field_bits)
    fields = np.empty((layout.fields, sums.size), dtype=np.int64)
    for field in fields:
        # The lowest field as a signed number; what it borrowed goes back to the next.
        np.subtract((rest + half) & np.int64((1 << layout.field_bits) - 1), half, out=field)
        rest = (rest - field) >> bits
    return fields.reshape(-1)[:padded_dimension]


def below_guard(sums: WordArray, guard_bits: int) -> npt.NDArray[np.int32]:
    """What rounding takes away: the signed remainder of each word mod 2**guard_bits; int32."""
    lifted = _above_guard(sums, guard_bits) << np.uint32(guard_bits)
    return (sums - lifted).view(np.int32)


def _above_guard(sums: WordArray, guard_bits: int) -> WordArray:
    """Each word divided by 2**guard_bits, to the nearest integer mod 2**(32 - guard_bits)."""
    half = np.uint32((1 << guard_bits) >> 1)
    return (sums + half) >> np.uint32(guard_bits)
