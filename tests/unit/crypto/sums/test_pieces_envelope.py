"""Envelopes: they open for one key holder, round, key record and sender, and for nobody else."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, Suite

from crypto.errors import SealError
from crypto.sums.pieces.commitment import commitment
from crypto.sums.pieces.envelope import RoundPublicKey, envelope_bytes, hash_bytes, seal_envelope
from crypto.sums.pieces.open import (
    CommitmentError,
    HeldPieces,
    RoundSecret,
    open_envelope,
    sum_pieces,
)
from crypto.sums.pieces.split import held, split
from crypto.wire import digest
from tests.unit.crypto.samples import generator
from tests.unit.crypto.sums.pieced import CONTEXT, HASHES, SENDER, keys, secrets

LENGTH = 40
PIECES = split(np.arange(LENGTH, dtype=np.uint32), generator("envelope"))
COMMITMENTS = tuple(
    commitment(CONTEXT, number, SENDER, piece) for number, piece in enumerate(PIECES, start=1)
)


def seal(holder: int, **changes: Any) -> bytes:
    named: dict[str, Any] = {
        "holder": holder,
        "context": CONTEXT,
        "key": keys()[holder - 1],
        "sender": SENDER,
    }
    return seal_envelope(PIECES, **(named | changes))


def open_it(data: bytes, holder: int, **changes: Any) -> HeldPieces:
    named: dict[str, Any] = {
        "holder": holder,
        "context": CONTEXT,
        "secret": secrets()[holder - 1],
        "record_hash": HASHES[holder - 1],
        "sender": SENDER,
        "length": LENGTH,
        "commitments": COMMITMENTS,
    }
    return open_envelope(data, **(named | changes))


@pytest.mark.parametrize("holder", [1, 2, 3])
class TestOneHolder:
    def test_it_gets_its_two_pieces(self, holder: int) -> None:
        found = open_it(seal(holder), holder)
        assert found.holder == holder
        assert found.pieces == tuple(PIECES[number - 1] for number in held(holder))

    def test_lengths_are_constant(self, holder: int) -> None:
        plain = 64 if holder == 3 else 64 + 4 * LENGTH
        assert len(seal(holder)) == envelope_bytes(holder, LENGTH)
        assert envelope_bytes(holder, LENGTH) == 1136 + plain

    def test_the_suite_by_hand(self, holder: int) -> None:
        """The library's own HPKE with the protocol's info opens it."""
        suite = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
        data = secrets()[holder - 1].to_bytes()
        key = MLKEM768X25519PrivateKey(
            MLKEM768PrivateKey.from_seed_bytes(data[:64]),
            X25519PrivateKey.from_private_bytes(data[64:]),
        )
        record = bytes.fromhex(HASHES[holder - 1])
        info = digest("env", CONTEXT.encode(), bytes([holder]), record, SENDER)
        plaintext = suite.decrypt(seal(holder), key, info)
        first, second = held(holder)
        assert plaintext == PIECES[first - 1] + PIECES[second - 1]

    @pytest.mark.parametrize(
        "change",
        [
            lambda data: data[:-1],
            lambda data: data + b"\x00",
            lambda data: b"",
            lambda data: bytes(len(data)),
            lambda data: data[:16] + bytes([data[16] ^ 1]) + data[17:],
            lambda data: data[:1100] + bytes([data[1100] ^ 128]) + data[1101:],
            lambda data: data[:1121] + bytes([data[1121] ^ 1]) + data[1122:],
            lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        ],
    )
    def test_altered_bytes(self, holder: int, change: Callable[[bytes], bytes]) -> None:
        with pytest.raises(SealError, match="envelope") as caught:
            open_it(change(seal(holder)), holder)
        assert not isinstance(caught.value, CommitmentError)

    @pytest.mark.parametrize(
        "change",
        [
            {"context": "d0ffee"},
            {"record_hash": "44" * 32},
            {"sender": SENDER[::-1]},
            {"secret": RoundSecret.generate()},
        ],
    )
    def test_opened_under_something_else(self, holder: int, change: dict[str, Any]) -> None:
        with pytest.raises(SealError, match="does not open") as caught:
            open_it(seal(holder), holder, **change)
        assert not isinstance(caught.value, CommitmentError)

    def test_sealed_to_another_holder(self, holder: int) -> None:
        """Even with the same pieces, key and record: the number itself is bound."""
        other = holder % 3 + 1
        data = seal(other, key=keys()[holder - 1])
        with pytest.raises(SealError):
            open_it(data.ljust(envelope_bytes(holder, LENGTH), b"\x00"), holder)
        same_length = seal(1, key=keys()[1])
        with pytest.raises(SealError, match="does not open"):
            open_it(same_length, 2)

    def test_each_commitment_of_its_pieces_is_checked(self, holder: int) -> None:
        data = seal(holder)
        for number in (1, 2, 3):
            wrong = list(COMMITMENTS)
            wrong[number - 1] = commitment(CONTEXT, number, SENDER, b"another")
            if number == holder:
                assert open_it(data, holder, commitments=tuple(wrong)).holder == holder
            else:
                with pytest.raises(CommitmentError, match="committed"):
                    open_it(data, holder, commitments=tuple(wrong))

    def test_altered_pieces_blame_their_sender(self, holder: int) -> None:
        for number in held(holder):
            lying = list(PIECES)
            lying[number - 1] = bytes(len(PIECES[number - 1]))
            data = seal_envelope(
                lying, holder=holder, context=CONTEXT, key=keys()[holder - 1], sender=SENDER
            )
            with pytest.raises(CommitmentError):
                open_it(data, holder)

    def test_commitments_in_upper_case_are_other_commitments(self, holder: int) -> None:
        upper = tuple(text.upper() for text in COMMITMENTS)
        with pytest.raises(CommitmentError):
            open_it(seal(holder), holder, commitments=upper)


def test_no_two_envelopes_are_alike() -> None:
    assert len({seal(1) for _ in range(5)}) == 5


@pytest.mark.parametrize(
    "raw",
    [b"", bytes(1215), bytes(1217), b"\xff" * 1216],
)
def test_public_keys_that_are_none(raw: bytes) -> None:
    with pytest.raises(SealError, match="public key"):
        RoundPublicKey(raw, HASHES[0])


@pytest.mark.parametrize("text", ["", "11" * 31, "11" * 33, "AB" * 32, "zz" * 32, " " + "11" * 32])
def test_hashes_that_are_none(text: str) -> None:
    with pytest.raises(SealError, match="64 hex digits"):
        hash_bytes(text)
    with pytest.raises(SealError, match="64 hex digits"):
        RoundPublicKey(keys()[0].raw, text)


class TestSecrets:
    def test_round_trip(self) -> None:
        secret = secrets()[0]
        again = RoundSecret.from_bytes(secret.to_bytes())
        assert len(secret.to_bytes()) == 96
        assert again.public == secret.public
        assert len(secret.public) == 1216
        assert open_it(seal(1), 1, secret=again).holder == 1

    def test_no_two_are_alike(self) -> None:
        made = [RoundSecret.generate() for _ in range(3)]
        assert len({secret.to_bytes()[:64] for secret in made}) == 3
        assert len({secret.to_bytes()[64:] for secret in made}) == 3

    @pytest.mark.parametrize("length", [0, 64, 95, 97])
    def test_bytes_of_another_length(self, length: int) -> None:
        with pytest.raises(SealError, match="secret key"):
            RoundSecret.from_bytes(bytes(length))

    def test_they_are_not_shown(self) -> None:
        assert repr(secrets()[0]) == "RoundSecret(<secret>)"
        assert repr(open_it(seal(2), 2)) == "HeldPieces(holder=2, <secret>)"

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_they_are_not_pickled(self, protocol: int) -> None:
        for secret in (secrets()[0], open_it(seal(2), 2)):
            with pytest.raises(TypeError, match="must not be pickled"):
                pickle.dumps(secret, protocol)


class TestSums:
    def pieces(self, holder: int, *fill: int) -> HeldPieces:
        made = {1: bytes(32), 2: b"\x01" * 32, 3: bytes(32) + bytes(fill) * (4 * LENGTH)}
        first, second = held(holder)
        return HeldPieces(holder, (made[first], made[second]))

    def test_sums_wrap(self) -> None:
        ones = [self.pieces(1, 255)] * 3
        found = sum_pieces(iter(ones), holder=1, context=CONTEXT, length=LENGTH)
        assert (found.holder, found.context) == (1, CONTEXT)
        assert found.values.dtype == np.int64
        assert found.values[LENGTH:].tolist() == [2**32 - 3] * LENGTH
        seed = ones[0].expanded(LENGTH)[:LENGTH].astype(object)
        assert found.values[:LENGTH].tolist() == (3 * seed % 2**32).tolist()

    def test_none_at_all(self) -> None:
        with pytest.raises(SealError, match="no pieces"):
            sum_pieces([], holder=1, context=CONTEXT, length=LENGTH)

    def test_another_holder(self) -> None:
        with pytest.raises(SealError, match="another key holder"):
            sum_pieces([self.pieces(2, 1)], holder=1, context=CONTEXT, length=LENGTH)

    def test_another_length(self) -> None:
        with pytest.raises(SealError, match="length"):
            sum_pieces([self.pieces(2, 1)], holder=2, context=CONTEXT, length=LENGTH + 1)
