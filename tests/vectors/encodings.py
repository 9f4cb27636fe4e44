"""Vectors of H, canonical JSON, frames, packed grants."""

from crypto.grant_list import grants_hash, pack_grants
from crypto.wire import canonical, digest, pack_frames, parse_object
from tests.vectors.document import Document, packed

_HASHED: tuple[tuple[str, tuple[bytes, ...]], ...] = (
    ("manifest", ()),
    ("manifest", (b"",)),
    ("manifest", (b"{}",)),
    ("com", (b"ab", b"c")),
    ("com", (b"a", b"bc")),
    ("sig/accept", (b'{"context":"c","holder":1}',)),
    ("env", (b"c0ffee", b"\x02", bytes(range(32)), bytes(32))),
    ("share", (bytes(1000),)),
)
_TEXTS = (
    '{"b": 1, "a": [true, null, -0.0, 1.5, 1e-7, 1e22, 12345678901234567890]}',
    '{"é": "ü\\n\\"\\\\/", "e": "\\u00e9\\u4e2d", "Z": "\\u001f\\u007f"}',
    '{"\\ud83d\\ude00": 1, "\\uffff": 2, "\\u20ac": 3}',
    ' {\n"x" : { } , "" : [ ] }',
    '{"epsilon":0.1,"delta":1e-06,"scale":1024.0,"z":100000000000000000000.0}',
)
_REFUSED: tuple[tuple[bytes, str], ...] = (
    (b'{"a":1,"a":1}', "a key twice"),
    (b'{"a":{"b":1,"b":2}}', "a key twice, inside"),
    (b"[]", "no object"),
    (b'"a"', "no object"),
    (b"", "nothing"),
    (b'{"a":NaN}', "not a number"),
    (b'{"a":Infinity}', "infinite"),
    (b'{"a":-Infinity}', "infinite"),
    (b'{"a":1e999}', "beyond a float64"),
    (b'{"a":1}x', "trailing bytes"),
    (b'{"a":1}{"a":1}', "two objects"),
    (b'{"a":"\xff"}', "not UTF-8"),
    (b'{"a":"\xed\xa0\x80"}', "a surrogate as UTF-8"),
    (b'\xef\xbb\xbf{"a":1}', "a byte order mark"),
    ("{}".encode("utf-16"), "UTF-16"),
    (b"{'a':1}", "single quotes"),
    (b'{"a":1,}', "a trailing comma"),
    (b'{"a":01}', "a leading zero"),
    (b'{"a":"\n"}', "a bare control character"),
)
_FRAMED: tuple[tuple[bytes, ...], ...] = (
    (),
    (b"",),
    (b"abc",),
    (b"a", b"", bytes(range(40))),
)


def hashes() -> Document:
    """H(tag, fields)."""
    return {
        "cases": [
            {
                "tag": tag,
                "fields": [field.hex() for field in fields],
                "hash": digest(tag, *fields).hex(),
            }
            for tag, fields in _HASHED
        ]
    }


def objects() -> Document:
    """Canonical JSON, and what no party takes for a JSON object."""
    return {
        "cases": [
            {
                "text": text,
                "canonical": canonical(parse_object(text.encode(), what="case")).decode(),
            }
            for text in _TEXTS
        ],
        "refused": [{"bytes": data.hex(), "why": why} for data, why in _REFUSED],
    }


def frames() -> Document:
    """Framed blobs; a reader knows how many it expects and how long each may be."""
    good = pack_frames([b"abc", b"d"])
    return {
        "cases": [
            {"frames": [each.hex() for each in parts], "bytes": pack_frames(list(parts)).hex()}
            for parts in _FRAMED
        ],
        "refused": [
            {"bytes": data.hex(), "count": count, "max_frame": longest, "why": why}
            for data, count, longest, why in (
                (good, 1, 3, "another count"),
                (good, 3, 3, "another count"),
                (good, 2, 2, "a frame that is too long"),
                (good + b"\x00", 2, 3, "trailing bytes"),
                (good[:-1], 2, 3, "cut short"),
                (good[:9], 2, 3, "cut short in a length"),
                (b"FRS2" + good[4:], 2, 3, "another version"),
                (good[:8] + b"\xff" * 8 + good[16:], 2, 2**63, "a length beyond all bytes"),
                (b"", 0, 3, "nothing"),
            )
        ],
    }


def grant_lists() -> Document:
    """Packed grants; these tokens are no grants, only texts."""
    lists = (["a.b.c"], ["first", "second"], ["one", "two", "three"], ["x" * 1534])
    return {
        "cases": [
            {
                "tokens": tokens,
                "length": len(pack_grants(tokens)),
                "packed_b64": packed(pack_grants(tokens)),
                "hash": grants_hash(pack_grants(tokens)),
            }
            for tokens in lists
        ],
        "empty_hash": grants_hash(b""),
    }
