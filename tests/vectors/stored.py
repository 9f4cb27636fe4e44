"""The vectors as they lie in docs/vectors."""

import json
import struct
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.wire import unb64
from tests.vectors.document import FOLDER, Document


@cache
def stored(name: str) -> Document:
    """A file."""
    found: Document = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def long(text: str) -> bytes:
    """What a field that ends in ``_b64`` holds."""
    return unb64(text, what="vector")


def integers(text: str) -> list[int]:
    """What a field that ends in ``_i8_b64`` holds."""
    data = long(text)
    return list(struct.unpack(f"<{len(data)}b", data))


def signer(name: str) -> Ed25519PrivateKey:
    """The key of a party."""
    secret = stored("keys")["ed25519"][name]["secret"]
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))
