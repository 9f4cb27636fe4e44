"""The encoding: one preimage a meaning, one parse a byte string, one key a signature."""

import hashlib
import itertools
import json
import math
import struct
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto import wire
from crypto.errors import WireError
from crypto.wire import (
    SignedRecord,
    b64,
    canonical,
    digest,
    get_float,
    get_hash,
    get_hashes,
    get_int,
    get_str,
    get_strings,
    pack_frames,
    parse_object,
    parse_public_key,
    public_bytes,
    require_fields,
    thumbprint,
    unb64,
    unpack_frames,
)
from tests.unit.crypto.samples import signer


class TestDigest:
    def test_layout_is_the_documented_one(self) -> None:
        preimage = b"frs/v1/tag\x00" + struct.pack("<I", 2) + b"ab" + struct.pack("<I", 0)
        assert digest("tag", b"ab", b"") == hashlib.sha256(preimage).digest()

    def test_fields_can_not_be_moved_between_each_other_or_the_tag(self) -> None:
        pieces = [b"", b"a", b"b", b"ab", b"\x01\x00\x00\x00a", b"\x00", b"\x00\x00\x00\x00"]
        uses = [
            (tag, fields)
            for tag in ("", "a", "ab", "a/b")
            for size in range(4)
            for fields in itertools.product(pieces, repeat=size)
        ]
        assert len({digest(tag, *fields) for tag, fields in uses}) == len(uses)

    def test_a_tag_can_not_imitate_fields(self) -> None:
        digest("a", b"")
        with pytest.raises(ValueError, match="zero byte"):
            digest("a\x00\x00\x00\x00")


class TestCanonical:
    def test_one_form(self) -> None:
        assert canonical({"b": 1, "a": ["é", None, True]}) == '{"a":["é",null,true],"b":1}'.encode()
        assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_no_number_that_json_lacks(self, value: float) -> None:
        with pytest.raises(ValueError, match="JSON"):
            canonical({"a": value})


class TestParseObject:
    def test_reads_what_canonical_writes(self) -> None:
        value = {"a": [1, 2.5, "é"], "b": {"c": None}}
        assert parse_object(canonical(value), what="test") == value

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"[1]",
            b'"text"',
            b"null",
            b"{",
            b"{} {}",
            b"{}x",
            b'{"a":1,"a":1}',
            b'{"a":{"b":1,"b":2}}',
            b'{"a":NaN}',
            b'{"a":Infinity}',
            b'{"a":-Infinity}',
            b'{"a":1e999}',
            b'{"a":-1e999}',
            b"\xff{}",
            b'{"a":"\xed\xa0\x80"}',
            '{"a":1}'.encode("utf-16"),
            '{"a":1}'.encode("utf-16-le"),
            '{"a":1}'.encode("utf-32"),
            b"\xef\xbb\xbf{}",
            b'{"a":' + b"9" * 5000 + b"}",
            b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        ],
        ids=lambda data: repr(data[:16]),
    )
    def test_refuses(self, data: bytes) -> None:
        with pytest.raises(WireError, match="test"):
            parse_object(data, what="test")

    def test_refuses_absurd_sizes_unparsed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(wire, "MAX_RECORD_BYTES", 8)
        parse_object(b'{"a": 1}', what="test")
        with pytest.raises(WireError, match="9 bytes, at most 8"):
            parse_object(b'{"a":  1}', what="test")


class TestBase64:
    @pytest.mark.parametrize("data", [b"", b"a", b"ab", b"abc", b"\xfb\xff\xfe", bytes(32)])
    def test_round_trip(self, data: bytes) -> None:
        text = b64(data)
        assert not set(text) & set("+/=")
        assert unb64(text, what="x") == data

    @pytest.mark.parametrize(
        "text",
        [
            "a",
            "ab=",
            "YQ==",
            "a b",
            "YR",
            "+/",
            "é",
            "YQ\n",
            "====",
            "=",
        ],
    )
    def test_only_the_one_spelling(self, text: str) -> None:
        with pytest.raises(WireError, match="base64url"):
            unb64(text, what="x")

    def test_exact_length(self) -> None:
        with pytest.raises(WireError, match="3 bytes, expected 2"):
            unb64(b64(b"abc"), what="x", length=2)


