"""The vectors in docs/vectors: what the code makes, and what plain Python makes without it.

``tests.foreign`` derives everything again from docs/other-languages.md, with integers and lists.
"""

import hashlib
import json
import re
import struct
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from consent.participation import ParticipationRequest
from crypto.acceptance import Accept
from crypto.ballot import UploadList, Vote
from crypto.commit import Commit
from crypto.errors import WireError
from crypto.grant import ParticipationGrant
from crypto.grant_list import unpack_grants
from crypto.holder_card import HolderCard
from crypto.ingest import Receipt
from crypto.manifest import Manifest
from crypto.opening import decode_part
from crypto.round_key import RoundKey, RoundKeyRequest
from crypto.upload import Upload
from crypto.wire import SignedRecord, canonical, parse_object, unpack_frames
from tests.foreign import compact, encoding, vector
from tests.vectors import files
from tests.vectors.document import FOLDER, Document, render
from tests.vectors.records import NO_CONTEXT
from tests.vectors.stored import long, signer, stored


@cache
def made() -> dict[str, Document]:
    return dict(files.documents())


@pytest.mark.parametrize("name", sorted(made()))
def test_the_code_makes_every_file_byte_for_byte(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text() == render(made()[name])
    assert stored(name) == json.loads(json.dumps(made()[name]))


def test_there_are_no_other_files() -> None:
    assert {path.stem for path in FOLDER.glob("*")} == set(made())


def test_the_guide_names_every_file() -> None:
    guide = (FOLDER.parent / "other-languages.md").read_text()
    rows = [line.split("|")[1] for line in guide.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall("`([^`]+)`", row)} == set(made())


def test_a_changed_vector_would_be_seen() -> None:
    other = json.loads(json.dumps(made()["mask"]))
    other["cases"][0]["first"][0] ^= 1
    assert render(other) != render(made()["mask"])


# Bytes.


def test_hashes() -> None:
    for case in stored("hash")["cases"]:
        fields = [bytes.fromhex(field) for field in case["fields"]]
        assert encoding.h(case["tag"], *fields).hex() == case["hash"]
    assert len({case["hash"] for case in stored("hash")["cases"]}) == 8


def test_canonical_json() -> None:
    for case in stored("json")["cases"]:
        value = encoding.strict_json(case["text"].encode())
        assert encoding.canonical(value).decode() == case["canonical"]
        assert canonical(parse_object(case["canonical"].encode(), what="x")) == encoding.canonical(
            value
        )
    for case in stored("json")["refused"]:
        data = bytes.fromhex(case["bytes"])
        with pytest.raises(WireError):
            parse_object(data, what=case["why"])
        with pytest.raises(encoding.RefusedError):
            encoding.strict_json(data)


def test_frames() -> None:
    for case in stored("frames")["cases"]:
        parts = [bytes.fromhex(part) for part in case["frames"]]
        assert encoding.frames(parts).hex() == case["bytes"]
        assert encoding.unframed(bytes.fromhex(case["bytes"])) == parts
    for case in stored("frames")["refused"]:
        data = bytes.fromhex(case["bytes"])
        with pytest.raises(WireError):
            unpack_frames(data, count=case["count"], max_frame=case["max_frame"])


def test_packed_grants() -> None:
    for case in stored("grant-list")["cases"]:
        data = encoding.packed_grants(case["tokens"])
        assert data == long(case["packed_b64"])
        assert len(data) == case["length"]
        assert encoding.h("grants", data).hex() == case["hash"]
        assert list(unpack_grants(data, len(case["tokens"]))) == case["tokens"]
    assert stored("grant-list")["empty_hash"] == encoding.h("grants", b"").hex()


# Numbers.


def test_rotation() -> None:
    found = stored("rotation")
    context = found["context"]
    assert encoding.h("rot", context.encode()).hex() == found["key"]
    for case in found["cases"]:
        size = vector.padded(case["dimension"])
        assert size == case["padded"]
        assert vector.signs(context, size) == case["signs"]
        rotated = vector.rotate(case["values"], context)
        assert rotated == pytest.approx(case["rotated"], abs=1e-12)
        back = vector.unrotate(case["rotated"], context, case["dimension"])
        assert back == pytest.approx(case["values"], abs=1e-12)
    assert set(found["cases"][-1]["signs"]) == {1, -1}


def test_rounding() -> None:
    found = stored("rounding")
    for case in found["bounds"]:
        bound = vector.squared_bound(case["scale"], case["dimension"])
        assert bound == pytest.approx(case["squared_l2"], rel=1e-15)
        assert case["l1"] == pytest.approx(min(bound, (bound * case["dimension"]) ** 0.5))
    for case in found["verdicts"]:
        kept = sum(v * v for v in case["drawn"]) <= vector.squared_bound(case["scale"], 4)
        assert kept == case["kept"]
    assert {case["kept"] for case in found["verdicts"]} == {True, False}
    example = found["example"]
    real = vector.rotate(example["values"], example["context"])
    factor = example["scale"] / example["clipping_norm"]
    drawn = iter(struct.unpack("<64Q", vector.stream(bytes.fromhex(example["stream"]), 512)))
    scaled = [value * factor for value in real]
    rounded = vector.rounded(scaled, example["scale"], lambda: (next(drawn) >> 11) * 2.0**-53)
    assert rounded == example["rounded"]


def test_epsilons() -> None:
    for case in stored("epsilon")["cases"]:
        found = vector.epsilon(
            noise=case["noise_multiplier"],
            scale=case["scale"],
            dimension=case["dimension"],
            delta=case["delta"],
            rounds=case["rounds"],
        )
        assert found == pytest.approx(case["epsilon"], rel=1e-5)
    costs = [case["epsilon"] for case in stored("epsilon")["cases"]]
    assert costs[2] < costs[3] < 20 * costs[2]


def test_packing() -> None:
    for case in stored("packing")["cases"]:
        layout = compact.Layout(case["fields"], case["field_bits"], case["guard_bits"])
        if case["scheme"] == "compact-sum":
            assert layout == compact.layout_of(case["noise"], case["max_clients"])
        words = [compact.packed(values, layout) for values in case["values"]]
        assert words == case["words"]
        total = [
            (one + other + error) % 2**32
            for one, other, error in zip(*words, case["error"], strict=True)
        ]
        assert total == case["sum_of_words"]
        plain = [one + other for one, other in zip(*case["values"], strict=True)]
        assert compact.unpacked(total, layout, len(plain)) == plain == case["sum"]
    assert len(stored("packing")["cases"]) == 8


def test_masks() -> None:
    found = stored("mask")
    assert encoding.h("a", found["context"].encode()).hex() == found["key"]
    for case in found["cases"]:
        assert case["counter"] == (case["block"] * 2**64).to_bytes(16, "big").hex()
        words = compact.multiplier(found["context"], case["block"])
        assert words[:8] == case["first"]
        assert words[-2:] == case["last"]
        assert hashlib.sha256(vector.unwords(words)).hexdigest() == case["sha256"]


# Records.

READERS: dict[str, Callable[[SignedRecord, Any], object]] = {
    "round-key-request": RoundKeyRequest.verify,
    "round-key": RoundKey.verify,
    "manifest": Manifest.verify,
    "accept": Accept.verify,
    "participation": lambda record, _key: ParticipationRequest.parse(record),
    "upload": lambda record, _key: Upload.parse(record),
    "entry": lambda record, _key: Upload.parse(record),
    "ingest-receipt": Receipt.verify,
    "commit": Commit.verify,
    "upload-list": UploadList.verify,
    "vote": Vote.verify,
    "part-sum": lambda record, key: decode_part(
        encoding.frames([record.to_bytes(), part_values()]),
        request_hash=stored("records")["release_hash"],
        identity=key,
    ),
    "card": lambda record, _key: HolderCard.from_bytes(
        encoding.frames([record.to_bytes(), NO_CONTEXT])
    ),
}


def part_values() -> bytes:
    return encoding.unframed(long(stored("round")["part_sums_b64"][0]))[1]


def records() -> list[Document]:
    found: list[Document] = stored("records")["records"]
    return found


@pytest.mark.parametrize("case", records(), ids=lambda case: str(case["name"]))
def test_records(case: Document) -> None:
    key = signer(case["signer"])
    record = encoding.sign_record(case["type"], case["body"], key)
    assert record.decode() == case["record"]
    assert encoding.record_body(record).decode() == case["body_text"]
    assert encoding.record_hash(record) == case["hash"]
    assert encoding.read_record(record, case["type"], key.public_key()) == case["body"]
    parsed = SignedRecord.from_bytes(record)
    assert (parsed.hash, parsed.signature.hex()) == (case["hash"], case["signature"])
    READERS[case["name"]](parsed, key.public_key())
    with pytest.raises(encoding.RefusedError):
        encoding.read_record(record, case["type"], signer("client-2").public_key())


def test_every_record_type_has_a_vector() -> None:
    assert {case["name"] for case in records()} == set(READERS)


def test_records_that_nobody_takes() -> None:
    by = {case["name"]: (case["type"], case["signer"]) for case in records()}
    for case in stored("records")["refused"]:
        kind, name = by[case["name"]]
        key = signer(name).public_key()
        with pytest.raises(WireError):
            READERS[case["name"]](SignedRecord.from_bytes(case["record"].encode()), key)
        if "field" not in case["why"]:  # fields are for whoever reads this type
            with pytest.raises(encoding.RefusedError):
                encoding.read_record(case["record"].encode(), kind, key)
    assert len(stored("records")["refused"]) == 9 * len(by)


def test_grants() -> None:
    found = stored("grant")
    checked, key = found["checked"], signer(found["signer"])
    head, claims, signature = found["token"].split(".")
    assert json.loads(encoding.unb64(head)) == found["header"]
    assert json.loads(encoding.unb64(claims)) == found["claims"]
    assert key.sign(f"{head}.{claims}".encode()) == encoding.unb64(signature)
    grant = ParticipationGrant.verify(found["token"], key.public_key(), **checked)
    assert grant.expires_at == found["claims"]["exp"]
    refused = [case["token"] for case in found["refused"]]
    for token in refused:
        with pytest.raises(WireError):
            ParticipationGrant.verify(token, key.public_key(), **checked)
    late = checked | {"now": found["expired_at"]}
    with pytest.raises(WireError, match="expired"):
        ParticipationGrant.verify(found["token"], key.public_key(), **late)
