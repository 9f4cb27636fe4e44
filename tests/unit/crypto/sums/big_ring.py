"""Products in Z[x]/(x**2048 + 1) modulo 2**32 by Python's big integers: the oracle."""

from collections.abc import Sequence

DEGREE = 2048
_SLOT = 10  # bytes: a coefficient of a product of words is below 2**75


def _number(words: Sequence[int]) -> int:
    """The polynomial at x = 2**80, coefficients taken modulo 2**32."""
    return int.from_bytes(
        b"".join((word % 2**32).to_bytes(_SLOT, "little") for word in words), "little"
    )


def product(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """The negacyclic product, coefficients in [0, 2**32)."""
    data = (_number(one) * _number(other)).to_bytes(2 * DEGREE * _SLOT, "little")
    wide = [
        int.from_bytes(data[k : k + _SLOT], "little") for k in range(0, 2 * DEGREE * _SLOT, _SLOT)
    ]
    return [(wide[k] - wide[k + DEGREE]) % 2**32 for k in range(DEGREE)]
