"""Fields in 32-bit coefficients: they survive any sum within them, and errors below the guard."""

import numpy as np
import pytest

from crypto.dp.widths import FieldLayout
from crypto.sums.pieces.packing import below_guard, pack, unpack
from tests.unit.crypto.sums.pieced import (
    COMPACT_A,
    COMPACT_A_MOST,
    COMPACT_A_THOUSAND,
    COMPACT_B,
    PIECE_A,
    PIECE_B,
)

LAYOUTS = [
    PIECE_A,
    PIECE_B,
    COMPACT_A,
    COMPACT_A_THOUSAND,
    COMPACT_A_MOST,
    COMPACT_B,
    FieldLayout(fields=2, field_bits=9, guard_bits=14),
    FieldLayout(fields=3, field_bits=7, guard_bits=11),
]


def by_hand(values: list[int], layout: FieldLayout) -> list[int]:
    count = -(-len(values) // layout.fields)
    words = [0] * count
    for index, value in enumerate(values):
        field, coefficient = divmod(index, count)
        words[coefficient] += value << (layout.guard_bits + field * layout.field_bits)
    return [word % 2**32 for word in words]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [2, 4, 512])
def test_layout_by_hand(layout: FieldLayout, size: int) -> None:
    limit = layout.limit
    values = np.random.default_rng(size).integers(-limit, limit + 1, size)
    assert pack(values, layout).tolist() == by_hand(values.tolist(), layout)
    assert pack(values, layout).dtype == np.uint32


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_corner_of_neighbouring_fields(layout: FieldLayout) -> None:
    edges = [-layout.limit, -1, 0, 1, layout.limit]
    corners = np.array(np.meshgrid(*[edges] * layout.fields)).reshape(-1)
    assert unpack(pack(corners, layout), layout, corners.size).tolist() == corners.tolist()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sums_up_to_the_limit_with_errors_up_to_the_guard(layout: FieldLayout) -> None:
    rng = np.random.default_rng(4)
    terms = rng.integers(-(layout.limit // 5), layout.limit // 5 + 1, (5, 240))
    terms[:, 0], terms[:, 1] = layout.limit // 5, -(layout.limit // 5)
    total = np.zeros(240 // layout.fields, dtype=np.uint32)
    for term in terms:
        total += pack(term, layout)
    reach = max(0, (1 << layout.guard_bits) // 2 - 1)
    errors = rng.integers(-reach, reach + 1, total.size)
    errors[:2] = reach, -reach
    total += errors.astype(np.uint32)
    assert unpack(total, layout, 240).tolist() == terms.sum(axis=0).tolist()
    assert below_guard(total, layout.guard_bits).tolist() == errors.tolist()


@pytest.mark.parametrize("layout", [COMPACT_A, COMPACT_A_THOUSAND, COMPACT_B])
def test_one_more_than_the_guard_is_wrong_so_parameters_must_exclude_it(
    layout: FieldLayout,
) -> None:
    values = np.array([5, -5] * layout.fields)
    total = pack(values, layout)
    total[0] += np.uint32(1 << (layout.guard_bits - 1))
    assert unpack(total, layout, values.size).tolist() != values.tolist()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("position", [0, 7])
def test_values_that_do_not_fit(layout: FieldLayout, position: int) -> None:
    for value in (layout.limit + 1, -layout.limit - 1, 2**62, -(2**63), 2**63 - 1):
        values = np.zeros(8, dtype=np.int64)
        values[position] = value
        with pytest.raises(ValueError, match=f"{layout.field_bits}-bit field"):
            pack(values, layout)


def test_an_odd_number_of_values() -> None:
    values = np.array([1, -2, 3, -4, 5])
    words = pack(values, COMPACT_B)
    assert words.size == 3
    assert unpack(words, COMPACT_B, 5).tolist() == values.tolist()
