"""Opening envelopes and adding pieces. Only key holders import this (import-linter checks it)."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NoReturn

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

from crypto.errors import SealError
from crypto.sums.pieces.commitment import commitment
from crypto.sums.pieces.envelope import SUITE, envelope_bytes, envelope_info
from crypto.sums.pieces.split import WordArray, expand, held, piece_bytes
from crypto.update import PartSum

_SEED_BYTES: Final = 64
SECRET_BYTES: Final = _SEED_BYTES + 32


class CommitmentError(SealError):
    """An envelope opened to other pieces than its sender committed to: its sender is to blame."""


@dataclass(frozen=True, repr=False)
class RoundSecret:
    """A key holder's HPKE secret key of one round; refuses to be pickled or shown.

    Erasing it is deleting its file and forgetting the object; copies that Python made in memory
    go when they are collected and written over (best effort).
    """

    _mlkem: MLKEM768PrivateKey
    _x25519: X25519PrivateKey

    @classmethod
    def generate(cls) -> "RoundSecret":
        """A fresh key, from the operating system's generator."""
        return cls(MLKEM768PrivateKey.generate(), X25519PrivateKey.generate())

    @classmethod
    def from_bytes(cls, data: bytes) -> "RoundSecret":
        """Load what ``to_bytes`` wrote.

        Raises:
            SealError: another length.
        """
        if len(data) != SECRET_BYTES:
            raise SealError("This is not the secret key of a round.")
        return cls(
            MLKEM768PrivateKey.from_seed_bytes(data[:_SEED_BYTES]),
            X25519PrivateKey.from_private_bytes(data[_SEED_BYTES:]),
        )

    def to_bytes(self) -> bytes:
        """96 secret bytes, ML-KEM seed ‖ X25519, for the key holder's own 0600 file."""
        return self._mlkem.private_bytes_raw() + self._x25519.private_bytes_raw()

    @property
    def public(self) -> bytes:
        """The 1216 raw bytes that clients seal to."""
        mlkem = self._mlkem.public_key().public_bytes_raw()
        return mlkem + self._x25519.public_key().public_bytes_raw()

    @cached_property
    def private_key(self) -> MLKEM768X25519PrivateKey:
        """The key as the library holds it."""
        return MLKEM768X25519PrivateKey(self._mlkem, self._x25519)

    def __repr__(self) -> str:
        return "RoundSecret(<secret>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A RoundSecret must not be pickled; it stays in its key holder's file.")


@dataclass(frozen=True, repr=False)
class HeldPieces:
    """One client's two pieces at one key holder, by ascending number; never shown or returned."""

    holder: int
    pieces: tuple[bytes, bytes]

    def expanded(self, length: int) -> WordArray:
        """Both pieces as words, one after the other; uint32, shape (2 * length,).

        Raises:
            SealError: a piece of another length.
        """
        numbered = zip(held(self.holder), self.pieces, strict=True)
        return np.concatenate([expand(number, piece, length) for number, piece in numbered])

    def __repr__(self) -> str:
        return f"HeldPieces(holder={self.holder}, <secret>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("HeldPieces must not be pickled; they stay with their key holder.")


def open_envelope(
    data: bytes,
    *,
    holder: int,
    context: str,
    secret: RoundSecret,
    record_hash: str,
    sender: bytes,
    length: int,
    commitments: tuple[str, str, str],
) -> HeldPieces:
    """Open one client's envelope and check its two pieces against their commitments.

    Args:
        data: the envelope.
        holder: this key holder's number, 1 to 3.
        context: the manifest hash, hex.
        secret: this key holder's round key.
        record_hash: hex hash of the signed record of its public part.
        sender: the 32 raw bytes of the Ed25519 key that signed the header.
        length: of the shared vector, in words.
        commitments: the header's three, hex.

    Raises:
        CommitmentError: a piece is not what its commitment says.
        SealError: the bytes are not an envelope of this round for this key holder (never says
            more).
    """
    if len(data) != envelope_bytes(holder, length):
        raise SealError("An envelope has another length than this round's.")
    info = envelope_info(holder=holder, context=context, record_hash=record_hash, sender=sender)
    try:
        plaintext = SUITE.decrypt(data, secret.private_key, info)
    except (InvalidTag, ValueError) as error:
        raise SealError("An envelope does not open.") from error
    first, second = held(holder)
    cut = piece_bytes(first, length)
    pieces = plaintext[:cut], plaintext[cut:]
    for number, piece in zip((first, second), pieces, strict=True):
        if commitment(context, number, sender, piece) != commitments[number - 1]:
            raise CommitmentError("A piece is not what its sender committed to.")
    return HeldPieces(holder, pieces)


def sum_pieces(
    held_pieces: Iterable[HeldPieces], *, holder: int, context: str, length: int
) -> PartSum:
    """Add one key holder's pieces of all clients, one at a time.

    Returns:
        The part sum: the sums mod 2**32 of its two pieces, int64, shape (2 * length,).

    Raises:
        SealError: none at all, or another key holder's or round's.
    """
    total = np.zeros(2 * length, dtype=np.uint32)
    count = 0
    for pieces in held_pieces:
        if pieces.holder != holder:
            raise SealError("These pieces belong to another key holder.")
        total += pieces.expanded(length)
        count += 1
    if not count:
        raise SealError("There are no pieces to add.")
    return PartSum(holder=holder, context=context, values=total.astype(np.int64))
