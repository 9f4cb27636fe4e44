"""The vectors of sealing and of a whole round, by plain integers, and by our own code."""

import hashlib
import struct
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

from crypto.acceptance import check_accepts
from crypto.ballot import check_votes, release_hash
from crypto.invitation import Invitation
from crypto.manifest import Manifest, context_of
from crypto.opening import decode_part
from crypto.sealing import pieced_sum, round_public_keys
from crypto.update import SealedUpdate
from crypto.upload import Upload
from crypto.wire import SignedRecord
from tests.foreign import compact, encoding, vector
from tests.unit.crypto.sums.big_ring import product
from tests.vectors.document import Document
from tests.vectors.stored import integers, long, signer, stored

COMPACT = ("compact-sum-set-a", "compact-sum-set-b")
Product = Callable[[list[int], list[int]], list[int]]


def opened(upload: Document, holder: int) -> bytes:
    """The plaintext of an envelope, by the key holder's secret and nothing of ours."""
    secret = bytes.fromhex(stored("keys")["round_keys"][str(holder)]["secret"])
    key = MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(secret[:64]),
        X25519PrivateKey.from_private_bytes(secret[64:]),
    )
    info = bytes.fromhex(upload["envelopes"][holder - 1]["info"])
    return compact.SUITE.decrypt(long(upload["envelopes_b64"][holder - 1]), key, info)


def check_pieces(upload: Document, context: str, key_hashes: list[str], secret: list[int]) -> None:
    sender = encoding.raw(signer(upload["sender"]))
    pieces = [long(piece) for piece in upload["pieces_b64"]]
    first, second, third = pieces
    assert compact.pieces_of(secret, (first, second), third[:32]) == pieces
    assert upload["commitments"] == [
        compact.commitment(context, number, sender, piece)
        for number, piece in enumerate(pieces, start=1)
    ]
    for holder, each in enumerate(upload["envelopes"], start=1):
        info = compact.envelope_info(context, holder, key_hashes[holder - 1], sender)
        assert each == {"holder": holder, "holds": compact.held(holder), "info": info.hex()}
        plaintext = b"".join(pieces[number - 1] for number in compact.held(holder))
        assert opened(upload, holder) == plaintext
        assert len(long(upload["envelopes_b64"][holder - 1])) == len(plaintext) + 1136


def part_words(uploads: list[Document], holder: int, length: int) -> list[int]:
    """A key holder's two sums, one after the other."""
    total = [0] * (2 * length)
    for upload in uploads:
        words: list[int] = []
        for number in compact.held(holder):
            piece = long(upload["pieces_b64"][number - 1])
            words += vector.words(piece[32:] if number == 3 else vector.stream(piece, 4 * length))
        total = [(one + other) % 2**32 for one, other in zip(total, words, strict=True)]
    return total


def opened_secret(parts: dict[int, list[int]], length: int) -> list[int]:
    """Σs from the part sums of any two key holders, signed."""
    sums: dict[int, list[int]] = {}
    for holder, words in parts.items():
        first, second = compact.held(holder)
        sums |= {first: words[:length], second: words[length:]}
    added = [sum(each) % 2**32 for each in zip(sums[1], sums[2], sums[3], strict=True)]
    return [value - 2**32 if value >= 2**31 else value for value in added]


def test_piece_sum() -> None:
    found = stored("piece-sum")
    layout, length = compact.Layout(1, 32, 0), found["length"]
    for upload in found["uploads"]:
        assert compact.packed(upload["values"], layout) == upload["words"]
        check_pieces(upload, found["context"], found["key_hashes"], upload["words"])
    parts = {k: part_words(found["uploads"], k, length) for k in (1, 2, 3)}
    assert [{"holder": k, "words": words} for k, words in parts.items()] == found["part_sums"]
    plain = [sum(each) for each in zip(*(u["values"] for u in found["uploads"]), strict=True)]
    assert plain == found["sum"]
    for absent in parts:
        two = {k: words for k, words in parts.items() if k != absent}
        words = [value % 2**32 for value in opened_secret(two, length)]
        assert compact.unpacked(words, layout, len(plain)) == plain


