"""The public rotation: random signs, then a Walsh-Hadamard transform, both known to everybody.

It spreads every vector evenly over all coordinates, so that rounding and field widths depend on
norms alone and not on how a shopper's mass is concentrated. It is orthonormal: norms and inner
products stay. Source: Kairouz, Liu, Steinke 2021 (distributed discrete Gaussian), section 4.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from crypto.dp.random import SecureRandom
from crypto.wire import digest

FloatArray = npt.NDArray[np.float64]
MAX_DIMENSION = 2**24


def padded(dimension: int) -> int:
    """The power of two that a vector of this length is padded to, at least 2.

    Raises:
        ValueError: not within 1..2**24.
    """
    if not 1 <= dimension <= MAX_DIMENSION:
        raise ValueError(f"Expected a dimension from 1 to {MAX_DIMENSION}, got {dimension}.")
    return max(2, 1 << (dimension - 1).bit_length())


def hadamard(values: FloatArray) -> FloatArray:
    """The orthonormal Walsh-Hadamard transform along the last axis (length a power of two)."""
    size = values.shape[-1]
    result = np.array(values, dtype=np.float64)
    half = 1
    while half < size:
        pairs = result.reshape(*values.shape[:-1], size // (2 * half), 2, half)
        low = pairs[..., 0, :] + pairs[..., 1, :]
        np.subtract(pairs[..., 0, :], pairs[..., 1, :], out=pairs[..., 1, :])
        pairs[..., 0, :] = low
        half *= 2
    result /= np.sqrt(size)
    return result


@dataclass(frozen=True)
class Rotation:
    """The rotation of one round, derived from the hash of its manifest.

    Attributes:
        context: the manifest hash, hex.
        dimension: length of the unrotated vectors.
    """

    context: str
    dimension: int

    @cached_property
    def _signs(self) -> FloatArray:
        stream = SecureRandom(digest("rot", self.context.encode()))
        signs = stream.signs(padded(self.dimension))
        signs.flags.writeable = False
        return signs

    def forward(self, values: FloatArray) -> FloatArray:
        """Rotate vectors, shape (..., dimension), to shape (..., padded(dimension))."""
        wide = np.zeros((*values.shape[:-1], padded(self.dimension)))
        wide[..., : self.dimension] = values
        wide *= self._signs
        return hadamard(wide)

    def backward(self, values: FloatArray) -> FloatArray:
        """Undo ``forward`` and drop the padding; shape (..., dimension)."""
        restored: FloatArray = hadamard(values) * self._signs
        return restored[..., : self.dimension]
