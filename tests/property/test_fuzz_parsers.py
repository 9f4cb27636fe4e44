"""Every parser that is fuzzed, a little each time: mutated and random bytes, and no new errors.

``tests/property/test_crypto_parsing.py`` changes messages field by field; here whole bundles of
them, and sealed bytes, are broken wherever chance will.
"""

import json
from importlib import import_module
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import WireError
from crypto.wire import SignedRecord, unpack_frames
from tests.fuzz.families import FAMILIES, module
from tests.fuzz.mutation import mutated
from tests.fuzz.target import Target
from tests.vectors.stored import stored

TARGETS = [
    pytest.param(target, id=f"{family}-{target.name}")
    for family in FAMILIES
    for target in import_module(module(family)).TARGETS
]
SEEDS = st.integers(0, 2**32)


@pytest.mark.parametrize("target", TARGETS)
def test_mutated_bytes(target: Target) -> None:
    @settings(max_examples=80, deadline=None, derandomize=True, database=None)
    @given(st.sampled_from((*target.seeds, *target.hostile)), SEEDS)
    def check(seed: bytes, number: int) -> None:
        target.run(mutated(seed, Random(number)))

    check()


@pytest.mark.parametrize("target", TARGETS)
def test_random_bytes(target: Target) -> None:
    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda data: b"FRS1" + data))
    def check(data: bytes) -> None:
        target.run(data)

    check()


@pytest.mark.parametrize("target", TARGETS)
def test_every_cut_of_good_bytes(target: Target) -> None:
    """Cut at every place, or at 300 of them, and continued by one byte."""
    for seed in target.seeds:
        step = max(1, len(seed) // 300)
        for length in range(0, len(seed), step):
            target.run(seed[:length])
        target.run(seed + b"\x00")


class TestTheMutations:
    """The controls: what stands behind the tests above is not idle."""

    def test_a_flawed_parser_is_caught(self) -> None:
        (target,) = import_module(module("unchecked")).TARGETS

        def check() -> None:
            for number in range(3000):
                target.run(mutated(target.seeds[number % len(target.seeds)], Random(number)))

        with pytest.raises(IndexError):
            check()

    def test_most_change_something_and_most_stay_json(self) -> None:
        text = stored("records")["records"][3]["record"].encode()
        made = [mutated(text, Random(number)) for number in range(1000)]
        assert sum(data != text for data in made) > 900
        assert sum(_is_json(data) for data in made) > 600

    def test_they_reach_inside_frames_and_records(self) -> None:
        (case,) = [c for c in stored("frames")["cases"] if len(c["frames"]) == 3]
        frames = bytes.fromhex(case["bytes"])
        kept = [data for n in range(500) if _frames(data := mutated(frames, Random(n))) is not None]
        assert 250 < len(kept) < 500
        assert len(set(kept)) > 100
        record = stored("records")["records"][3]["record"].encode()
        bodies = {
            found.body
            for number in range(2000)
            if (found := _record(mutated(record, Random(number)))) is not None
        }
        assert sum(_is_json(body) for body in bodies) > 20

    def test_the_same_number_makes_the_same_bytes(self) -> None:
        assert mutated(b'{"a":[1,2]}', Random(5)) == mutated(b'{"a":[1,2]}', Random(5))


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def _frames(data: bytes) -> list[bytes] | None:
    try:
        count = int.from_bytes(data[4:8], "little")
        return unpack_frames(data, count=min(count, 1000), max_frame=10_000)
    except WireError:
        return None


def _record(data: bytes) -> SignedRecord | None:
    try:
        return SignedRecord.from_bytes(data)
    except WireError:
        return None
