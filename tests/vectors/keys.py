"""The keys and streams of the test vectors: known to everybody, for tests alone."""

import hashlib
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.dp.random import SecureRandom
from crypto.sums.pieces.open import RoundSecret
from crypto.sums.schemes import HOLDERS
from crypto.wire import public_bytes, thumbprint
from tests.vectors.document import Document, packed

SIGNERS = (
    *("coordinator", "consent"),
    *("key-holder-1", "key-holder-2", "key-holder-3"),
    *("client-1", "client-2"),
)


def seed(label: str) -> bytes:
    """32 bytes that a label names."""
    return hashlib.sha256(b"fedcart test vectors: " + label.encode()).digest()


def stream(label: str) -> SecureRandom:
    """A stream that repeats; real secrets and noise never have one."""
    return SecureRandom(seed(label))


@cache
def signer(name: str) -> Ed25519PrivateKey:
    """The Ed25519 key of a party."""
    return Ed25519PrivateKey.from_private_bytes(seed(f"identity {name}"))


def sender(name: str) -> bytes:
    """The raw public key of a party."""
    return public_bytes(signer(name).public_key())


@cache
def round_secret(holder: int) -> RoundSecret:
    """A key holder's HPKE key of the round."""
    parts = [seed(f"round {holder} {part}") for part in ("ml-kem d", "ml-kem z", "x25519")]
    return RoundSecret.from_bytes(b"".join(parts))


def document() -> Document:
    """All of them."""
    return {
        "ed25519": {
            name: {
                "secret": signer(name).private_bytes_raw().hex(),
                "public": sender(name).hex(),
                "thumbprint": thumbprint(signer(name).public_key()),
            }
            for name in SIGNERS
        },
        "round_keys": {
            str(holder): {
                "secret": round_secret(holder).to_bytes().hex(),
                "public_b64": packed(round_secret(holder).public),
            }
            for holder in range(1, HOLDERS + 1)
        },
    }