class TestKeys:
    def test_thumbprint_of_rfc_8037(self) -> None:
        # RFC 8037, appendix A.3.
        key = parse_public_key("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", what="key")
        assert thumbprint(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

    @pytest.mark.parametrize("size", [0, 31, 33])
    def test_other_lengths_are_no_key(self, size: int) -> None:
        with pytest.raises(WireError, match="expected 32"):
            parse_public_key(b64(bytes(size)), what="key")


@pytest.fixture
def record() -> SignedRecord:
    return SignedRecord.sign("commit", {"b": 2, "a": "é"}, signer("alice"))


class TestSignedRecord:
    def test_signature_covers_the_documented_hash(self, record: SignedRecord) -> None:
        body = '{"a":"é","b":2}'.encode()
        preimage = b"frs/v1/sig/commit\x00" + struct.pack("<I", len(body)) + body
        assert record.body == body
        signer("alice").public_key().verify(record.signature, hashlib.sha256(preimage).digest())

    def test_travels_as_bytes(self, record: SignedRecord) -> None:
        again = SignedRecord.from_bytes(record.to_bytes())
        assert again == record
        assert again.hash == record.hash
        assert again.verified("commit", signer("alice").public_key()) == {"a": "é", "b": 2}

    def test_another_key(self, record: SignedRecord) -> None:
        with pytest.raises(WireError, match="signature"):
            record.verified("commit", signer("mallory").public_key())

    def test_another_type_even_if_it_says_so_itself(self, record: SignedRecord) -> None:
        renamed = SignedRecord(type="manifest", body=record.body, signature=record.signature)
        for asked in ("manifest", "commit"):
            with pytest.raises(WireError):
                renamed.verified(asked, signer("alice").public_key())
        assert renamed.hash != record.hash

    def test_every_flipped_bit_of_body_and_signature(self, record: SignedRecord) -> None:
        key = signer("alice").public_key()
        for part in ("body", "signature"):
            data = getattr(record, part)
            for position in range(len(data)):
                changed = bytearray(data)
                changed[position] ^= 1 << (position % 8)
                changes: dict[str, Any] = {part: bytes(changed)}
                with pytest.raises(WireError):
                    replace(record, **changes).verified("commit", key)

    def test_a_signature_over_bytes_that_are_no_object(self) -> None:
        key: Ed25519PrivateKey = signer("alice")
        body = b'{"a":1,"a":2}'
        signature = key.sign(digest("sig/commit", body))
        with pytest.raises(WireError, match="well-formed"):
            SignedRecord(type="commit", body=body, signature=signature).verified(
                "commit", key.public_key()
            )

    def test_envelope_is_exact(self, record: SignedRecord) -> None:
        good = record.to_json()
        bad: list[object] = [
            None,
            [],
            "text",
            {},
            good | {"extra": ""},
            {key: value for key, value in good.items() if key != "type"},
            good | {"type": 1},
            good | {"body": None},
            good | {"signature": good["signature"][:-4]},
            good | {"signature": good["signature"] + "AAAA"},
            good | {"signature": good["signature"] + "="},
            good | {"body": "*"},
        ]
        for value in bad:
            with pytest.raises(WireError):
                SignedRecord.from_json(value)

    @pytest.mark.parametrize(
        "word", ["", "a\x00b", "\ud800", "A", "a b", "é", "-a", "1a", "a" * 65, "a\n"]
    )
    def test_types_are_words(self, record: SignedRecord, word: str) -> None:
        """A hash names the type: one that could not be hashed would trip whoever asks for it."""
        with pytest.raises(WireError, match="short word"):
            SignedRecord.from_json(record.to_json() | {"type": word})
        named = SignedRecord.from_json(record.to_json() | {"type": "a-1" + "b" * 61})
        assert len(named.hash) == 64

    def test_trailing_bytes(self, record: SignedRecord) -> None:
        with pytest.raises(WireError):
            SignedRecord.from_bytes(record.to_bytes() + b"{}")


class TestFrames:
    def test_layout(self) -> None:
        packed = pack_frames([b"ab", b""])
        assert packed == b"FRS1" + struct.pack("<I", 2) + struct.pack("<Q", 2) + b"ab" + bytes(8)
        assert unpack_frames(packed, count=2, max_frame=2) == [b"ab", b""]

    def test_refuses(self) -> None:
        packed = pack_frames([b"abc", b"d"])
        for data, count, limit in [
            (b"FRS2" + packed[4:], 2, 9),
            (packed, 1, 9),
            (packed, 3, 9),
            (packed, 2, 2),
            (packed + b"\x00", 2, 9),
            (b"", 2, 9),
            (b"", 0, 9),
            (packed[:4], 0, 9),
            (packed.replace(b"\x03" + bytes(7), b"\xff" * 8), 2, 9),
        ]:
            with pytest.raises(WireError, match="Framed"):
                unpack_frames(data, count=count, max_frame=limit)

    def test_every_cut(self) -> None:
        packed = pack_frames([b"abc", b"", b"d"])
        for size in range(len(packed)):
            with pytest.raises(WireError):
                unpack_frames(packed[:size], count=3, max_frame=9)


class TestFields:
    @pytest.mark.parametrize("value", [None, 1, ["a"], "a" * 257, "\ud800", b"a", True])
    def test_strings(self, value: object) -> None:
        assert get_str({"k": "a" * 256}, "k") == "a" * 256
        with pytest.raises(WireError, match="'k'"):
            get_str({"k": value}, "k")

    @pytest.mark.parametrize("value", [None, True, False, 1.0, "1", 0, 11, 10**400, -(10**400)])
    def test_integers(self, value: object) -> None:
        assert [get_int({"k": v}, "k", low=1, high=10) for v in (1, 10)] == [1, 10]
        with pytest.raises(WireError, match="'k'"):
            get_int({"k": value}, "k", low=1, high=10)

    @pytest.mark.parametrize(
        "value",
        [None, True, "1", -0.5, 1.5, math.nan, math.inf, -math.inf, 10**400, -(10**400), [1.0]],
    )
    def test_numbers(self, value: object) -> None:
        assert get_float({"k": 1}, "k", low=0.0, high=1.0) == 1.0
        with pytest.raises(WireError, match="'k'"):
            get_float({"k": value}, "k", low=0.0, high=1.0)

    @pytest.mark.parametrize(
        "value", [None, "ab", ["a", 1], ["a"] * 3, ["a" * 257], ["\udfff"], {"a": 1}]
    )
    def test_lists_of_strings(self, value: object) -> None:
        assert get_strings({"k": ["a", "b"]}, "k", max_count=2) == ("a", "b")
        with pytest.raises(WireError, match="'k'"):
            get_strings({"k": value}, "k", max_count=2)

    def test_an_absent_field(self) -> None:
        with pytest.raises(WireError):
            get_str({}, "k")
        with pytest.raises(WireError):
            get_strings({}, "k", max_count=2)


def test_public_bytes_are_raw() -> None:
    key = signer("alice")
    assert public_bytes(key.public_key()) == key.public_key().public_bytes_raw()
    assert json.loads(canonical({"k": b64(public_bytes(key.public_key()))}))["k"]


def test_hashes() -> None:
    good = "0123456789abcdef" * 4
    assert get_hash({"k": good}, "k") == good
    assert get_hashes({"k": [good, good]}, "k", max_count=2) == (good, good)
    assert get_hashes({"k": []}, "k", max_count=2) == ()
    bad: list[object] = [good[1:], good + "0", good.upper(), good[:-1] + "g", good[:-1] + "\n"]
    bad += ["\ud800" * 64, "٣" * 64, None, 7, b"0" * 64, [good], ""]
    for value in bad:
        with pytest.raises(WireError):
            get_hash({"k": value}, "k")
        with pytest.raises(WireError):
            get_hashes({"k": [good, value]}, "k", max_count=2)
    for value in (good, (good,), {good: 1}, None, [good] * 3):
        with pytest.raises(WireError):
            get_hashes({"k": value}, "k", max_count=2)
    with pytest.raises(WireError):
        get_hash({}, "k")


def test_exact_fields() -> None:
    require_fields({"a": 1, "b": None}, "b", "a")
    require_fields({})
    for record in ({"a": 1}, {"a": 1, "b": 2, "c": 3}, {}, {"a": 1, "B": 2}):
        with pytest.raises(WireError, match="exactly the fields a, b"):
            require_fields(record, "a", "b")