def body_of(upload: Document, message: list[int], context: str, times: Product) -> list[int]:
    secret, error = integers(upload["secret_i8_b64"]), integers(upload["error_i8_b64"])
    body: list[int] = []
    for block in range(len(error) // 2048):
        part = slice(2048 * block, 2048 * (block + 1))
        masked = times(compact.multiplier(context, block), secret)
        mixed = zip(masked, error[part], message[part], strict=True)
        body += [sum(each) % 2**32 for each in mixed]
    return body


@pytest.mark.parametrize("name", COMPACT)
def test_compact_sum(name: str) -> None:
    found = stored(name)
    context, length = found["context"], found["length"]
    layout = compact.Layout(found["fields"], found["field_bits"], found["guard_bits"])
    assert layout == compact.layout_of(found["noise"], found["max_clients"])
    size = vector.padded(found["dimension"])
    bodies, plain, secrets = [], [0] * size, [0] * length
    # The schoolbook takes half a second a block, so one upload has it and one a faster way.
    for upload, times in zip(found["uploads"], (compact.negacyclic, product), strict=True):
        values = integers(upload["values_i8_b64"])
        message = compact.packed(values, layout)
        message += [0] * (-len(message) % 2048)
        assert len(message) == 2048 * found["blocks"]
        body = body_of(upload, message, context, times)
        assert vector.unwords(body) == long(upload["body_b64"])
        secret = integers(upload["secret_i8_b64"])
        check_pieces(upload, context, found["key_hashes"], [v % 2**32 for v in secret])
        bodies.append(body)
        plain = [a + b for a, b in zip(plain, values, strict=True)]
        secrets = [a + b for a, b in zip(secrets, secret, strict=True)]
    parts = {k: part_words(found["uploads"], k, length) for k in (1, 2, 3)}
    for case in found["part_sums"]:
        data = vector.unwords(parts[case["holder"]])
        assert hashlib.sha256(data).hexdigest() == case["words_sha256"]
    total = [sum(each) % 2**32 for each in zip(*bodies, strict=True)]
    assert hashlib.sha256(vector.unwords(total)).hexdigest() == found["sum_of_bodies_sha256"]
    assert opened_secret({1: parts[1], 3: parts[3]}, length) == secrets
    assert opened_sum(total, secrets, context, layout, size) == plain == found["sum"]


def opened_sum(
    total: list[int], secrets: list[int], context: str, layout: compact.Layout, size: int
) -> list[int]:
    words: list[int] = []
    for block in range(len(total) // 2048):
        mask = product(compact.multiplier(context, block), secrets)
        rest = total[2048 * block : 2048 * (block + 1)]
        words += [(one - other) % 2**32 for one, other in zip(rest, mask, strict=True)]
    return compact.unpacked(words[: -(-size // layout.fields)], layout, size)


def test_secrets_and_errors_have_the_right_width() -> None:
    drawn = [
        value
        for name in COMPACT
        for upload in stored(name)["uploads"]
        for key in ("secret_i8_b64", "error_i8_b64")
        for value in integers(upload[key])
    ]
    assert np.std(drawn) == pytest.approx(8, rel=0.03)
    assert abs(np.mean(drawn)) < 0.3


def test_the_round_is_one_round() -> None:
    """By our own code: everything in it belongs together, and its parts open its sum."""
    found = stored("round")
    public = {name: signer(name).public_key() for name in stored("keys")["ed25519"]}
    holders = [public[f"key-holder-{k}"] for k in (1, 2, 3)]
    invitation = Invitation.from_bytes(long(found["invitation_b64"]))
    manifest = Manifest.verify(invitation.manifest, public["coordinator"])
    context = context_of(invitation.manifest)
    assert context == found["context"] == stored("records")["context"]
    check_accepts(invitation.accepts, holders, context)
    assert manifest.epsilon is not None
    assert manifest.plan.round_epsilon() <= manifest.epsilon
    keys = round_public_keys(manifest, invitation.round_keys, holders)
    scheme = pieced_sum(manifest.plan, context, keys)
    sealed = [sealed_of(upload, context) for upload in found["uploads"]]
    total = scheme.add(sealed)
    votes = [SignedRecord.from_bytes(vote.encode()) for vote in found["votes"]]
    check_votes(votes, holders, context)
    wanted = release_hash(votes)
    assert wanted == stored("records")["release_hash"]
    parts = [
        decode_part(long(data), request_hash=wanted, identity=identity)
        for data, identity in zip(found["part_sums_b64"], holders, strict=True)
    ]
    plain = [sum(each) for each in zip(*(u["values"] for u in found["uploads"]), strict=True)]
    assert plain == found["sum"]
    for absent in range(3):
        two = parts[:absent] + parts[absent + 1 :]
        assert scheme.combine(total, two).tolist() == plain


def sealed_of(upload: Document, context: str) -> SealedUpdate:
    header = Upload.parse(SignedRecord.from_bytes(upload["header"].encode()))
    sealed = SealedUpdate(
        scheme="compact-sum",
        context=context,
        shares=tuple(long(share) for share in upload["envelopes_b64"]),
        body=long(upload["body_b64"]),
        commitments=tuple(upload["commitments"]),
    )
    header.check_sealed(sealed)
    assert header.grants == upload["grants_hash"]
    return sealed


def test_the_round_without_our_code() -> None:
    found = stored("round")
    context = found["context"]
    parts = encoding.unframed(long(found["invitation_b64"]))
    assert encoding.h("manifest", encoding.record_body(parts[0])).hex() == context
    key_hashes = [encoding.record_hash(part) for part in parts[1:4]]
    plan = encoding.strict_json(encoding.record_body(parts[0]))["plan"]
    layout = compact.layout_of(plan["noise"], plan["max_clients"])
    assert asdict(layout) == {"fields": 1, "field_bits": 21, "guard_bits": 11}
    for upload in found["uploads"]:
        message = compact.packed(upload["values"], layout)
        message += [0] * (-len(message) % 2048)
        body = vector.unwords(body_of(upload, message, context, product))
        assert body == long(upload["body_b64"])
        secret = [value % 2**32 for value in integers(upload["secret_i8_b64"])]
        check_pieces(upload, context, key_hashes, secret)
        grants = encoding.packed_grants(upload["tokens"]) if upload["tokens"] else b""
        assert encoding.h("grants", grants).hex() == upload["grants_hash"]
        if upload["tokens"]:
            sealed = compact.Sealed(
                body, [long(e) for e in upload["envelopes_b64"]], upload["commitments"]
            )
            key, count = signer(upload["sender"]), len(upload["tokens"])
            header = compact.upload_header(sealed, context, grants, count, key)
            assert header.decode() == upload["header"]
    for holder in (1, 2, 3):
        _, data = encoding.unframed(long(found["part_sums_b64"][holder - 1]))
        words = part_words(found["uploads"], holder, 2048)
        assert data == struct.pack(f"<{len(words)}q", *words)
        assert batch_hash(found, holder) == found["batch_sha256"][str(holder)]


def batch_hash(found: Document, holder: int) -> str:
    frames = [found["context"].encode()]
    for upload in found["uploads"]:
        grants = encoding.packed_grants(upload["tokens"]) if upload["tokens"] else b""
        share = long(upload["envelopes_b64"][holder - 1])
        frames += [upload["header"].encode(), grants, share]
    return hashlib.sha256(encoding.frames(frames)).hexdigest()
