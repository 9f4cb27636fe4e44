"""A client from docs/other-languages.md alone, 2: a vector, rotated, rounded, with noise."""

import math
import secrets
import struct
from bisect import bisect_right
from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from tests.foreign.encoding import h

WORD = 2**32


def stream(key: bytes, count: int, counter: int = 0) -> bytes:
    encryptor = Cipher(AES(key), CTR(counter.to_bytes(16, "big"))).encryptor()
    return encryptor.update(bytes(count))


def words(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // 4}I", data))


def unwords(numbers: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *(number % WORD for number in numbers))


def padded(dimension: int) -> int:
    size = 2
    while size < dimension:
        size *= 2
    return size


def signs(context: str, size: int) -> list[int]:
    data = stream(h("rot", context.encode()), -(-size // 8))
    return [-1 if data[k // 8] >> (7 - k % 8) & 1 else 1 for k in range(size)]


def hadamard(values: Sequence[float]) -> list[float]:
    size = len(values)
    if size == 1:
        return list(values)
    left, right = hadamard(values[: size // 2]), hadamard(values[size // 2 :])
    sums = [a + b for a, b in zip(left, right, strict=True)]
    differences = [a - b for a, b in zip(left, right, strict=True)]
    return [value / math.sqrt(2) for value in sums + differences]


def rotate(values: Sequence[float], context: str) -> list[float]:
    size = padded(len(values))
    wide = [*values, *[0.0] * (size - len(values))]
    return hadamard([v * s for v, s in zip(wide, signs(context, size), strict=True)])


def unrotate(values: Sequence[float], context: str, dimension: int) -> list[float]:
    pairs = zip(hadamard(values), signs(context, len(values)), strict=True)
    return [v * s for v, s in pairs][:dimension]


def clipped(values: Sequence[float], norm: float) -> list[float]:
    length = math.hypot(*values)
    if not math.isfinite(length):
        return [0.0] * len(values)
    return list(values) if length <= norm else [v * (norm / length * (1 - 1e-12)) for v in values]


def squared_bound(scale: float, dimension: int) -> float:
    root = math.sqrt(dimension)
    return min((scale + root) ** 2, scale**2 + dimension / 4 + scale + root / 2)


def epsilon(*, noise: float, scale: float, dimension: int, delta: float, rounds: int = 1) -> float:
    """ε of rounds of set A without sampling; ``noise`` is z."""
    squared = squared_bound(scale, padded(dimension))
    absolute = min(squared, math.sqrt(padded(dimension) * squared))
    variance = noise**2 * squared
    found = math.inf
    for order in (*range(2, 129), *range(132, 257, 4), *range(272, 1025, 16)):
        small = ((2 * order - 1) * squared + 6 * absolute) / (4 * variance**2)
        cost = order * squared / (2 * variance) + min(small, 3 * absolute / (2 * variance))
        cost *= rounds
        if -math.expm1(-cost) < delta**2:
            return 0.0
        rest = math.log1p(-1 / order) - math.log(order * delta) / (order - 1)
        found = min(found, cost + rest)
    return max(0.0, found)


def uniform() -> float:
    return secrets.randbits(53) * 2.0**-53


def rounded(
    values: Sequence[float], scale: float, draw: Callable[[], float] = uniform
) -> list[int]:
    bound = squared_bound(scale, len(values))
    while True:
        found = [math.floor(v) + (draw() < v - math.floor(v)) for v in values]
        if sum(v * v for v in found) <= bound:
            return found


@lru_cache
def skellam_table(variance: float) -> list[int]:
    """128-bit cumulative probabilities of -r..r: exp(-μ) I_k(μ), by backward recurrence."""
    reach = math.ceil(14 * math.sqrt(variance) + 60)
    with localcontext() as place:
        place.prec = 80
        mean, above, here = Decimal(variance), Decimal(0), Decimal(10) ** -1000
        half = [Decimal(0)] * (reach + 1)
        total = Decimal(0)
        for k in range(2 * reach, 0, -1):
            if k <= reach:
                half[k] = here
            total += 2 * here
            above, here = here, above + 2 * k / mean * here
        half[0] = here
        return cumulative([m / (total + here) for m in [*half[:0:-1], *half]])


@lru_cache
def gaussian_table(sigma: float) -> list[int]:
    reach = math.ceil(14 * sigma)
    with localcontext() as place:
        place.prec = 80
        double = 2 * Decimal(sigma) ** 2
        masses = [(-(Decimal(k) ** 2) / double).exp() for k in range(-reach, reach + 1)]
        return cumulative([mass / sum(masses) for mass in masses])


def cumulative(masses: Sequence[Decimal]) -> list[int]:
    running, found = Decimal(0), []
    for mass in masses:
        running += mass
        found.append(min(int(running * 2**128), 2**128 - 1))
    return found


def sample(table: list[int], count: int) -> list[int]:
    """By inversion: the table's middle entry is the number zero."""
    last = len(table) - 1
    draws = (bisect_right(table, secrets.randbits(128)) for _ in range(count))
    return [min(draw, last) - last // 2 for draw in draws]
