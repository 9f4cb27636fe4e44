"""The secure stream against an AES built block by block, and its integers for uniformity."""

import copy
import pickle

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from scipy.stats import chisquare

from crypto.dp.random import SecureRandom
from tests.unit.crypto.samples import generator


def keystream(key: bytes, count: int) -> bytes:
    """Counter mode spelled out: AES of 0, 1, 2, ... as 128-bit big-endian blocks."""
    block = Cipher(AES(key), ECB()).encryptor()
    blocks = [block.update(n.to_bytes(16, "big")) for n in range(-(-count // 16))]
    return b"".join(blocks)[:count]


def test_keystream() -> None:
    key = bytes(range(32))
    stream = SecureRandom(key)
    pieces = [stream.bytes(count) for count in (1, 15, 16, 0, 33, 4000)]
    assert b"".join(pieces) == keystream(key, sum(map(len, pieces)))


def test_nist_vector_of_aes_256() -> None:
    # NIST SP 800-38A, F.1.5, ECB-AES256: pins the cipher of the oracle above.
    key = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    plain = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
    expected = "f3eed1bdb5d2a03c064b5a7e3db181f8"
    assert Cipher(AES(key), ECB()).encryptor().update(plain).hex() == expected


def test_words_are_little_endian() -> None:
    key = bytes(32)
    expected = [int.from_bytes(keystream(key, 24)[i : i + 8], "little") for i in (0, 8, 16)]
    assert SecureRandom(key).uint64(3).tolist() == expected


def test_unkeyed_streams_differ() -> None:
    assert SecureRandom().bytes(32) != SecureRandom().bytes(32)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_keys_are_256_bits(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SecureRandom(bytes(size))


class _Scripted(SecureRandom):
    """A stream that gives the words it is told."""

    def __init__(self, *batches: list[int]) -> None:
        super().__init__(bytes(32))
        self.batches = list(batches)

    def uint64(self, count: int) -> np.ndarray:
        batch = self.batches.pop(0)
        assert len(batch) == count
        return np.array(batch, dtype=np.uint64)


class TestBelow:
    def test_words_in_the_uneven_rest_are_drawn_again(self) -> None:
        bound = 3 * 2**60
        even = 2**64 // bound * bound
        rng = _Scripted([0, even - 1, even, 2**64 - 1], [2**64 - 1, 7], [even], [bound])
        assert rng.below(bound, 4).tolist() == [0, bound - 1, 0, 7]
        assert rng.batches == []

    def test_powers_of_two_reject_nothing(self) -> None:
        rng = _Scripted([2**64 - 1, 0])
        assert rng.below(2**62, 2).tolist() == [2**62 - 1, 0]

    def test_uniform(self) -> None:
        found = np.bincount(generator("below").below(7, 70_000), minlength=7)
        assert chisquare(found).pvalue > 1e-4
        large = generator("large").below(3 * 2**60, 60_000)
        assert chisquare(np.bincount(large // 2**60, minlength=3)).pvalue > 1e-4

    @pytest.mark.parametrize("bound", [0, -1, 2**62 + 1])
    def test_bounds(self, bound: int) -> None:
        with pytest.raises(ValueError, match="bound"):
            generator().below(bound, 1)

    def test_edges(self) -> None:
        assert not generator().below(1, 5).any()
        assert generator().below(5, 0).size == 0


def test_uniform_floats() -> None:
    values = generator("floats").uniform(50_000)
    assert values.min() >= 0.0
    assert values.max() < 1.0
    assert np.array_equal(values * 2**53, np.floor(values * 2**53))
    assert chisquare(np.bincount((values * 16).astype(int), minlength=16)).pvalue > 1e-4


def test_uniform_never_reaches_one() -> None:
    assert _Scripted([2**64 - 1, 0]).uniform(2).tolist() == [1 - 2.0**-53, 0.0]


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 40_000])
def test_signs(count: int) -> None:
    signs = generator("signs").signs(count)
    assert signs.shape == (count,)
    assert set(signs) <= {1.0, -1.0}
    assert abs(signs.sum()) <= 6 * np.sqrt(count) + 1


def test_a_stream_does_not_travel_or_show_its_key() -> None:
    rng = SecureRandom(b"k" * 32)
    assert repr(rng) == str(rng) == "SecureRandom(<keyed>)"
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="must not be pickled"):
            way(rng)
