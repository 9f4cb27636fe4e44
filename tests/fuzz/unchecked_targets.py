"""A control: a reader of frames that forgot one check. The runner has to find it."""

from tests.fuzz.target import Target
from tests.vectors.stored import stored


def _frames(data: bytes) -> object:
    """Trusts the count, and that a length stands where it should."""
    if data[:4] != b"FRS1":
        return None
    frames, position = [], 8
    for _ in range(min(data[4], 40) if len(data) > 4 else 0):
        size = data[position]  # the flaw: there may be nothing here
        frames.append(data[position + 8 : position + 8 + size])
        position += 8 + size
    return frames


_FRAMED = tuple(bytes.fromhex(case["bytes"]) for case in stored("frames")["cases"])
TARGETS = (Target("unchecked", _frames, _FRAMED),)
