"""Ring products against big integers, at the bounds of the proof; the public multipliers."""

import hashlib

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from crypto.dp.gaussian import DiscreteGaussian
from crypto.sums.compact_sum import ring
from crypto.sums.compact_sum.mask import multipliers
from crypto.sums.compact_sum.ring import Factor
from tests.unit.crypto.samples import generator
from tests.unit.crypto.sums.big_ring import DEGREE, product
from tests.unit.crypto.sums.pieced import CONTEXT

RNG = np.random.default_rng(5)
TOP = 2**31
# Words whose limbs are as large as limbs get: 0x8000 in both, 0x7fff in both, and neighbours.
WORDS = np.array([0x80008000, 0x7FFF8000, 0x7FFF7FFF, 0x80007FFF, 0xFFFFFFFF, 0, 1], np.uint32)


def uniform() -> np.ndarray:
    return RNG.integers(0, 2**32, DEGREE, dtype=np.uint32)


def signs() -> np.ndarray:
    return RNG.choice(np.array([-1, 1]), DEGREE)


def schoolbook(one: list[int], other: list[int]) -> list[int]:
    total = [0] * DEGREE
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            if i + j < DEGREE:
                total[i + j] += a * b
            else:
                total[i + j - DEGREE] -= a * b
    return [value % 2**32 for value in total]


def test_the_oracle_against_the_schoolbook() -> None:
    one = RNG.integers(-(2**31), 2**31, DEGREE).tolist()
    other = [0] * DEGREE
    for position in (0, 1, 700, 2046, 2047):
        other[position] = int(RNG.integers(-(2**31), 2**31))
    assert product(one, other) == schoolbook(other, one)
    assert product([0, 1] + [0] * 2046, [0] * 2047 + [1]) == [2**32 - 1] + [0] * 2047


# The short factor at the ends of one, two and three limbs, with signs that make terms align.
SHORT = {
    "one": np.eye(1, DEGREE, dtype=np.int64)[0],
    "x**2047": np.eye(1, DEGREE, 2047, dtype=np.int64)[0],
    "zero": np.zeros(DEGREE, dtype=np.int64),
    "largest one-limb": np.full(DEGREE, 1023),
    "lowest one-limb": np.full(DEGREE, -1024),
    "signs at one limb": 1023 * signs(),
    "just two limbs": np.full(DEGREE, 1024),
    "limbs of the lowest sign": np.full(DEGREE, -1024 - 2048 * 1024),
    "largest": np.full(DEGREE, TOP - 1),
    "lowest": np.full(DEGREE, -TOP),
    "signs at the top": (TOP - 1) * signs(),
    "words": RNG.integers(-TOP, TOP, DEGREE),
    "a secret": DiscreteGaussian(8.0).sample(DEGREE, generator("secret")).astype(np.int64),
    "a sum of secrets": DiscreteGaussian(800.0).sample(DEGREE, generator("sum")).astype(np.int64),
}
WIDE = {
    "largest": np.full(DEGREE, 2**32 - 1, np.uint32),
    "half": np.full(DEGREE, 2**31, np.uint32),
    "worst limbs": np.full(DEGREE, 0x80008000, np.uint32),
    "top limbs": np.full(DEGREE, 0x7FFF7FFF, np.uint32),
    "alternating": np.tile(np.array([0x80008000, 0x7FFF7FFF], np.uint32), 1024),
    "all edges": np.resize(WORDS, DEGREE),
    "uniform": uniform(),
}


@pytest.mark.parametrize("name", SHORT)
def test_products_are_exact(name: str) -> None:
    short = SHORT[name]
    found = Factor(short).times(np.stack([*WIDE.values()]))
    assert found.shape == (len(WIDE), DEGREE)
    assert found.dtype == np.uint32
    for row, (title, wide) in zip(found, WIDE.items(), strict=True):
        assert row.tolist() == product(short.tolist(), wide.tolist()), title


