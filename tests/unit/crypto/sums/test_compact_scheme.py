"""Compact sum: exact sums, lengths, bounds, and what a lie about pieces or bodies comes to."""

import math
import time
import tracemalloc
from dataclasses import replace

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import chisquare

from crypto.dp.gaussian import DiscreteGaussian
from crypto.dp.random import SecureRandom
from crypto.dp.widths import FieldLayout, NoiseSet, layout_of
from crypto.errors import SealError
from crypto.sums.compact_sum import scheme as module
from crypto.sums.compact_sum.mask import multipliers
from crypto.sums.compact_sum.parameters import (
    MAX_CONTRIBUTORS,
    blocks,
    body_bytes,
    overflow_probability,
)
from crypto.sums.compact_sum.ring import Factor
from crypto.sums.compact_sum.scheme import CompactSum
from crypto.sums.pieces.split import expand
from crypto.sums.schemes import Scheme
from crypto.update import SealedUpdate
from tests.unit.crypto.samples import generator, noised
from tests.unit.crypto.sums.big_ring import DEGREE, product
from tests.unit.crypto.sums.pieced import (
    ALL,
    COMPACT_A,
    COMPACT_A_MOST,
    COMPACT_A_THOUSAND,
    COMPACT_B,
    PAIRS,
    PIECE_A,
    SENDER,
    compact_sum,
    opened,
    part,
    sealed,
    summed,
)

LAYOUTS = [
    COMPACT_A,
    COMPACT_A_THOUSAND,
    COMPACT_A_MOST,
    COMPACT_B,
    FieldLayout(fields=2, field_bits=9, guard_bits=14),
]


class TestExactness:
    @pytest.mark.parametrize("holders", ALL)
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_thirty_clients(self, layout: FieldLayout, holders: tuple[int, ...]) -> None:
        limit = layout.limit // 30
        rows = np.random.default_rng(3).integers(-limit, limit + 1, (30, 4096))
        rows[:, 0], rows[:, -1], rows[:, 2048] = limit, -limit, -limit
        scheme = compact_sum(3000, layout)
        updates = sealed(scheme, rows, "thirty")
        assert np.array_equal(summed(scheme, updates, holders), rows.sum(axis=0))

    @pytest.mark.parametrize("dimension", [1, 2, 2048, 2049, 140_000])
    @pytest.mark.parametrize("layout", [COMPACT_A, COMPACT_B])
    def test_lengths(self, layout: FieldLayout, dimension: int) -> None:
        padded = max(2, 1 << (dimension - 1).bit_length())
        rows = np.random.default_rng(dimension).integers(-100, 101, (3, padded))
        scheme = compact_sum(dimension, layout)
        updates = sealed(scheme, rows, "lengths")
        assert np.array_equal(summed(scheme, updates, (1, 3)), rows.sum(axis=0))

    def test_a_thousand_clients_of_ten_thousand_values(self) -> None:
        """Every one is sealed and opened by itself: errors are as independent as they claim."""
        scheme = compact_sum(10_000, COMPACT_A_THOUSAND)
        values = np.random.default_rng(9)
        rng, rows = generator("thousand"), np.zeros(16_384, dtype=np.int64)
        updates = []
        for _ in range(1000):
            row = values.integers(-500, 501, 16_384)
            rows += row
            updates.append(scheme.seal(noised(row), sender=SENDER, rng=rng))
        assert np.array_equal(summed(scheme, updates, (2, 3)), rows)

    def test_dropouts_before_the_list_is_frozen(self) -> None:
        rows = np.random.default_rng(4).integers(-9, 10, (6, 64))
        scheme = compact_sum(64)
        updates = sealed(scheme, rows, "dropouts")
        kept = [0, 2, 5]
        found = summed(scheme, [updates[k] for k in kept], (1, 2))
        assert np.array_equal(found, rows[kept].sum(axis=0))


