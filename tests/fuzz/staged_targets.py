"""A control: a parser that falls over three bytes which chance alone would take 2**24 tries.

Coverage leads there a byte at a time; that the runner finds them soon shows that it is guided.
"""

from tests.fuzz.target import Target


def _staged(data: bytes) -> object:
    if data[:1] != b"\xd3":
        return 0
    if data[1:2] != b"\x5a":
        return 1
    if data[2:3] != b"\x91":
        return 2
    raise KeyError("found")


TARGETS = (Target("staged", _staged, (bytes(3),)),)
