"""The innermost parsers: JSON objects, signed records, frames, base64url, keys."""

from functools import partial

from crypto.errors import WireError
from crypto.wire import (
    SignedRecord,
    canonical,
    get_float,
    get_hashes,
    get_int,
    get_str,
    get_strings,
    pack_frames,
    parse_object,
    parse_public_key,
    unb64,
    unpack_frames,
)
from tests.fuzz.target import Target, only
from tests.vectors.stored import stored


def _object(data: bytes) -> object:
    found = parse_object(data, what="fuzz")
    for name in found:
        for call in (
            partial(get_str, found, name),
            partial(get_strings, found, name, max_count=3),
            partial(get_hashes, found, name, max_count=3),
            partial(get_int, found, name, low=0, high=9),
            partial(get_float, found, name, low=0, high=9),
        ):
            only((WireError,), call)
    return found


def _record(data: bytes) -> object:
    """As key holders take a header out of a batch: it is named and written down before it holds."""
    record = SignedRecord.from_bytes(data)
    assert SignedRecord.from_bytes(record.to_bytes()) == record
    assert len(record.hash) == 64
    return record


def _frames(data: bytes) -> object:
    frames = unpack_frames(data[1:], count=data[0] if data else 0, max_frame=1 << 20)
    assert pack_frames(frames) == data[1:]
    return frames


def _key(data: bytes) -> object:
    text = data.decode("latin-1")
    unb64(text, what="fuzz")
    return parse_public_key(text, what="fuzz")


TARGETS = (
    Target(
        "object",
        _object,
        tuple(case["canonical"].encode() for case in stored("json")["cases"])
        + tuple(case["body_text"].encode() for case in stored("records")["records"]),
    ),
    Target(
        "record",
        _record,
        (
            canonical({"type": "x", "body": "", "signature": "A" * 86}),
            *(case["record"].encode() for case in stored("records")["records"]),
        ),
    ),
    Target(
        "frames",
        _frames,
        tuple(
            bytes([len(case["frames"])]) + bytes.fromhex(case["bytes"])
            for case in stored("frames")["cases"]
        ),
    ),
    Target("key", _key, (b"A" * 43,)),
)
