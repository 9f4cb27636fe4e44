"""Three pieces of a vector, any two of which say nothing about it that one would not.

A vector v of 32-bit words is v = p1 + p2 + p3 mod 2**32. The first two pieces are 32-byte seeds,
expanded to p1 and p2 by AES-256 in counter mode from zero; the third is p3 itself behind a 32-byte
salt, which hides it from its commitment. Key holder j gets the two pieces k != j: one key holder
alone always lacks one piece.

Guarantee: any two pieces are computationally indistinguishable from uniform bytes, whatever v is;
the three together, or any two key holders, give v. Source: replicated secret sharing (Ito, Saito,
Nishizeki 1987; Cramer, Damgård, Ishai 2005 for the seeds).
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from crypto.dp.random import SecureRandom
from crypto.errors import SealError
from crypto.sums.schemes import HOLDERS

WordArray = npt.NDArray[np.uint32]

PIECES: Final = HOLDERS
SEED_BYTES: Final = 32
SALT_BYTES: Final = 32
_REMAINDER: Final = PIECES  # the number of the piece that is no seed


def held(holder: int) -> tuple[int, int]:
    """The numbers of the two pieces of key holder 1, 2 or 3, ascending."""
    first, second = (number for number in range(1, PIECES + 1) if number != holder)
    return first, second


def piece_bytes(number: int, length: int) -> int:
    """How long piece ``number`` of a vector of ``length`` words is."""
    return SALT_BYTES + 4 * length if number == _REMAINDER else SEED_BYTES


def split(vector: WordArray, rng: SecureRandom) -> tuple[bytes, bytes, bytes]:
    """Split a vector, shape (L,), into its three pieces."""
    first, second, salt = (rng.bytes(SEED_BYTES) for _ in range(3))
    remainder = np.array(vector, dtype="<u4")
    for seed in (first, second):
        remainder -= _stream(seed, vector.size)
    third = salt + remainder.tobytes()
    # Best effort: Python's own copies of bytes stay until they are collected and written over.
    remainder.fill(0)
    return first, second, third


def expand(number: int, piece: bytes, length: int) -> WordArray:
    """The vector of one piece, uint32, shape (length,).

    Raises:
        SealError: a piece of another length.
    """
    if len(piece) != piece_bytes(number, length):
        raise SealError("A piece has another length than this round's.")
    if number == _REMAINDER:
        return np.frombuffer(piece, dtype="<u4", offset=SALT_BYTES).astype(np.uint32, copy=False)
    return _stream(piece, length)


def _stream(seed: bytes, length: int) -> WordArray:
    data = SecureRandom(seed).bytes(4 * length)
    return np.frombuffer(data, dtype="<u4").astype(np.uint32, copy=False)
