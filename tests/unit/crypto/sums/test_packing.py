"""Packing: two signed fields a slot survive any sum that stays within them."""

import numpy as np
import pytest

from crypto.sums.share_sum.packing import pack, slots, unpack
from crypto.sums.share_sum.parameters import PLAIN_MODULUS

LIMIT = 2**19 - 1


def by_hand(values: list[int]) -> list[int]:
    """Python integers: value k and value k + 4096·(ciphertexts) share slot k."""
    half = slots(len(values))
    padded = values + [0] * (2 * half - len(values))
    return [(padded[k] + (padded[k + half] << 20)) % PLAIN_MODULUS for k in range(half)]


@pytest.mark.parametrize(
    ("size", "expected"), [(2, 4096), (8192, 4096), (8193, 8192), (2**17, 2**16)]
)
def test_slots(size: int, expected: int) -> None:
    assert slots(size) == expected


def test_layout() -> None:
    values = np.random.default_rng(1).integers(-LIMIT, LIMIT + 1, 8192)
    assert pack(values).tolist() == by_hand(values.tolist())


@pytest.mark.parametrize("low", [-LIMIT, -1, 0, 1, LIMIT])
@pytest.mark.parametrize("high", [-LIMIT, -1, 0, 1, LIMIT])
def test_every_corner_of_the_fields(low: int, high: int) -> None:
    values = np.zeros(8192, dtype=np.int64)
    values[0], values[4096], values[1], values[4097] = low, high, high, low
    assert unpack(pack(values), 8192).tolist() == values.tolist()


@pytest.mark.parametrize("value", [LIMIT + 1, -LIMIT - 1, 2**62, -(2**63), 2**63 - 1])
@pytest.mark.parametrize("position", [0, 15])
def test_values_that_do_not_fit(value: int, position: int) -> None:
    values = np.zeros(16, dtype=np.int64)
    values[position] = value
    with pytest.raises(ValueError, match="20-bit field"):
        pack(values)


def test_sums_up_to_the_limit_unpack_exactly() -> None:
    rng = np.random.default_rng(2)
    terms = rng.integers(-5242, 5243, (100, 8192))
    terms[:, 0], terms[:, 4096] = 5242, -5242
    total = np.sum([pack(term).astype(object) for term in terms], axis=0) % PLAIN_MODULUS
    assert unpack(total.astype(np.int64), 8192).tolist() == terms.sum(axis=0).tolist()


def test_one_more_than_the_limit_wraps_so_the_plan_must_refuse_it() -> None:
    values = np.zeros(2, dtype=np.int64)
    values[0] = LIMIT
    one = np.array([1, 0])
    assert unpack((pack(values) + pack(one)) % PLAIN_MODULUS, 2).tolist() != [LIMIT + 1, 0]


def test_the_plain_modulus() -> None:
    """The least prime above 2**40 that is 1 mod 8192, by trial division."""
    divisors = np.arange(3, 2**20 + 2**12, 2, dtype=np.int64)

    def prime(number: int) -> bool:
        return number % 2 == 1 and bool((number % divisors != 0).all())

    candidates = [n for n in range(2**40 + 1, PLAIN_MODULUS + 1, 8192) if prime(n)]
    assert (2**40 + 1) % 8192 == 1
    assert candidates == [PLAIN_MODULUS]
    # Both fields at their limits stay below half of it, so signs survive.
    assert LIMIT + (LIMIT << 20) < PLAIN_MODULUS // 2
