"""A client from docs/other-languages.md alone, 1: bytes, JSON, records, frames, grants.

This package uses the standard library and ``cryptography``, and nothing of fedcart: it is what
somebody would write in another language. It is slow on purpose, plain integers and lists, so that
it reads like the guide. Tests hold it against the vectors and against real key holders.
"""

import base64
import hashlib
import json
import math
import struct
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SLOT = 1536


class RefusedError(Exception):
    """Something is not what it must be."""


def require(condition: bool, what: str) -> None:
    if not condition:
        raise RefusedError(what)


def h(tag: str, *fields: bytes) -> bytes:
    data = b"frs/v1/" + tag.encode() + b"\x00"
    for field in fields:
        data += struct.pack("<I", len(field)) + field
    return hashlib.sha256(data).digest()


def canonical(value: object) -> bytes:
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def strict_json(data: bytes) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        require(len({name for name, _ in pairs}) == len(pairs), "a key twice")
        return dict(pairs)

    def constant(_name: str) -> float:
        raise RefusedError("no number")

    def finite(text: str) -> float:
        require(math.isfinite(float(text)), "no number")
        return float(text)

    try:
        text = data.decode()
        value = json.loads(
            text, object_pairs_hook=once, parse_constant=constant, parse_float=finite
        )
    except ValueError as error:
        raise RefusedError("no JSON") from error
    require(isinstance(value, dict), "no object")
    found: dict[str, Any] = value
    return found


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise RefusedError("no base64url") from error
    require(b64(data) == text, "base64url has one form")
    return data


def raw(key: Ed25519PrivateKey | Ed25519PublicKey) -> bytes:
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return public.public_bytes_raw()


def thumbprint(public: bytes) -> str:
    return b64(
        hashlib.sha256(canonical({"crv": "Ed25519", "kty": "OKP", "x": b64(public)})).digest()
    )


def sign_record(kind: str, body: dict[str, Any], key: Ed25519PrivateKey) -> bytes:
    data = canonical(body)
    signature = key.sign(h("sig/" + kind, data))
    return canonical({"type": kind, "body": b64(data), "signature": b64(signature)})


def record_body(record: bytes) -> bytes:
    return unb64(strict_json(record)["body"])


def record_hash(record: bytes) -> str:
    return h("record/" + strict_json(record)["type"], record_body(record)).hex()


def read_record(record: bytes, kind: str, key: Ed25519PublicKey) -> dict[str, Any]:
    found = strict_json(record)
    require(found.keys() == {"type", "body", "signature"}, "three parts")
    require(all(isinstance(part, str) for part in found.values()), "three strings")
    require(found["type"] == kind, "another type")
    body = unb64(found["body"])
    try:
        key.verify(unb64(found["signature"]), h("sig/" + kind, body))
    except InvalidSignature as error:
        raise RefusedError("signature") from error
    return strict_json(body)


def frames(parts: Sequence[bytes]) -> bytes:
    data = b"FRS1" + struct.pack("<I", len(parts))
    return data + b"".join(struct.pack("<Q", len(part)) + part for part in parts)


def unframed(data: bytes) -> list[bytes]:
    require(len(data) >= 8 and data[:4] == b"FRS1", "unknown frames")
    (count,) = struct.unpack_from("<I", data, 4)
    require(count <= 1024, "too many frames")
    parts, position = [], 8
    for _ in range(count):
        require(position + 8 <= len(data), "cut short")
        (size,) = struct.unpack_from("<Q", data, position)
        require(position + 8 + size <= len(data), "cut short")
        parts.append(data[position + 8 : position + 8 + size])
        position += 8 + size
    require(position == len(data), "trailing bytes")
    return parts


def packed_grants(tokens: Sequence[str]) -> bytes:
    slots = [struct.pack("<H", len(t)) + t.encode("ascii") for t in tokens]
    count = 1
    while count < len(slots):
        count *= 2
    slots += [b""] * (count - len(slots))
    return b"".join(slot.ljust(SLOT, b"\x00") for slot in slots)