class TestOneUpload:
    def test_the_body_by_hand(self) -> None:
        """body - a·s - 2**G · m, in big integers, is an error of σ = 8 and nothing else."""
        scheme = compact_sum(4096)
        values = np.random.default_rng(6).integers(-(2**20) + 1, 2**20, 4096)
        update = scheme.seal(noised(values), sender=SENDER, rng=generator("by hand"))
        words = opened(update, 1, DEGREE).expanded(DEGREE).reshape(2, DEGREE)
        first = opened(update, 2, DEGREE).expanded(DEGREE)[:DEGREE]
        secret = (first + words[0] + words[1]).view(np.int32)
        assert np.abs(secret).max() < 60
        assert abs(np.mean(secret.astype(float) ** 2) - 64) < 5 * 64 * math.sqrt(2 / DEGREE)
        body = np.frombuffer(update.body, "<u4")
        public = multipliers(scheme._context, 0, 2)
        errors = []
        for block in range(2):
            mask = product(public[block].tolist(), secret.tolist())
            for k in range(DEGREE):
                position = block * DEGREE + k
                error = (int(body[position]) - mask[k] - (int(values[position]) << 11)) % 2**32
                errors.append((error + 2**31) % 2**32 - 2**31)
        assert max(map(abs, errors)) < 60
        assert abs(np.mean(np.square(errors)) - 64) < 5 * 64 * math.sqrt(2 / 4096)
        assert abs(np.mean(errors)) < 5 * 8 / math.sqrt(4096)

    @pytest.mark.parametrize("value", [0, 2**20 - 1])
    def test_bodies_are_uniform(self, value: int) -> None:
        scheme = compact_sum(16_384)
        update = scheme.seal(noised(np.full(16_384, value)), sender=SENDER, rng=generator("body"))
        counts = np.bincount(np.frombuffer(update.body, np.uint8), minlength=256)
        assert chisquare(counts).pvalue > 1e-4

    def test_fresh_secrets_and_errors_each_time(self) -> None:
        scheme = compact_sum(16)
        one, other = sealed(scheme, np.zeros((2, 16), dtype=np.int64), "fresh")
        assert not set(one.commitments) & set(other.commitments)
        gap = np.frombuffer(one.body, "<u4") - np.frombuffer(other.body, "<u4")
        assert chisquare(np.bincount(gap.view(np.uint8), minlength=256)).pvalue > 1e-4

    def test_a_stream_is_never_used_twice_for_different_things(self) -> None:
        """Two clients with one (broken) stream would share their masks: so streams must differ."""
        scheme = compact_sum(16)
        zeros = noised(np.zeros(16))
        one = scheme.seal(zeros, sender=SENDER, rng=generator("same"))
        other = scheme.seal(zeros, sender=SENDER, rng=generator("same"))
        assert one.body == other.body
        assert one.shares != other.shares  # HPKE has randomness of its own

    def test_secret_and_errors_are_overwritten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        drawn: list[np.ndarray] = []
        factors: list[Factor] = []

        class Watched(DiscreteGaussian):
            def sample(self, count: int, rng: SecureRandom) -> npt.NDArray[np.int16]:
                found = super().sample(count, rng)
                assert found.any()
                drawn.append(found)
                return found

        def factor(polynomial: npt.NDArray[np.int16]) -> Factor:
            factors.append(Factor(polynomial))
            return factors[-1]

        monkeypatch.setattr(module, "_ERROR", Watched(8.0))
        monkeypatch.setattr(module, "Factor", factor)
        compact_sum(200_000).seal(noised(np.zeros(2**18)), sender=SENDER, rng=generator())
        assert len(drawn) > 2
        assert not any(array.any() for array in drawn)
        assert not any(limb.any() for limb in factors[0]._limbs)


