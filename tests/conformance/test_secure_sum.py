"""What every scheme behind ``SecureSum`` owes: one suite, run once per scheme.

A scheme joins by adding a ``Stage`` to ``STAGES``: how to build a round of it, and how its key
holders open their parts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pytest

from crypto.errors import SealError
from crypto.sums.interface import HOLDERS, THRESHOLD, Scheme, SecureSum
from crypto.update import NoisedUpdate, PartSum, SealedSum, SealedUpdate
from tests.unit.crypto.samples import SENDER, generator, noised, opening_keys, share_sum

CONTEXT = "c0ffee"
DIMENSION = 12
PADDED = 16


@dataclass(frozen=True)
class Stage:
    """One round of a scheme with its key holders."""

    build: Callable[[int, str], SecureSum]
    open: Callable[[SealedSum, int, int], PartSum]

    def parts(self, total: SealedSum, dimension: int = DIMENSION) -> list[PartSum]:
        return [self.open(total, holder, dimension) for holder in range(1, HOLDERS + 1)]


def _open_share(total: SealedSum, holder: int, dimension: int) -> PartSum:
    return opening_keys()[holder - 1].open_share(
        total.shares[holder - 1], holder=holder, context=total.context, dimension=dimension
    )


STAGES = {
    Scheme.SHARE_SUM: Stage(
        build=lambda dimension, context: share_sum(dimension, context=context), open=_open_share
    ),
}


@pytest.fixture(params=STAGES, ids=str)
def stage(request: pytest.FixtureRequest) -> Stage:
    return STAGES[request.param]


def updates(count: int, *, size: int = PADDED, seed: int = 0) -> list[NoisedUpdate]:
    rng = np.random.default_rng(seed)
    return [noised(rng.integers(-3000, 3000, size)) for _ in range(count)]


def seal(scheme: SecureSum, items: Sequence[NoisedUpdate]) -> list[SealedUpdate]:
    rng = generator("conformance")
    return [scheme.seal(item, sender=SENDER, rng=rng) for item in items]


def test_every_scheme_is_here() -> None:
    assert set(STAGES) == set(Scheme)


class TestSecureSum:
    @pytest.mark.parametrize("clients", [1, 2, 9])
    def test_is_exact(self, stage: Stage, clients: int) -> None:
        items = updates(clients, seed=clients)
        scheme = stage.build(DIMENSION, CONTEXT)
        total = scheme.add(seal(scheme, items))
        assert (total.count, total.context, total.scheme) == (clients, CONTEXT, scheme.scheme)
        expected = np.sum([item.values for item in items], axis=0)
        found = scheme.combine(stage.parts(total))
        assert found.dtype == np.int64
        assert found.tolist() == expected.tolist()

    def test_any_two_key_holders_suffice_in_any_order(self, stage: Stage) -> None:
        items = updates(3)
        scheme = stage.build(DIMENSION, CONTEXT)
        parts = stage.parts(scheme.add(seal(scheme, items)))
        expected = np.sum([item.values for item in items], axis=0).tolist()
        for pair in combinations(parts, THRESHOLD):
            assert scheme.combine(pair).tolist() == expected
            assert scheme.combine(pair[::-1]).tolist() == expected

    def test_one_key_holder_does_not(self, stage: Stage) -> None:
        scheme = stage.build(DIMENSION, CONTEXT)
        parts = stage.parts(scheme.add(seal(scheme, updates(2))))
        for few in ([], [parts[0]], [parts[1], parts[1]], [*parts, parts[0]]):
            with pytest.raises(SealError):
                scheme.combine(few)

    def test_a_lone_part_says_nothing_like_the_sum(self, stage: Stage) -> None:
        scheme = stage.build(DIMENSION, CONTEXT)
        zeros = [noised(np.zeros(PADDED)) for _ in range(2)]
        for part in stage.parts(scheme.add(seal(scheme, zeros))):
            assert np.unique(part.values).size > PADDED

    def test_clients_that_drop_out_are_simply_not_in_it(self, stage: Stage) -> None:
        items = updates(5)
        scheme = stage.build(DIMENSION, CONTEXT)
        sealed = seal(scheme, items)
        kept = [1, 4]
        total = scheme.add(sealed[k] for k in kept)
        expected = items[1].values + items[4].values
        assert scheme.combine(stage.parts(total)).tolist() == expected.tolist()

    def test_nobody_at_all(self, stage: Stage) -> None:
        with pytest.raises(SealError, match="no sealed update"):
            stage.build(DIMENSION, CONTEXT).add([])

    def test_contradicting_parts_are_refused(self, stage: Stage) -> None:
        scheme = stage.build(DIMENSION, CONTEXT)
        parts = stage.parts(scheme.add(seal(scheme, updates(2))))
        for liar in range(HOLDERS):
            for position in (0, -1):
                values = parts[liar].values.copy()
                values[position] += 1
                lying = [*parts[:liar], replace(parts[liar], values=values), *parts[liar + 1 :]]
                with pytest.raises(SealError, match="contradict"):
                    scheme.combine(lying)

    def test_other_rounds_and_schemes_are_refused(self, stage: Stage) -> None:
        scheme, other = stage.build(DIMENSION, CONTEXT), stage.build(DIMENSION, "other")
        late = seal(other, updates(1))
        own = seal(scheme, updates(1))
        for foreign in (late[0], replace(own[0], scheme="another"), replace(own[0], context="x")):
            with pytest.raises(SealError, match="another round or scheme"):
                scheme.add([*own, foreign])
            with pytest.raises(SealError, match="another round or scheme"):
                scheme.check(foreign)
        parts = stage.parts(scheme.add(own))
        with pytest.raises(SealError, match="another round"):
            scheme.combine([parts[0], replace(parts[1], context="other")])

    @pytest.mark.parametrize("holder", [0, 4, -1])
    def test_unknown_key_holders_are_refused(self, stage: Stage, holder: int) -> None:
        scheme = stage.build(DIMENSION, CONTEXT)
        parts = stage.parts(scheme.add(seal(scheme, updates(1))))
        with pytest.raises(SealError):
            scheme.combine([parts[0], replace(parts[1], holder=holder)])

    def test_parts_of_another_length_are_refused(self, stage: Stage) -> None:
        scheme = stage.build(DIMENSION, CONTEXT)
        parts = stage.parts(scheme.add(seal(scheme, updates(1))))
        with pytest.raises(SealError):
            scheme.combine([parts[0], replace(parts[1], values=parts[1].values[:-1])])

    @pytest.mark.parametrize("size", [8, 15, 32])
    def test_updates_of_another_length_are_refused(self, stage: Stage, size: int) -> None:
        with pytest.raises(SealError, match="another length"):
            seal(stage.build(DIMENSION, CONTEXT), updates(1, size=size))

    def test_lengths_depend_on_the_plan_alone(self, stage: Stage) -> None:
        one_item = np.zeros(512)
        one_item[7] = 1
        many = np.random.default_rng(3).integers(-500_000, 500_000, 512)
        scheme = stage.build(512, CONTEXT)
        sealed = seal(scheme, [noised(one_item), noised(many), noised(np.zeros(512))])
        lengths = {tuple(map(len, update.shares)) for update in sealed}
        assert len(lengths) == 1
        assert {tuple(map(len, scheme.add(sealed[:k]).shares)) for k in (1, 2, 3)} == lengths

    def test_sealing_twice_gives_unrelated_bytes(self, stage: Stage) -> None:
        scheme = stage.build(DIMENSION, CONTEXT)
        update = updates(1)[0]
        rng = generator("twice")
        one, other = (
            scheme.seal(update, sender=SENDER, rng=rng),
            scheme.seal(update, sender=SENDER, rng=rng),
        )
        assert all(a != b for a, b in zip(one.shares, other.shares, strict=True))

    def test_shares_in_other_numbers_lengths_or_bytes_are_refused(self, stage: Stage) -> None:
        scheme = stage.build(DIMENSION, CONTEXT)
        good = seal(scheme, updates(2))
        shares = good[1].shares
        bad = [
            (),
            shares[:-1],
            (*shares, shares[0]),
            (shares[0][:-1], *shares[1:]),
            (shares[0] + b"\x00", *shares[1:]),
            (b"", *shares[1:]),
            (bytes(len(shares[0])), *shares[1:]),
            (b"\xff" * len(shares[0]), *shares[1:]),
        ]
        for broken in bad:
            for batch in (
                [replace(good[1], shares=broken)],
                [good[0], replace(good[1], shares=broken)],
            ):
                with pytest.raises(SealError):
                    scheme.add(batch)
            with pytest.raises(SealError):
                scheme.check(replace(good[1], shares=broken))
        scheme.check(good[1])
