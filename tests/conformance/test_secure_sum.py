"""What every scheme behind ``SecureSum`` owes: one suite, run once per scheme.

A scheme joins by adding a ``Stage`` to ``STAGES``: how to build a round of it, and how its key
holders open their parts.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from crypto.errors import SealError
from crypto.sums.interface import SecureSum
from crypto.sums.schemes import HOLDERS, THRESHOLD, Scheme
from crypto.update import NoisedUpdate, PartSum, SealedSum, SealedUpdate
from tests.conformance.stages import CONTEXT, STAGES, Stage, seal
from tests.unit.crypto.samples import SENDER, generator, noised

DIMENSION = 12
PADDED = 16


@pytest.fixture(params=STAGES, ids=str)
def stage(request: pytest.FixtureRequest) -> Stage:
    return STAGES[request.param]


@pytest.fixture
def scheme(stage: Stage) -> SecureSum:
    return stage.build(DIMENSION, CONTEXT)


def updates(count: int, *, size: int = PADDED, seed: int = 0) -> list[NoisedUpdate]:
    rng = np.random.default_rng(seed)
    return [noised(rng.integers(-3000, 3000, size)) for _ in range(count)]


def opened(
    stage: Stage, scheme: SecureSum, sealed: Sequence[SealedUpdate]
) -> tuple[SealedSum, list[PartSum]]:
    return stage.opened(scheme, sealed, dimension=DIMENSION)


def plain(items: Sequence[NoisedUpdate]) -> list[int]:
    found: list[int] = np.sum([item.values for item in items], axis=0).tolist()
    return found


def test_every_scheme_is_here() -> None:
    assert set(STAGES) == set(Scheme)


class TestExactness:
    @pytest.mark.parametrize("clients", [1, 2, 8])
    def test_is_exact(self, stage: Stage, scheme: SecureSum, clients: int) -> None:
        items = updates(clients, seed=clients)
        total, parts = opened(stage, scheme, seal(scheme, items))
        assert (total.count, total.context, total.scheme) == (clients, CONTEXT, scheme.scheme)
        found = scheme.combine(total, parts)
        assert found.dtype == np.int64
        assert found.tolist() == plain(items)

    def test_up_to_the_edge_of_its_fields(self, stage: Stage, scheme: SecureSum) -> None:
        """All schemes here hold ±(2**19 - 1) in a sum; some hold more."""
        edge = 2**19 - 1
        rows = [[edge, -edge, edge, 0] * 4, [0, 0, -edge, -edge] * 4]
        items = [noised(row) for row in rows]
        total, parts = opened(stage, scheme, seal(scheme, items))
        assert scheme.combine(total, parts).tolist() == plain(items)

    def test_any_two_key_holders_suffice_in_any_order(
        self, stage: Stage, scheme: SecureSum
    ) -> None:
        items = updates(3)
        total, parts = opened(stage, scheme, seal(scheme, items))
        for pair in combinations(parts, THRESHOLD):
            assert scheme.combine(total, pair).tolist() == plain(items)
            assert scheme.combine(total, pair[::-1]).tolist() == plain(items)

    def test_clients_that_drop_out_are_simply_not_in_it(
        self, stage: Stage, scheme: SecureSum
    ) -> None:
        items = updates(5)
        sealed = seal(scheme, items)
        total, parts = opened(stage, scheme, [sealed[1], sealed[4]])
        assert scheme.combine(total, parts).tolist() == plain([items[1], items[4]])

    def test_order_does_not_matter(self, stage: Stage, scheme: SecureSum) -> None:
        items = updates(4)
        total, parts = opened(stage, scheme, seal(scheme, items)[::-1])
        assert scheme.combine(total, parts).tolist() == plain(items)

    def test_nobody_at_all(self, scheme: SecureSum) -> None:
        with pytest.raises(SealError, match="no sealed update"):
            scheme.add([])


class TestParts:
    def test_one_key_holder_does_not_suffice(self, stage: Stage, scheme: SecureSum) -> None:
        total, parts = opened(stage, scheme, seal(scheme, updates(2)))
        for few in ([], [parts[0]], [parts[1], parts[1]], [*parts, parts[0]]):
            with pytest.raises(SealError):
                scheme.combine(total, few)

    def test_a_lone_part_says_nothing_like_the_sum(self, stage: Stage, scheme: SecureSum) -> None:
        zeros = [noised(np.zeros(PADDED)) for _ in range(2)]
        for part in opened(stage, scheme, seal(scheme, zeros))[1]:
            assert np.unique(part.values).size > PADDED

    def test_contradicting_parts_are_refused(self, stage: Stage, scheme: SecureSum) -> None:
        total, parts = opened(stage, scheme, seal(scheme, updates(2)))
        for liar in range(HOLDERS):
            for position in (0, -1):
                values = parts[liar].values.copy()
                values[position] += 1
                lying = [*parts[:liar], replace(parts[liar], values=values), *parts[liar + 1 :]]
                with pytest.raises(SealError, match="contradict"):
                    scheme.combine(total, lying)

    def test_what_can_be_no_part_is_told_from_a_false_one(
        self, stage: Stage, scheme: SecureSum
    ) -> None:
        """Only what could be a part can contradict the others; the rest counts as not sent."""
        _, parts = opened(stage, scheme, seal(scheme, updates(2)))
        for part in parts:
            scheme.check_part(part)
            scheme.check_part(replace(part, values=np.roll(part.values, 1)))
            for wrong in (
                replace(part, context="00" * 32),
                replace(part, values=part.values[:-1]),
                replace(part, values=-part.values - 1),
                replace(part, holder=4),
            ):
                with pytest.raises(SealError):
                    scheme.check_part(wrong)

    def test_a_part_of_fewer_clients_is_refused(self, stage: Stage, scheme: SecureSum) -> None:
        """One key holder opened another list than the other two."""
        sealed = seal(scheme, updates(3))
        total, parts = opened(stage, scheme, sealed)
        fewer = opened(stage, scheme, sealed[:2])[1]
        for odd in range(HOLDERS):
            with pytest.raises(SealError, match="contradict"):
                scheme.combine(total, [*parts[:odd], fewer[odd], *parts[odd + 1 :]])

    @pytest.mark.parametrize("holder", [0, 4, -1])
    def test_unknown_key_holders_are_refused(
        self, stage: Stage, scheme: SecureSum, holder: int
    ) -> None:
        total, parts = opened(stage, scheme, seal(scheme, updates(1)))
        with pytest.raises(SealError):
            scheme.combine(total, [parts[0], replace(parts[1], holder=holder)])

    def test_parts_of_another_length_or_round_are_refused(
        self, stage: Stage, scheme: SecureSum
    ) -> None:
        total, parts = opened(stage, scheme, seal(scheme, updates(1)))
        values = parts[1].values
        for other in (values[:-1], np.concatenate([values, values[:1]]), values[:0]):
            with pytest.raises(SealError):
                scheme.combine(total, [parts[0], replace(parts[1], values=other)])
        with pytest.raises(SealError, match="another round"):
            scheme.combine(total, [parts[0], replace(parts[1], context="other")])


class TestForeignBytes:
    def test_updates_of_other_rounds_and_schemes_are_refused(
        self, stage: Stage, scheme: SecureSum
    ) -> None:
        late = seal(stage.build(DIMENSION, "other"), updates(1))
        own = seal(scheme, updates(1))
        for foreign in (late[0], replace(own[0], scheme="another"), replace(own[0], context="x")):
            with pytest.raises(SealError, match="another round or scheme"):
                scheme.add([*own, foreign])
            with pytest.raises(SealError, match="another round or scheme"):
                scheme.check(foreign)

    def test_sums_of_other_rounds_and_schemes_are_refused(
        self, stage: Stage, scheme: SecureSum
    ) -> None:
        total, parts = opened(stage, scheme, seal(scheme, updates(2)))
        for foreign in (replace(total, scheme="another"), replace(total, context="x")):
            with pytest.raises(SealError, match="another round or scheme"):
                scheme.combine(foreign, parts)

    @pytest.mark.parametrize("size", [8, 15, 32])
    def test_updates_of_another_length_are_refused(self, scheme: SecureSum, size: int) -> None:
        with pytest.raises(SealError, match="another length"):
            seal(scheme, updates(1, size=size))

    def test_updates_of_a_longer_round_are_refused(self, stage: Stage, scheme: SecureSum) -> None:
        longer = seal(stage.build(70_000, CONTEXT), [noised(np.zeros(1 << 17))])
        with pytest.raises(SealError):
            scheme.check(longer[0])
        with pytest.raises(SealError):
            scheme.add(longer)

    def test_shares_in_other_numbers_or_lengths_are_refused(self, scheme: SecureSum) -> None:
        good = seal(scheme, updates(2))
        shares = good[1].shares
        for broken in (
            (),
            shares[:-1],
            (*shares, shares[0]),
            (shares[0][:-1], *shares[1:]),
            (shares[0] + b"\x00", *shares[1:]),
            (*shares[:2], b""),
        ):
            _refused(scheme, good[0], replace(good[1], shares=broken))
        scheme.check(good[1])

    def test_bodies_and_commitments_of_another_length_are_refused(self, scheme: SecureSum) -> None:
        good = seal(scheme, updates(2))
        body, commitments = good[1].body, good[1].commitments
        longer = [{"body": body + b"\x00"}, {"commitments": (*commitments, "ab" * 32)}]
        shorter = [{"body": body[:-1]}, {"commitments": commitments[:-1]}]
        for change in longer + (shorter if commitments else []):
            changed = replace(good[1], **change)  # type: ignore[arg-type]
            if changed != good[1]:
                _refused(scheme, good[0], changed)

    @pytest.mark.parametrize("byte", [b"\x00", b"\xff"])
    @pytest.mark.parametrize("holder", [1, 2, 3])
    def test_shares_of_other_bytes_are_refused_by_whoever_sees_them(
        self, stage: Stage, scheme: SecureSum, holder: int, byte: bytes
    ) -> None:
        """The coordinator where it adds them, else the key holder that opens them."""
        good = seal(scheme, updates(2))
        shares = list(good[1].shares)
        shares[holder - 1] = byte * len(shares[holder - 1])
        broken = replace(good[1], shares=tuple(shares))
        if not stage.envelopes:
            _refused(scheme, good[0], broken)
            return
        total = scheme.add([good[0], broken])
        with pytest.raises(SealError):
            stage.open(total, [good[0], broken], holder, DIMENSION)


class TestWhatBytesTell:
    def test_lengths_depend_on_the_plan_alone(self, stage: Stage) -> None:
        one_item = np.zeros(512)
        one_item[7] = 1
        many = np.random.default_rng(3).integers(-500_000, 500_000, 512)
        scheme = stage.build(512, CONTEXT)
        sealed = seal(scheme, [noised(one_item), noised(many), noised(np.zeros(512))])
        assert len({lengths(update) for update in sealed}) == 1
        assert len({lengths(scheme.add(sealed[:k])) for k in (1, 2, 3)}) == 1

    def test_sealing_twice_gives_unrelated_bytes(self, scheme: SecureSum) -> None:
        update = updates(1)[0]
        rng = generator("twice")
        one, other = (scheme.seal(update, sender=SENDER, rng=rng) for _ in range(2))
        parts = zip((*one.shares, one.body), (*other.shares, other.body), strict=True)
        assert all(a != b for a, b in parts if a)
        assert not set(one.commitments) & set(other.commitments)

    def test_an_update_is_not_in_its_bytes(self, scheme: SecureSum) -> None:
        values = np.arange(PADDED) + 70_000
        sealed = seal(scheme, [noised(values)])[0]
        words = [values.astype(kind).tobytes() for kind in ("<i8", "<i4", ">i4")]
        for part in (*sealed.shares, sealed.body):
            assert not any(word[:16] in part for word in words)


def lengths(sealed: SealedUpdate | SealedSum) -> tuple[int, ...]:
    return len(sealed.body), *map(len, sealed.shares)


def _refused(scheme: SecureSum, good: SealedUpdate, broken: SealedUpdate) -> None:
    """Alone, after a good one, and when it is only looked at."""
    for batch in ([broken], [good, broken]):
        with pytest.raises(SealError):
            scheme.add(batch)
    with pytest.raises(SealError):
        scheme.check(broken)
