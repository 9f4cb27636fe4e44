"""Mutations that know what messages are made of: frames, JSON inside, values inside that.

Flipped bytes alone rarely stay JSON; a parser's deeper checks are reached by odd values in the
right places. Used by the fuzzing runs and by the property tests.
"""

import json
from random import Random
from typing import Any

from crypto.errors import WireError
from crypto.wire import b64, pack_frames, unb64, unpack_frames

_ODD: tuple[Any, ...] = (
    *(None, True, False, [], {}, [[]], {"": {}}, [None], "", "a"),
    *(0, 1, -1, 2, 3, 4, 2**31, 2**53, 2**53 + 1, 2**63, 2**64, -(2**63), 10**30, 10**400),
    *(0.0, -0.0, 0.5, 1.0, 1e-320, 1e300, 1.7976931348623157e308),
    *("\x00", "a\x00b", "\ud800", "é", "😀", "../x", "x" * 257, "0" * 64, "A" * 43, "F" * 64),
    *("share-sum", "piece-sum", "compact-sum", "set-b", "hidden-poisson", "key-holder", "client"),
    *("00000000", "00000001", "99999999", "000000000000", "९" * 8),
)


def mutated(data: bytes, rng: Random) -> bytes:
    """Other bytes, mostly of the same structure."""
    if rng.random() < 0.2:
        return of_bytes(data, rng)
    for structured in (_of_frames, _of_json):
        found = structured(data, rng)
        if found is not None:
            return found
    return of_bytes(data, rng)


def of_bytes(data: bytes, rng: Random) -> bytes:
    """Flipped, cut, doubled, moved or new bytes; at times none or many."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        start = rng.randrange(len(changed) + 1)
        stop = min(len(changed), start + rng.choice((1, 1, 2, 4, 8, 64, 1024)))
        kind = rng.randrange(6)
        if kind == 0:
            changed[start:stop] = rng.randbytes(stop - start)
        elif kind == 1:
            del changed[start:stop]
        elif kind == 2:
            changed[start:start] = changed[start:stop] or b"\x00"
        elif kind == 3:
            changed[start:start] = rng.choice((b"\x00", b"\xff", b'"', b"{", b"FRS1"))
        elif kind == 4 and start < len(changed):
            changed[start] ^= 1 << rng.randrange(8)
        else:
            changed[start:stop] = rng.choice((bytes(stop - start), b"\xff" * (stop - start)))
    return bytes(changed)


def _of_frames(data: bytes, rng: Random) -> bytes | None:
    try:
        count = int.from_bytes(data[4:8], "little")
        frames = unpack_frames(data, count=min(count, 1000), max_frame=len(data))
    except WireError:
        return None
    if not frames:
        return None
    position = rng.randrange(len(frames))
    kind = rng.randrange(6)
    if kind == 0:
        del frames[position]
    elif kind == 1:
        frames.insert(position, rng.choice(frames))
    elif kind == 2:
        other = rng.randrange(len(frames))
        frames[position], frames[other] = frames[other], frames[position]
    else:
        frames[position] = mutated(frames[position], rng)
    return pack_frames(frames)


def _of_json(data: bytes, rng: Random) -> bytes | None:
    try:
        value = json.loads(data.decode())
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict | list):
        return None
    for _ in range(rng.choice((1, 1, 2))):
        value = _value(value, rng)
    text = json.dumps(value, separators=(",", ":"), sort_keys=rng.random() < 0.9)
    return text.encode()


def _value(value: Any, rng: Random) -> Any:
    """The value with one place in it changed, or replaced as a whole."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        return _member(dict(value), rng.choice(sorted(value)), rng)
    if isinstance(value, list) and value and rng.random() < 0.9:
        return _item(list(value), rng.randrange(len(value)), rng)
    if isinstance(value, str) and rng.random() < 0.5:
        return _text(value, rng)
    if isinstance(value, int) and rng.random() < 0.5:
        return value + rng.choice((-1, 1, -value, value))
    return rng.choice(_ODD)


def _member(changed: dict[str, Any], name: str, rng: Random) -> dict[str, Any]:
    kind = rng.randrange(8)
    if kind == 0:
        del changed[name]
    elif kind == 1:
        changed[rng.choice(("extra", "", "\x00", "\ud800", name + "_"))] = changed[name]
    else:
        changed[name] = _value(changed[name], rng)
    return changed


def _item(changed: list[Any], position: int, rng: Random) -> list[Any]:
    kind = rng.randrange(8)
    if kind == 0:
        del changed[position]
    elif kind == 1:
        changed.insert(position, rng.choice(changed))
    elif kind == 2:
        rng.shuffle(changed)
    elif kind == 3:
        changed *= rng.choice((2, 100))
    else:
        changed[position] = _value(changed[position], rng)
    return changed


def _text(text: str, rng: Random) -> str:
    """Text with a character changed; base64url is opened at times and changed inside."""
    if len(text) > 20 and rng.random() < 0.5:
        try:
            return b64(mutated(unb64(text, what="text"), rng))
        except WireError:
            pass  # no base64url
    position = rng.randrange(len(text) + 1)
    odd = rng.choice(("\x00", "\ud800", "é", "=", "-", "A", "0", " ", ""))
    return text[:position] + odd + text[position + rng.randrange(2) :]
