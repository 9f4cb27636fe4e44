"""How many 32-bit words a client shares in pieces."""

from typing import Final

from crypto.dp.widths import FieldLayout
from crypto.errors import SealError
from crypto.sums.schemes import Scheme

# The degree of compact sum's ring: what it shares in pieces is one secret polynomial, whatever the
# length of the vector.
SECRET_LENGTH: Final = 2048


def piece_length(scheme: Scheme, padded_dimension: int, layout: FieldLayout) -> int:
    """The length L of what a client shares in three pieces, in 32-bit words.

    Raises:
        SealError: a scheme without pieces.
    """
    if scheme is Scheme.COMPACT_SUM:
        return SECRET_LENGTH
    if scheme is Scheme.PIECE_SUM:
        return layout.coefficients(padded_dimension)
    raise SealError(f"{scheme.value} shares nothing in pieces.")
