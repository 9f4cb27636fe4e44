"""A client from docs/other-languages.md alone, 3: compact sum, pieces, envelopes, the header."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PublicKey, Suite

from tests.foreign.encoding import b64, h, raw, require, sign_record
from tests.foreign.vector import WORD, stream, unwords, words

RING = 2048
SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


@dataclass(frozen=True)
class Layout:
    fields: int
    field_bits: int
    guard_bits: int


def layout_of(noise: str, max_clients: int) -> Layout:
    guard = 11 if max_clients <= 100 else 12 if max_clients <= 1000 else 14
    fields = {"set-a": 1, "set-b": 2}[noise]
    return Layout(fields, (32 - guard) // fields, guard)


def packed(values: Sequence[int], layout: Layout) -> list[int]:
    count = -(-len(values) // layout.fields)
    found = [0] * count
    for position, value in enumerate(values):
        field = position // count
        found[position % count] += value << (layout.guard_bits + field * layout.field_bits)
    return [word % WORD for word in found]


def unpacked(sums: Sequence[int], layout: Layout, size: int) -> list[int]:
    fields: list[list[int]] = [[] for _ in range(layout.fields)]
    modulus = 1 << layout.field_bits
    for word in sums:
        rest = ((word + (1 << layout.guard_bits) // 2) % WORD) >> layout.guard_bits
        for field in fields:
            value = (rest + modulus // 2) % modulus - modulus // 2
            field.append(value)
            rest = (rest - value) >> layout.field_bits
    return [value for field in fields for value in field][:size]


def multiplier(context: str, block: int) -> list[int]:
    return words(stream(h("a", context.encode()), 4 * RING, block << 64))


def negacyclic(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """Schoolbook, in Z[x]/(x**2048 + 1) modulo 2**32."""
    total = [0] * (2 * RING)
    for i, factor in enumerate(other):
        if factor:
            for j, value in enumerate(one, start=i):
                total[j] += factor * value
    return [(total[k] - total[k + RING]) % WORD for k in range(RING)]


def masked(
    context: str, message: Sequence[int], secret: Sequence[int], error: Sequence[int]
) -> list[int]:
    """The body: every block of ``message`` (already above the guard bits) under its own a_b."""
    body: list[int] = []
    for block in range(len(error) // RING):
        place = slice(block * RING, (block + 1) * RING)
        product = negacyclic(multiplier(context, block), secret)
        body += [
            (p + e + m) % WORD
            for p, e, m in zip(product, error[place], message[place], strict=True)
        ]
    return body


def pieces_of(vector: Sequence[int], seeds: tuple[bytes, bytes], salt: bytes) -> list[bytes]:
    rest = list(vector)
    for seed in seeds:
        rest = [a - b for a, b in zip(rest, words(stream(seed, 4 * len(rest))), strict=True)]
    return [*seeds, salt + unwords(rest)]


def commitment(context: str, number: int, sender: bytes, piece: bytes) -> str:
    return h("com", context.encode(), bytes([number]), sender, piece).hex()


def held(holder: int) -> list[int]:
    return [number for number in (1, 2, 3) if number != holder]


def envelope_info(context: str, holder: int, key_hash: str, sender: bytes) -> bytes:
    return h("env", context.encode(), bytes([holder]), bytes.fromhex(key_hash), sender)


def envelope(plaintext: bytes, public: bytes, info: bytes) -> bytes:
    require(len(public) == 1216, "no round key")
    mlkem = MLKEM768PublicKey.from_public_bytes(public[:1184])
    x25519 = X25519PublicKey.from_public_bytes(public[1184:])
    return SUITE.encrypt(plaintext, MLKEM768X25519PublicKey(mlkem, x25519), info)


@dataclass(frozen=True)
class Sealed:
    body: bytes
    shares: list[bytes]
    commitments: list[str]


def sealed_pieces(
    vector: Sequence[int], context: str, sender: bytes, keys: Sequence[tuple[str, bytes]]
) -> tuple[list[bytes], list[str]]:
    seeds = secrets.token_bytes(32), secrets.token_bytes(32)
    pieces = pieces_of(vector, seeds, secrets.token_bytes(32))
    shares = []
    for holder, (key_hash, public) in enumerate(keys, start=1):
        plaintext = b"".join(pieces[number - 1] for number in held(holder))
        shares.append(envelope(plaintext, public, envelope_info(context, holder, key_hash, sender)))
    return shares, [commitment(context, k, sender, piece) for k, piece in enumerate(pieces, 1)]


def upload_header(
    sealed: Sealed, context: str, grants: bytes, count: int, key: Ed25519PrivateKey
) -> bytes:
    length = len(sealed.body) + sum(map(len, sealed.shares))
    body = {
        "context": context,
        "scheme": "compact-sum",
        "role": "client",
        "client_key": b64(raw(key)),
        "grants": h("grants", grants).hex(),
        "grant_count": f"{count:08d}",
        "shares": [h("share", share).hex() for share in sealed.shares],
        "commitments": sealed.commitments,
        "body": h("body", sealed.body).hex(),
        "length": f"{length:012d}",
    }
    return sign_record("upload", body, key)