class TestSizes:
    @pytest.mark.parametrize(
        ("layout", "padded", "expected"),
        [(COMPACT_A, 2, 1), (COMPACT_A, 2048, 1), (COMPACT_A, 4096, 2), (COMPACT_B, 4096, 1)],
    )
    def test_whole_blocks(self, layout: FieldLayout, padded: int, expected: int) -> None:
        assert blocks(padded, layout) == expected
        assert body_bytes(padded, layout) == 8192 * expected

    def test_lengths_do_not_depend_on_values(self) -> None:
        scheme = compact_sum(131_072)
        rows = np.stack([np.zeros(131_072, np.int64), np.full(131_072, 2**20 - 1)])
        one, other = sealed(scheme, rows, "sizes")
        assert one.length == other.length == 4 * 131_072 + 2 * (1136 + 64 + 8192) + 1136 + 64
        assert one.length <= 4.2 * 131_072
        scheme = compact_sum(131_072, COMPACT_B)
        update = sealed(scheme, rows[:1], "sizes")[0]
        assert update.length <= 2.2 * 131_072

    def test_five_million_values_within_a_gigabyte(self) -> None:
        scheme = compact_sum(5_000_000, COMPACT_A_THOUSAND)
        update = noised(np.ones(2**23))
        rng = generator("memory")
        tracemalloc.start()
        started = time.perf_counter()
        made = scheme.seal(update, sender=SENDER, rng=rng)
        seconds = time.perf_counter() - started
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**28  # and the vector itself is another 2**26
        assert seconds < 10
        assert np.array_equal(summed(scheme, [made], (1, 2)), update.values)


class TestBounds:
    @pytest.mark.parametrize(
        "layout", [PIECE_A, FieldLayout(fields=1, field_bits=22, guard_bits=10)]
    )
    def test_layouts_of_other_schemes(self, layout: FieldLayout) -> None:
        with pytest.raises(SealError, match="no such layout"):
            compact_sum(16, layout)

    @pytest.mark.parametrize("noise", [*NoiseSet])
    @pytest.mark.parametrize("clients", [1, 100, 101, 1000, 1001, 10_000])
    def test_every_layout_holds_its_cohort_and_the_key_holders(
        self, noise: NoiseSet, clients: int
    ) -> None:
        layout = layout_of(Scheme.COMPACT_SUM, noise, clients)
        assert MAX_CONTRIBUTORS[layout.guard_bits] >= clients + 3
        assert layout.guard_bits + layout.fields * layout.field_bits <= 32

    @pytest.mark.parametrize(("bits", "margin"), [(11, 12.6), (12, 8.08), (14, 10.24)])
    def test_margins_of_the_guard_bits(self, bits: int, margin: float) -> None:
        contributors = MAX_CONTRIBUTORS[bits]
        found = 2 ** (bits - 1) / (8 * math.sqrt(contributors))
        assert found == pytest.approx(margin, rel=0.01)
        # A normal tail is below the subgaussian bound and within a hundred of it.
        normal = float(mpmath.erfc(found / mpmath.sqrt(2)))
        assert normal < overflow_probability(bits, contributors) < 100 * normal
        # Over the longest vector of all, of the fullest round.
        assert 2**24 * overflow_probability(bits, contributors) < 5e-7

    def test_one_contributor_too_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        scheme = compact_sum(16)
        updates = sealed(scheme, np.ones((4, 16), dtype=np.int64), "many")
        monkeypatch.setitem(MAX_CONTRIBUTORS, 11, 3)
        assert scheme.add(updates[:3]).count == 3
        with pytest.raises(SealError, match="at most 3 contributors"):
            scheme.add(updates)

    def test_adding_streams(self) -> None:
        """One running sum: what was added can be forgotten."""
        scheme = compact_sum(200_000)
        one = sealed(scheme, np.zeros((1, 2**18), dtype=np.int64), "stream")[0]
        tracemalloc.start()
        total = scheme.add(one for _ in range(50))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert total.count == 50
        assert peak < 4 * len(one.body)


