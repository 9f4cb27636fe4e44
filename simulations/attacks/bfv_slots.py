"""From BFV slots to polynomials and back, and decryption with a key that one should not have.

SEAL's batching: slot i holds the message polynomial at ψ^(3^i), slot N/2 + i at ψ^(-3^i), ψ being
the smallest primitive 2N-th root of unity mod p. (Source: SEAL's BatchEncoder and NTTTables.)
"""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from crypto.sums.share_sum.parameters import PLAIN_MODULUS, POLY_MODULUS_DEGREE
from simulations.attacks.bfv_bytes import DATA_MODULUS, Ciphertext

IntArray = npt.NDArray[np.int64]
_N: Final = POLY_MODULUS_DEGREE
_P: Final = PLAIN_MODULUS
_LIMB: Final = 20
# Sums of so many residues below 2**54 stay within int64.
_SUMMANDS: Final = 256


def to_polynomial(slots: IntArray) -> IntArray:
    """Slot values, shape (N,), to the message polynomial's coefficients mod p."""
    evaluations = np.empty(_N, dtype=np.int64)
    evaluations[_order()] = slots
    root = _root()
    folded = _transform(evaluations, pow(root, -2, _P))
    untwist = _powers(pow(root, -1, _P), _N) * pow(_N, -1, _P)
    return _multiply(folded, np.array([value % _P for value in untwist], dtype=np.int64))


def to_slots(polynomial: IntArray) -> IntArray:
    """Undo ``to_polynomial``."""
    root = _root()
    twisted = _multiply(polynomial % _P, _powers(root, _N).astype(np.int64))
    return _transform(twisted, pow(root, 2, _P))[_order()]


def decrypt(ciphertext: Ciphertext, key: IntArray) -> IntArray:
    """The slots of a ciphertext under a ternary secret key, shape (N,), mod p."""
    c0, c1 = (polynomial.astype(np.int64) for polynomial in ciphertext.polynomials)
    noisy = (c0 + _times_key(c1, key)) % DATA_MODULUS
    half = DATA_MODULUS // 2
    scaled = [(int(value) * _P + half) // DATA_MODULUS % _P for value in noisy]
    return to_slots(np.array(scaled, dtype=np.int64))


def _times_key(values: IntArray, key: IntArray) -> IntArray:
    """The product values · key mod (x^N + 1, q); the key's coefficients are -1, 0 and 1."""
    total = np.zeros(_N, dtype=np.int64)
    for count, power in enumerate(np.flatnonzero(key), start=1):
        rolled = np.roll(values, power)
        rolled[:power] *= -1
        total += key[power] * rolled
        if count % _SUMMANDS == 0:
            total %= DATA_MODULUS
    return total % DATA_MODULUS


@cache
def _root() -> int:
    """The smallest primitive 2N-th root of unity mod p."""
    exponent = (_P - 1) // (2 * _N)
    some = next(
        found for base in range(2, 100) if pow(found := pow(base, exponent, _P), _N, _P) == _P - 1
    )
    return min(pow(some, power, _P) for power in range(1, 2 * _N, 2))


@cache
def _order() -> npt.NDArray[np.intp]:
    """Which odd power ψ^(2j+1) each slot belongs to, as j; shape (N,)."""
    powers, position = [], 1
    for _ in range(_N // 2):
        powers.append(position)
        position = position * 3 % (2 * _N)
    both = [*powers, *(2 * _N - power for power in powers)]
    return np.array([(power - 1) // 2 for power in both], dtype=np.intp)


def _powers(base: int, count: int) -> npt.NDArray[np.object_]:
    """1, base, base², ... mod p."""
    values, current = [], 1
    for _ in range(count):
        values.append(current)
        current = current * base % _P
    return np.array(values, dtype=object)


def _transform(values: IntArray, root: int) -> IntArray:
    """Σ_k values[k] · root^(jk) mod p for every j; root is a primitive N-th root of unity."""
    result = values[_reversed_bits()]
    half = 1
    while half < _N:
        twiddles = _powers(pow(root, _N // (2 * half), _P), half).astype(np.int64)
        pairs = result.reshape(-1, 2, half)
        turned = _multiply(pairs[:, 1], np.broadcast_to(twiddles, pairs[:, 1].shape))
        low = (pairs[:, 0] + turned) % _P
        pairs[:, 1] = (pairs[:, 0] - turned) % _P
        pairs[:, 0] = low
        half *= 2
    return result


@cache
def _reversed_bits() -> npt.NDArray[np.intp]:
    bits = _N.bit_length() - 1
    return np.array([int(f"{k:0{bits}b}"[::-1], 2) for k in range(_N)], dtype=np.intp)


def _multiply(left: IntArray, right: IntArray) -> IntArray:
    """The product left · right mod p by 20-bit limbs, all below 2**63."""
    high, low = right >> _LIMB, right & ((1 << _LIMB) - 1)
    return ((left * high % _P << _LIMB) + left * low) % _P
