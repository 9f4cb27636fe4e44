"""The one door for foreign bytes: hashing, canonical JSON, signed records and framed blobs.

Everything that another party may have written is parsed here, by exact versions and exact lengths;
trailing bytes and unknown versions are refused. Signatures are Ed25519 over
``H("sig/" + type, body)``, so a record of one type never passes for another.
Source: fedcart protocol v1 (docs/protocol.md), "Encoding".
"""

import base64
import binascii
import hashlib
import json
import math
import re
from dataclasses import dataclass
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crypto.errors import WireError

DOMAIN = b"frs/v1/"
MAX_RECORD_BYTES = 64 * 1024 * 1024
MAX_TIME_MS = 253_402_300_799_999  # the end of the year 9999, UTC
_MAGIC = b"FRS1"
_HASH = re.compile(r"[0-9a-f]{64}")
_TYPE = re.compile(r"[a-z][a-z0-9-]{0,63}")


def digest(tag: str, *fields: bytes) -> bytes:
    """Hash fields: SHA-256 over ``"frs/v1/" + tag + 0x00``, then u32 length ‖ bytes of each.

    Guarantee: distinct (tag, fields) give distinct preimages, so no two uses can be confused.

    Raises:
        ValueError: a tag with a zero byte, which could imitate the fields that follow it.
    """
    if "\x00" in tag:
        raise ValueError("A hash tag has no zero byte.")
    state = hashlib.sha256(DOMAIN + tag.encode() + b"\x00")
    for field in fields:
        state.update(len(field).to_bytes(4, "little"))
        state.update(field)
    return state.digest()


def canonical(value: object) -> bytes:
    """Encode JSON-able data in one way only: sorted keys, no spaces, UTF-8, no NaN or infinity."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def parse_object(data: bytes, *, what: str) -> dict[str, Any]:
    """Parse foreign bytes as one JSON object without duplicate keys.

    Raises:
        WireError: not UTF-8 JSON, not an object, a key twice, a number that is not finite, or
            over MAX_RECORD_BYTES.
    """
    if len(data) > MAX_RECORD_BYTES:
        raise WireError(f"{what}: {len(data)} bytes, at most {MAX_RECORD_BYTES} are read.")
    try:
        # Decoded here, because json.loads would guess UTF-16 and let surrogates pass.
        value = json.loads(
            data.decode(),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as error:
        raise WireError(f"{what}: not a well-formed JSON object.") from error
    if not isinstance(value, dict):
        raise WireError(f"{what}: expected a JSON object.")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(text)
    return value


def b64(data: bytes) -> str:
    """Encode bytes as unpadded base64url text."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str, *, what: str, length: int | None = None) -> bytes:
    """Decode unpadded base64url text, of exactly ``length`` bytes where one is given."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise WireError(f"{what}: not base64url text.") from error
    if b64(data) != text:
        raise WireError(f"{what}: not canonical base64url text.")
    if length is not None and len(data) != length:
        raise WireError(f"{what}: {len(data)} bytes, expected {length}.")
    return data


def public_bytes(key: Ed25519PublicKey) -> bytes:
    """The 32 raw bytes of an Ed25519 public key."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def parse_public_key(text: str, *, what: str) -> Ed25519PublicKey:
    """Parse a base64url Ed25519 public key (32 bytes)."""
    return Ed25519PublicKey.from_public_bytes(unb64(text, what=what, length=32))


def thumbprint(key: Ed25519PublicKey) -> str:
    """The RFC 7638 thumbprint of an Ed25519 key (RFC 8037): how the federation names a client."""
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": b64(public_bytes(key))}
    return b64(hashlib.sha256(canonical(jwk)).digest())


@dataclass(frozen=True, kw_only=True)
class SignedRecord:
    """A canonical JSON body with its type and an Ed25519 signature.

    The body stays the exact bytes that were signed; ``verified`` is the only way to read it.
    """

    type: str
    body: bytes
    signature: bytes

    @classmethod
    def sign(cls, record_type: str, body: dict[str, Any], key: Ed25519PrivateKey) -> Self:
        """Sign ``body`` as a record of ``record_type``."""
        data = canonical(body)
        signature = key.sign(digest(f"sig/{record_type}", data))
        return cls(type=record_type, body=data, signature=signature)

    def verified(self, record_type: str, key: Ed25519PublicKey) -> dict[str, Any]:
        """Return the parsed body if ``key`` signed it as ``record_type``.

        Raises:
            WireError: another type, another key, or altered bytes.
        """
        if self.type != record_type:
            raise WireError(f"Expected a signed {record_type!r} record, got another type.")
        try:
            key.verify(self.signature, digest(f"sig/{record_type}", self.body))
        except InvalidSignature as error:
            raise WireError(
                f"The signature of this {record_type!r} record does not hold."
            ) from error
        return parse_object(self.body, what=record_type)

    @property
    def hash(self) -> str:
        """Hex hash of type and body: the name of this record elsewhere."""
        return digest(f"record/{self.type}", self.body).hex()

    def to_json(self) -> dict[str, str]:
        """The record as a JSON object of three strings."""
        return {"type": self.type, "body": b64(self.body), "signature": b64(self.signature)}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Parse the JSON object that ``to_json`` writes; extra keys are refused."""
        if not isinstance(value, dict) or value.keys() != {"type", "body", "signature"}:
            raise WireError("A signed record has exactly the keys type, body and signature.")
        if not all(isinstance(part, str) for part in value.values()):
            raise WireError("The parts of a signed record are strings.")
        # A record is named by its type before anybody checks what type it should be.
        if not _TYPE.fullmatch(value["type"]):
            raise WireError("The type of a signed record is a short word.")
        return cls(
            type=value["type"],
            body=unb64(value["body"], what="signed record body"),
            signature=unb64(value["signature"], what="signed record signature", length=64),
        )

    def to_bytes(self) -> bytes:
        """The record as canonical JSON bytes."""
        return canonical(self.to_json())

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse what ``to_bytes`` writes."""
        return cls.from_json(parse_object(data, what="signed record"))