def test_terms_that_all_align() -> None:
    """a reversed and negated so that coefficient 2047 is Σ |a|·|s|: the largest there can be."""
    for size in (1023, -1024):
        short = size * signs()
        wide = np.where(np.sign(short[::-1]) > 0, 0x7FFF8000, 0x80008000).astype(np.uint32)
        assert Factor(short).times(wide[None])[0].tolist() == product(short.tolist(), wide.tolist())


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64])
def test_types_of_the_short_factor(dtype: type[np.signedinteger]) -> None:
    short = RNG.integers(-70, 71, DEGREE).astype(dtype)
    wide = uniform()
    assert Factor(short).times(wide[None])[0].tolist() == product(short.tolist(), wide.tolist())


def test_rows_do_not_mix() -> None:
    short = SHORT["a secret"]
    rows = np.stack([uniform() for _ in range(9)])
    together = Factor(short).times(rows)
    for row, found in zip(rows, together, strict=True):
        assert np.array_equal(Factor(short).times(row[None])[0], found)
    assert Factor(short).times(rows[:0]).shape == (0, DEGREE)


def test_a_client_needs_one_limb_a_sum_two_and_any_words_three() -> None:
    counts = [len(Factor(SHORT[name])._limbs) for name in ("a secret", "a sum of secrets", "words")]
    assert counts == [1, 2, 3]


def test_limbs_stay_within_the_bounds_of_the_proof() -> None:
    for short in SHORT.values():
        limbs = ring._short_limbs(short)
        assert all(np.abs(limb).max() <= 2**10 for limb in limbs)
        assert np.array_equal(sum(limb << (11 * k) for k, limb in enumerate(limbs)), short)
    edges = np.concatenate([WORDS, uniform()])
    low, high = ring._wide_limbs(edges)
    assert max(np.abs(low).max(), np.abs(high).max()) <= 2**15
    assert np.array_equal((low + 2.0**16 * high) % 2.0**32, edges)


def test_float_products_are_far_from_half_integers() -> None:
    """The proof allows 0.5; the worst inputs found come nowhere near 0.05."""
    worst = 0.0
    for short in (SHORT["lowest one-limb"], SHORT["signs at one limb"]):
        for wide in WIDE.values():
            for limb in ring._wide_limbs(wide):
                transformed = ring._transform(short.astype(np.float64)) * ring._transform(limb)
                values = np.fft.ifft(transformed) * ring._UNTWIST
                parts = np.concatenate([values.real, values.imag])
                worst = max(worst, float(np.abs(parts - np.rint(parts)).max()))
    assert worst < 0.05


def test_the_twist_is_correctly_rounded() -> None:
    import mpmath  # noqa: PLC0415 - slow to import

    with mpmath.workprec(120):
        for k in range(0, 1024, 31):
            exact = mpmath.expjpi(mpmath.mpf(k) / DEGREE)
            assert abs(mpmath.mpc(complex(ring._TWIST[k])) - exact) < mpmath.mpf(2) ** -52


def test_an_erased_factor_holds_nothing() -> None:
    factor = Factor(SHORT["a secret"])
    factor.erase()
    assert not any(limb.any() for limb in factor._limbs)
    assert not factor.times(uniform()[None]).any()


class TestMultipliers:
    def test_by_single_blocks_of_the_cipher(self) -> None:
        key = hashlib.sha256(
            b"frs/v1/a\x00" + len(CONTEXT).to_bytes(4, "little") + CONTEXT.encode()
        ).digest()
        cipher = Cipher(AES(key), ECB()).encryptor()
        found = multipliers(CONTEXT, 0, 4)
        assert found.dtype == np.uint32
        for block in range(4):
            counters = [(block << 64) + k for k in range(DEGREE // 4)]
            data = b"".join(cipher.update(each.to_bytes(16, "big")) for each in counters)
            expected = [int.from_bytes(data[k : k + 4], "little") for k in range(0, 4 * DEGREE, 4)]
            assert found[block].tolist() == expected

    def test_any_range_is_a_part_of_the_whole(self) -> None:
        whole = multipliers(CONTEXT, 0, 40)
        assert np.array_equal(multipliers(CONTEXT, 17, 9), whole[17:26])
        assert len({row.tobytes() for row in whole}) == 40

    def test_another_round_has_others(self) -> None:
        assert not np.array_equal(multipliers(CONTEXT, 0, 1), multipliers(CONTEXT[1:], 0, 1))