class TestLies:
    """What doesn't fit together is refused: remainders of a sum that didn't open are not small."""

    ROWS = np.random.default_rng(7).integers(-50, 51, (5, 64))

    def opened_sum(self) -> tuple[CompactSum, list[SealedUpdate]]:
        scheme = compact_sum(64)
        return scheme, sealed(scheme, self.ROWS, "lies")

    @pytest.mark.parametrize("pair", PAIRS)
    @pytest.mark.parametrize("position", [0, 2047, 2048, 4095])
    @pytest.mark.parametrize("step", [1, 2**31])
    def test_a_lying_part_sum(self, pair: tuple[int, int], position: int, step: int) -> None:
        """Whichever piece it lies about, also where no other part sum shows the lie."""
        scheme, updates = self.opened_sum()
        first, second = (part(updates, holder, DEGREE) for holder in pair)
        values = first.values.copy()
        values[position] = (values[position] + step) % 2**32
        with pytest.raises(SealError, match="void"):
            scheme.combine(scheme.add(updates), [replace(first, values=values), second])

    def test_another_list_of_bodies(self) -> None:
        scheme, updates = self.opened_sum()
        parts = [part(updates, holder, DEGREE) for holder in (1, 2)]
        for listed in (updates[1:], [*updates, updates[0]], [updates[0]] * 5):
            with pytest.raises(SealError, match="do not open this sum"):
                scheme.combine(scheme.add(listed), parts)

    def test_a_body_that_is_not_its_secret_s(self) -> None:
        scheme, updates = self.opened_sum()
        updates[2] = replace(updates[2], body=updates[3].body)
        with pytest.raises(SealError, match="do not open this sum"):
            summed(scheme, updates, (1, 2))

    @pytest.mark.parametrize("bits", sorted(MAX_CONTRIBUTORS))
    def test_the_fullest_honest_round_is_far_from_the_line(self, bits: int) -> None:
        line = 4**bits / 24
        assert MAX_CONTRIBUTORS[bits] * 64 < line / 10
        uniform = 4**bits / 12
        # The mean square of 2048 uniform remainders, give or take ten standard deviations.
        assert uniform * (1 - 10 * math.sqrt(0.8 / 2048)) > line

    @pytest.mark.parametrize("size", [1023, 1024, 2**31])
    def test_a_long_secret_voids_the_round_even_if_its_body_fits(self, size: int) -> None:
        """Secrets are not proven short: a client can spoil a round, and this is how one sees it."""
        scheme, updates = self.opened_sum()
        parts = [part(updates, holder, DEGREE) for holder in (1, 2, 3)]
        pieces = [words for each in parts[:2] for words in each.values.reshape(2, DEGREE)]
        secret = (pieces[0] + pieces[1] + pieces[2] + 2**31) % 2**32 - 2**31
        longer = np.zeros(DEGREE, dtype=np.int64)
        longer[5] = size - secret[5]
        mask = product(multipliers(scheme._context, 0, 1)[0].tolist(), longer.tolist())
        total = scheme.add(updates)
        body = np.frombuffer(total.body, "<u4") + np.array(mask, dtype=np.uint32)
        longer_total = replace(total, body=body.astype("<u4").tobytes())
        moved = []
        for each in parts:
            values = each.values.copy()
            if each.holder != 3:  # the two that hold piece 3
                values[DEGREE:] = (values[DEGREE:] + longer) % 2**32
            moved.append(replace(each, values=values))
        if size < 1024:
            found = scheme.combine(longer_total, moved)
            assert np.array_equal(found, self.ROWS.sum(axis=0))
        else:
            with pytest.raises(SealError, match="do not open this sum"):
                scheme.combine(longer_total, moved)

    def test_one_holder_s_pieces_do_not_open_a_body(self) -> None:
        scheme, updates = self.opened_sum()
        for holder in (1, 2, 3):
            held = opened(updates[0], holder, DEGREE)
            words = held.expanded(DEGREE).reshape(2, DEGREE)
            guesses = [words[0], words[1], words[0] + words[1], expand(1, bytes(32), DEGREE)]
            for guess in guesses:
                mask = Factor(guess.view(np.int32)).times(multipliers(scheme._context, 0, 1))
                rest = np.frombuffer(updates[0].body, "<u4") - mask[0]
                counts = np.bincount(rest.view(np.uint8), minlength=256)
                assert chisquare(counts).pvalue > 1e-5