def pack_frames(frames: list[bytes]) -> bytes:
    """Join blobs: magic ‖ u32 count ‖ (u64 length ‖ bytes) each."""
    parts = [_MAGIC, len(frames).to_bytes(4, "little")]
    for frame in frames:
        parts += [len(frame).to_bytes(8, "little"), frame]
    return b"".join(parts)


def unpack_frames(data: bytes, *, count: int, max_frame: int) -> list[bytes]:
    """Split what ``pack_frames`` joined.

    Raises:
        WireError: unknown magic, another count, a frame over ``max_frame`` bytes, missing or
            trailing bytes.
    """
    if data[:4] != _MAGIC or int.from_bytes(data[4:8], "little") != count:
        raise WireError(f"Framed bytes: unknown version, or not {count} frames.")
    frames, position = [], 8
    for _ in range(count):
        size = int.from_bytes(data[position : position + 8], "little")
        position += 8
        if size > max_frame or position + size > len(data):
            raise WireError("Framed bytes: a frame is longer than allowed or cut short.")
        frames.append(data[position : position + size])
        position += size
    if position != len(data):
        raise WireError("Framed bytes: trailing bytes.")
    return frames


def get_str(record: dict[str, Any], key: str, *, max_length: int = 256) -> str:
    """Read a string field of a parsed record."""
    value = record.get(key)
    if not isinstance(value, str) or len(value) > max_length or not _is_text(value):
        raise WireError(f"Field {key!r}: expected a string of at most {max_length} characters.")
    return value


def get_int(record: dict[str, Any], key: str, *, low: int, high: int) -> int:
    """Read an integer field within ``low..high``; booleans are not integers."""
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise WireError(f"Field {key!r}: expected an integer from {low} to {high}.")
    return value


def get_time(record: dict[str, Any], key: str) -> int:
    """Read a time in Unix milliseconds that every calendar can show: up to the year 9999."""
    return get_int(record, key, low=0, high=MAX_TIME_MS)


def get_float(record: dict[str, Any], key: str, *, low: float, high: float) -> float:
    """Read a finite number within ``low..high``."""
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WireError(f"Field {key!r}: expected a number.")
    # Compared before it is converted: an integer may be too large for a float.
    if not low <= value <= high or not math.isfinite(value):
        raise WireError(f"Field {key!r}: expected a number from {low} to {high}.")
    return float(value)


def get_strings(record: dict[str, Any], key: str, *, max_count: int) -> tuple[str, ...]:
    """Read a list of at most ``max_count`` strings."""
    value = record.get(key)
    if not isinstance(value, list) or len(value) > max_count:
        raise WireError(f"Field {key!r}: expected a list of at most {max_count} strings.")
    if not all(isinstance(item, str) and len(item) <= 256 and _is_text(item) for item in value):
        raise WireError(f"Field {key!r}: expected strings of at most 256 characters.")
    return tuple(value)


def get_hash(record: dict[str, Any], key: str) -> str:
    """Read a hash: 64 lower-case hex digits."""
    value = record.get(key)
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise WireError(f"Field {key!r}: expected a hash of 64 hex digits.")
    return value


def get_hashes(record: dict[str, Any], key: str, *, max_count: int) -> tuple[str, ...]:
    """Read a list of at most ``max_count`` hashes."""
    value = record.get(key)
    if not isinstance(value, list) or len(value) > max_count:
        raise WireError(f"Field {key!r}: expected a list of at most {max_count} hashes.")
    if not all(isinstance(item, str) and _HASH.fullmatch(item) for item in value):
        raise WireError(f"Field {key!r}: expected hashes of 64 hex digits.")
    return tuple(value)


def require_fields(record: dict[str, Any], *names: str) -> None:
    """Refuse a parsed record with other fields than these."""
    if record.keys() != set(names):
        raise WireError(f"This record has exactly the fields {', '.join(sorted(names))}.")


def _is_text(value: str) -> bool:
    """Whether UTF-8 can hold the string: JSON escapes can spell lone surrogates."""
    return value.isascii() or not any("\ud800" <= each <= "\udfff" for each in value)
