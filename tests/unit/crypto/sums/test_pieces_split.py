"""Three pieces: they add up, and two of them say nothing."""

import hashlib

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from scipy.stats import chisquare

from crypto.errors import SealError
from crypto.sums.pieces.commitment import commitment
from crypto.sums.pieces.length import SECRET_LENGTH, piece_length
from crypto.sums.pieces.split import expand, held, piece_bytes, split
from crypto.sums.schemes import Scheme
from tests.unit.crypto.samples import generator
from tests.unit.crypto.sums.pieced import COMPACT_B, CONTEXT, PIECE_A, PIECE_B, SENDER

EDGES = np.array([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 12345], dtype=np.uint32)


def stream(seed: bytes, length: int) -> list[int]:
    """AES-256 of the counters 0, 1, 2, …, by single blocks."""
    cipher = Cipher(AES(seed), ECB()).encryptor()
    data = b"".join(cipher.update(k.to_bytes(16, "big")) for k in range(-(-length // 4)))
    return [int.from_bytes(data[4 * k : 4 * k + 4], "little") for k in range(length)]


def by_hand(pieces: tuple[bytes, bytes, bytes], length: int) -> list[int]:
    """The vector from its three pieces, in Python integers."""
    first, second = stream(pieces[0], length), stream(pieces[1], length)
    rest = pieces[2][32:]
    third = [int.from_bytes(rest[4 * k : 4 * k + 4], "little") for k in range(length)]
    return [sum(three) % 2**32 for three in zip(first, second, third, strict=True)]


@pytest.mark.parametrize("length", [1, 2, 5, 6, 64, 2048])
def test_the_pieces_add_up(length: int) -> None:
    vector = np.resize(EDGES, length)
    pieces = split(vector, generator(str(length)))
    assert by_hand(pieces, length) == vector.tolist()
    words = [expand(number, piece, length) for number, piece in enumerate(pieces, start=1)]
    assert (words[0] + words[1] + words[2]).tolist() == vector.tolist()
    assert all(each.dtype == np.uint32 for each in words)


@pytest.mark.parametrize("length", [1, 100, 2048])
def test_lengths_depend_on_the_length_alone(length: int) -> None:
    for value in (0, 2**32 - 1):
        pieces = split(np.full(length, value, np.uint32), generator())
        assert [len(piece) for piece in pieces] == [32, 32, 32 + 4 * length]
        assert [piece_bytes(k, length) for k in (1, 2, 3)] == [len(piece) for piece in pieces]


def test_the_vector_stays_as_it_was() -> None:
    vector = EDGES.copy()
    split(vector, generator())
    assert np.array_equal(vector, EDGES)


def test_each_holder_lacks_its_own_piece() -> None:
    assert [held(holder) for holder in (1, 2, 3)] == [(2, 3), (1, 3), (1, 2)]


def test_seeds_and_salt_do_not_depend_on_the_vector() -> None:
    one = split(np.zeros(6, np.uint32), generator("same"))
    other = split(EDGES, generator("same"))
    assert one[:2] == other[:2]
    assert one[2][:32] == other[2][:32]
    # The remainder differs by the vectors' difference: two seeds are a pad, used once.
    gap = expand(3, other[2], 6) - expand(3, one[2], 6)
    assert np.array_equal(gap, EDGES)


@pytest.mark.parametrize("value", [0, 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("missing", [1, 2, 3])
def test_any_two_pieces_are_uniform(value: int, missing: int) -> None:
    """Each word a holder has, and each sum and difference it can make, has uniform bytes."""
    length = 4096
    pieces = split(np.full(length, value, np.uint32), generator(f"{value} {missing}"))
    first, second = (expand(number, pieces[number - 1], length) for number in held(missing))
    for words in (first, second, first + second, first - second):
        counts = np.bincount(words.view(np.uint8), minlength=256)
        assert chisquare(counts).pvalue > 1e-4
    whole = first + second + expand(missing, pieces[missing - 1], length)
    assert chisquare(np.bincount(whole.view(np.uint8), minlength=256)).pvalue < 1e-6


def test_fresh_pieces_for_the_same_vector() -> None:
    rng = generator("fresh")
    made = [piece for _ in range(50) for piece in split(EDGES, rng)]
    assert len(set(made)) == 150
    assert len({piece[:32] for piece in made}) == 150


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("change", [-1, 1, 4])
def test_pieces_of_another_length(number: int, change: int) -> None:
    with pytest.raises(SealError, match="length"):
        expand(number, bytes(piece_bytes(number, 7) + change), 7)


class TestCommitments:
    def test_the_hash_by_hand(self) -> None:
        fields = [CONTEXT.encode(), b"\x02", SENDER, b"piece"]
        preimage = b"frs/v1/com\x00" + b"".join(
            len(field).to_bytes(4, "little") + field for field in fields
        )
        assert commitment(CONTEXT, 2, SENDER, b"piece") == hashlib.sha256(preimage).hexdigest()

    def test_everything_is_bound(self) -> None:
        made = {
            commitment(CONTEXT, 1, SENDER, b"piece"),
            commitment(CONTEXT[1:], 1, SENDER, b"piece"),
            commitment(CONTEXT, 2, SENDER, b"piece"),
            commitment(CONTEXT, 1, SENDER[::-1], b"piece"),
            commitment(CONTEXT, 1, SENDER, b"piecf"),
        }
        assert len(made) == 5

    @pytest.mark.parametrize("sender", [b"", bytes(31), bytes(33)])
    def test_senders_of_another_length(self, sender: bytes) -> None:
        with pytest.raises(SealError, match="32 raw bytes"):
            commitment(CONTEXT, 1, sender, b"piece")


class TestPieceLength:
    def test_compact_sum_shares_its_secret_alone(self) -> None:
        assert SECRET_LENGTH == 2048
        assert piece_length(Scheme.COMPACT_SUM, 2**23, COMPACT_B) == 2048
        assert piece_length(Scheme.COMPACT_SUM, 2, COMPACT_B) == 2048

    def test_piece_sum_shares_its_coefficients(self) -> None:
        assert piece_length(Scheme.PIECE_SUM, 4096, PIECE_A) == 4096
        assert piece_length(Scheme.PIECE_SUM, 4096, PIECE_B) == 2048

    def test_share_sum_shares_no_pieces(self) -> None:
        with pytest.raises(SealError, match="share-sum"):
            piece_length(Scheme.SHARE_SUM, 4096, PIECE_A)
