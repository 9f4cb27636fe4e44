"""Piece sum: exact sums from any two key holders, and every refusal of both layered schemes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from crypto.dp.widths import FieldLayout
from crypto.errors import SealError
from crypto.sums.compact_sum.scheme import CompactSum
from crypto.sums.interface import SecureSum
from crypto.sums.pieces.envelope import RoundPublicKey
from crypto.sums.pieces.open import CommitmentError
from crypto.sums.pieces.scheme import PieceSum
from crypto.sums.pieces.split import held
from crypto.sums.schemes import Scheme
from crypto.update import PartSum, SealedSum
from tests.unit.crypto.samples import generator, noised
from tests.unit.crypto.sums.pieced import (
    ALL,
    COMPACT_A,
    COMPACT_B,
    CONTEXT,
    HASHES,
    PAIRS,
    PIECE_A,
    PIECE_B,
    SENDER,
    compact_sum,
    keys,
    opened,
    part,
    piece_sum,
    sealed,
    summed,
)

ROWS = np.random.default_rng(8).integers(-500, 501, (4, 16))
BOTH: list[PieceSum | CompactSum] = [piece_sum(16), compact_sum(16)]
NAMES = ["piece", "compact"]


@pytest.mark.parametrize("holders", ALL)
@pytest.mark.parametrize("layout", [PIECE_A, PIECE_B])
def test_exact(layout: FieldLayout, holders: tuple[int, ...]) -> None:
    limit = layout.limit // 30
    rows = np.random.default_rng(1).integers(-limit, limit + 1, (30, 128))
    rows[:, 0], rows[:, -1] = limit, -limit
    scheme = piece_sum(100, layout)
    updates = sealed(scheme, rows, "exact")
    assert summed(scheme, updates, holders).tolist() == rows.sum(axis=0).tolist()


def test_the_interface() -> None:
    schemes: list[SecureSum] = [*BOTH]
    assert [scheme.scheme for scheme in schemes] == [Scheme.PIECE_SUM, Scheme.COMPACT_SUM]


@pytest.mark.parametrize("layout", [PIECE_A, PIECE_B])
def test_four_bytes_a_coefficient_to_each_of_two(layout: FieldLayout) -> None:
    scheme = piece_sum(4096, layout)
    update = scheme.seal(noised(np.zeros(4096)), sender=SENDER, rng=generator())
    body = 4 * 4096 // layout.fields
    assert [len(share) for share in update.shares] == [1136 + 64 + body] * 2 + [1136 + 64]
    assert (scheme.piece_length, update.body) == (4096 // layout.fields, b"")
    full = noised(np.full(4096, layout.limit))
    again = scheme.seal(full, sender=SENDER, rng=generator())
    assert [*map(len, again.shares)] == [*map(len, update.shares)]


def test_a_layout_with_guard_bits() -> None:
    with pytest.raises(SealError, match="another's"):
        piece_sum(16, COMPACT_A)


def test_two_part_sums_of_piece_sum_cannot_show_every_lie() -> None:
    """As its docstring says: the piece that one of the two alone holds is taken as told."""
    scheme = BOTH[0]
    updates = sealed(scheme, ROWS, "lie")
    first, second, third = (part(updates, holder, 16) for holder in (1, 2, 3))
    lie = first.values.copy()
    lie[0] = (lie[0] + 1) % 2**32  # holder 1's piece 2, which holder 2 lacks
    lying = replace(first, values=lie)
    total = scheme.add(updates)
    wrong = scheme.combine(total, [lying, second])
    assert (wrong - ROWS.sum(axis=0)).tolist() == [1] + [0] * 15
    for honest in ([lying, third], [lying, second, third]):
        with pytest.raises(SealError, match="contradict each other"):
            scheme.combine(total, honest)


@pytest.mark.parametrize("scheme", BOTH, ids=NAMES)
class TestRefusals:
    def test_keys(self, scheme: Any) -> None:
        layout = PIECE_A if isinstance(scheme, PieceSum) else COMPACT_A

        def made(*chosen: RoundPublicKey) -> None:
            type(scheme)(context=CONTEXT, dimension=16, layout=layout, keys=chosen)

        made(*keys())
        for count in (0, 2):
            with pytest.raises(SealError, match="3 key holders"):
                made(*keys()[:count])
        with pytest.raises(SealError, match="3 key holders"):
            made(*keys(), keys()[0])
        with pytest.raises(SealError, match="same key"):
            made(keys()[0], keys()[1], RoundPublicKey(keys()[0].raw, HASHES[2]))
        with pytest.raises(SealError, match="same key"):
            made(keys()[0], keys()[1], RoundPublicKey(keys()[2].raw, HASHES[1]))

    @pytest.mark.parametrize("size", [1, 15, 17, 32])
    def test_vectors_of_another_length(self, scheme: Any, size: int) -> None:
        with pytest.raises(SealError, match="length"):
            scheme.seal(noised(np.zeros(size)), sender=SENDER, rng=generator())

    def test_values_that_do_not_fit(self, scheme: Any) -> None:
        with pytest.raises(ValueError, match="field"):
            scheme.seal(noised(np.full(16, 2**31)), sender=SENDER, rng=generator())

    def test_senders_of_another_length(self, scheme: Any) -> None:
        with pytest.raises(SealError, match="32 raw bytes"):
            scheme.seal(noised(ROWS[0]), sender=SENDER[:-1], rng=generator())

    def test_sealed_updates(self, scheme: Any) -> None:
        good = sealed(scheme, ROWS[:1], "refusals")[0]
        scheme.check(good)
        one, two, three = good.shares
        bad: list[dict[str, Any]] = [
            {"scheme": "share-sum"},
            {"context": CONTEXT[::-1]},
            {"shares": ()},
            {"shares": (one, two)},
            {"shares": (*good.shares, three)},
            {"shares": (one[:-1], two, three)},
            {"shares": (one, two + b"\x00", three)},
            {"shares": (three, two, one)},
            {"body": good.body + bytes(4)},
            {"body": good.body[:-1] if good.body else b"\x00"},
            {"commitments": ()},
            {"commitments": good.commitments[:2]},
            {"commitments": (*good.commitments, "44" * 32)},
            {"commitments": (good.commitments[0],) * 3},
            {"commitments": ("", *good.commitments[1:])},
            {"commitments": (good.commitments[0].upper(), *good.commitments[1:])},
            {"commitments": ("zz" * 32, *good.commitments[1:])},
        ]
        for change in bad:
            update = replace(good, **change)
            with pytest.raises(SealError):
                scheme.check(update)
            with pytest.raises(SealError):
                scheme.add([good, update])

    def test_nothing_to_add(self, scheme: Any) -> None:
        with pytest.raises(SealError, match="no sealed update"):
            scheme.add(iter([]))

    def test_sums(self, scheme: Any) -> None:
        updates = sealed(scheme, ROWS, "sums")
        total: SealedSum = scheme.add(updates)
        parts = [part(updates, holder, scheme.piece_length) for holder in (1, 2)]
        assert (total.count, total.shares) == (4, ())
        assert len(total.body) == len(updates[0].body)
        scheme.combine(total, parts)
        bad: list[dict[str, Any]] = [
            {"scheme": "share-sum"},
            {"context": CONTEXT[::-1]},
            {"count": 0},
            {"shares": (b"",)},
            {"body": total.body + bytes(4)},
        ]
        for change in bad:
            with pytest.raises(SealError, match="sealed sum"):
                scheme.combine(replace(total, **change), parts)

    def test_part_sums(self, scheme: Any) -> None:
        updates = sealed(scheme, ROWS, "parts")
        total = scheme.add(updates)
        one, two = (part(updates, holder, scheme.piece_length) for holder in (1, 2))
        for parts in ([], [one], [one, one], [one, two, one]):
            with pytest.raises(SealError, match="different holders"):
                scheme.combine(total, parts)

        def changed(position: int, value: int) -> PartSum:
            values = two.values.copy()
            values[position] = value
            return replace(two, values=values)

        bad = [
            replace(two, context=CONTEXT[::-1]),
            replace(two, holder=0),
            replace(two, holder=4),
            replace(two, values=two.values[:-1]),
            replace(two, values=np.append(two.values, 0)),
            replace(two, values=two.values.reshape(2, -1)),
            replace(two, values=two.values.astype(np.float64)),
            changed(3, -1),
            changed(-1, 2**32),
        ]
        for wrong in bad:
            with pytest.raises(SealError, match="part sum"):
                scheme.combine(total, [one, wrong])

    @pytest.mark.parametrize("pair", PAIRS)
    def test_part_sums_that_contradict_each_other(self, scheme: Any, pair: tuple[int, int]) -> None:
        updates = sealed(scheme, ROWS, "contradict")
        total, length = scheme.add(updates), scheme.piece_length
        first, second = (part(updates, holder, length) for holder in pair)
        shared = 6 - sum(pair)  # both hold the piece of the third key holder's number
        start = length * held(pair[1]).index(shared)
        values = second.values.copy()
        values[start] = (values[start] + 1) % 2**32
        with pytest.raises(SealError, match="contradict each other"):
            scheme.combine(total, [first, replace(second, values=values)])

    def test_a_part_sum_over_another_list(self, scheme: Any) -> None:
        updates = sealed(scheme, ROWS, "list")
        length = scheme.piece_length
        parts = [part(updates, 1, length), part(updates[1:], 2, length)]
        with pytest.raises(SealError, match="contradict each other"):
            scheme.combine(scheme.add(updates), parts)

    def test_an_envelope_under_another_sender(self, scheme: Any) -> None:
        update = sealed(scheme, ROWS[:1], "sender")[0]
        for holder in (1, 2, 3):
            with pytest.raises(SealError, match="does not open"):
                opened(update, holder, scheme.piece_length, sender=SENDER[::-1])

    def test_envelopes_of_another_upload(self, scheme: Any) -> None:
        """The same sender's envelope of another upload opens, and breaks its commitments."""
        one, other = sealed(scheme, ROWS[:2], "swap")
        mixed = replace(one, shares=other.shares)
        for holder in (1, 2, 3):
            with pytest.raises(CommitmentError):
                opened(mixed, holder, scheme.piece_length)


def test_layouts_for_both_fields_agree_on_length() -> None:
    assert piece_sum(4096, PIECE_B).piece_length == compact_sum(4096, COMPACT_B).piece_length
