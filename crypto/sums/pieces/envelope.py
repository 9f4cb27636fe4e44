"""Envelopes: a client's two pieces for one key holder, under that key holder's round key.

HPKE in base mode with ML-KEM-768 + X25519, HKDF-SHA256 and AES-256-GCM, so that envelopes recorded
today stay closed even if one of the two key exchanges falls. The info binds an envelope to its
round, its key holder, the signed record of the round key, and its sender. HPKE draws its own
randomness from the operating system. Source: RFC 9180; opening is in ``crypto.sums.pieces.open``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PublicKey, Suite

from crypto.errors import SealError
from crypto.sums.pieces.split import held, piece_bytes
from crypto.wire import digest

MLKEM_BYTES: Final = 1184
X25519_BYTES: Final = 32
# The encapsulated key (1088 + 32 bytes) and the tag (16).
OVERHEAD: Final = 1136
SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_HASH_BYTES: Final = 32


@dataclass(frozen=True)
class RoundPublicKey:
    """A key holder's HPKE public key of one round.

    Attributes:
        raw: 1216 bytes, ML-KEM-768 ‖ X25519.
        record_hash: hex hash of the signed record that the key came in.

    Raises:
        SealError: bytes that are no such key, or a hash that is none.
    """

    raw: bytes
    record_hash: str

    def __post_init__(self) -> None:
        self.parsed()
        _refuse_weak(self.raw[MLKEM_BYTES:])
        hash_bytes(self.record_hash)

    def parsed(self) -> MLKEM768X25519PublicKey:
        """The key as the library holds it."""
        if len(self.raw) != MLKEM_BYTES + X25519_BYTES:
            raise SealError("This is not the public key of a round.")
        try:
            mlkem = MLKEM768PublicKey.from_public_bytes(self.raw[:MLKEM_BYTES])
            x25519 = X25519PublicKey.from_public_bytes(self.raw[MLKEM_BYTES:])
        except ValueError as error:
            raise SealError("This is not the public key of a round.") from error
        return MLKEM768X25519PublicKey(mlkem, x25519)


def _refuse_weak(x25519: bytes) -> None:
    """Refuse a point of small order: every exchange with it fails, sealing would stumble over it.

    Raises:
        SealError: it is one.
    """
    try:
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(x25519))
    except ValueError as error:
        raise SealError("This is not the public key of a round.") from error


def hash_bytes(text: str) -> bytes:
    """The 32 bytes of a hash in lower-case hex.

    Raises:
        SealError: anything else.
    """
    try:
        data = bytes.fromhex(text)
    except ValueError as error:
        raise SealError("Expected a hash of 64 hex digits.") from error
    if len(data) != _HASH_BYTES or data.hex() != text:
        raise SealError("Expected a hash of 64 hex digits.")
    return data


def envelope_bytes(holder: int, length: int) -> int:
    """How long an envelope for key holder ``holder`` is, for vectors of ``length`` words."""
    return OVERHEAD + sum(piece_bytes(number, length) for number in held(holder))


def envelope_info(*, holder: int, context: str, record_hash: str, sender: bytes) -> bytes:
    """H("env", context, holder as u8, record hash, sender): what HPKE binds the envelope to."""
    return digest("env", context.encode(), bytes([holder]), hash_bytes(record_hash), sender)


def seal_envelope(
    pieces: Sequence[bytes], *, holder: int, context: str, key: RoundPublicKey, sender: bytes
) -> bytes:
    """Seal for key holder ``holder`` its two of a client's three pieces.

    Args:
        pieces: all three, in order.
        holder: 1 to 3.
        context: the manifest hash, hex.
        key: that key holder's.
        sender: the 32 raw bytes of the sender's Ed25519 public key.
    """
    plaintext = b"".join(pieces[number - 1] for number in held(holder))
    info = envelope_info(holder=holder, context=context, record_hash=key.record_hash, sender=sender)
    return SUITE.encrypt(plaintext, key.parsed(), info)
