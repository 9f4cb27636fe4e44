"""Compact sum and piece sum are the integer sum; ring products are those of big integers."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.dp.widths import FieldLayout
from crypto.sums.compact_sum.ring import Factor
from crypto.sums.pieces.packing import pack, unpack
from tests.unit.crypto.sums.big_ring import DEGREE, product
from tests.unit.crypto.sums.pieced import (
    ALL,
    COMPACT_A,
    COMPACT_A_MOST,
    COMPACT_B,
    PIECE_A,
    PIECE_B,
    compact_sum,
    piece_sum,
    sealed,
    summed,
)

FEW = settings(max_examples=25, deadline=None, derandomize=True)
MANY = settings(max_examples=150, deadline=None, derandomize=True)
LAYOUTS = st.sampled_from([COMPACT_A, COMPACT_A_MOST, COMPACT_B, PIECE_A, PIECE_B])

_WORD_EDGES = [0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 0x80008000, 0x7FFF7FFF]
_SHORT_EDGES = [0, 1, -1, 74, -74, 1023, 1024, -1024, -1025, 2**21, 2**31 - 1, -(2**31)]


@st.composite
def polynomials(draw: st.DrawFn, edges: list[int], low: int, high: int) -> list[int]:
    """A repeated pattern of edges, a sparse one, or integers of one size: structure and noise."""
    values = st.sampled_from(edges) | st.integers(low, high)
    kind = draw(st.sampled_from(["pattern", "sparse", "random"]))
    if kind == "pattern":
        return [int(v) for v in np.resize(draw(st.lists(values, min_size=1, max_size=9)), DEGREE)]
    if kind == "sparse":
        made = [0] * DEGREE
        for position, value in draw(
            st.dictionaries(st.integers(0, DEGREE - 1), values, max_size=8)
        ).items():
            made[position] = value
        return made
    bound = draw(st.integers(1, high))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return [int(v) for v in rng.integers(max(low, -bound), bound + 1, DEGREE)]


@MANY
@given(
    polynomials(_SHORT_EDGES, -(2**31), 2**31 - 1),
    polynomials(_WORD_EDGES, 0, 2**32 - 1),
)
def test_products_are_exact(short: list[int], wide: list[int]) -> None:
    found = Factor(np.array(short, dtype=np.int64)).times(np.array([wide], dtype=np.uint32))
    assert found[0].tolist() == product(short, wide)


@st.composite
def cohorts(draw: st.DrawFn) -> tuple[FieldLayout, list[list[int]], list[int], tuple[int, ...]]:
    layout = draw(LAYOUTS)
    clients = draw(st.integers(1, 6))
    size = draw(st.sampled_from([2, 4, 8]))
    bound = layout.limit // clients
    values = st.integers(-bound, bound) | st.sampled_from([-bound, bound, 0, 1, -1])
    rows = draw(
        st.lists(st.lists(values, min_size=size, max_size=size), min_size=clients, max_size=clients)
    )
    kept = draw(st.sets(st.integers(0, clients - 1), min_size=1))
    return layout, rows, sorted(kept), draw(st.sampled_from(ALL))


@FEW
@given(cohorts())
def test_sealed_is_plain(
    cohort: tuple[FieldLayout, list[list[int]], list[int], tuple[int, ...]],
) -> None:
    layout, rows, kept, holders = cohort
    make = compact_sum if layout.guard_bits else piece_sum
    scheme = make(len(rows[0]), layout)
    updates = sealed(scheme, [np.array(row, dtype=np.int64) for row in rows], "property")
    found = summed(scheme, [updates[k] for k in kept], holders)
    assert found.tolist() == [sum(column) for column in zip(*(rows[k] for k in kept), strict=True)]


@MANY
@given(LAYOUTS, st.data())
def test_packed_sums_within_the_field_unpack(layout: FieldLayout, data: st.DataObject) -> None:
    terms = data.draw(st.integers(1, 5))
    bound = layout.limit // terms
    values = st.integers(-bound, bound) | st.sampled_from([-bound, bound])
    rows = [
        np.array(data.draw(st.lists(values, min_size=6, max_size=6)), dtype=np.int64)
        for _ in range(terms)
    ]
    total = np.zeros(6 // layout.fields, dtype=np.uint32)
    for row in rows:
        total += pack(row, layout)
    reach = max(0, (1 << layout.guard_bits) // 2 - 1)
    error = data.draw(st.integers(-reach, reach))
    total += np.array(error).astype(np.uint32)
    assert unpack(total, layout, 6).tolist() == np.sum(rows, axis=0).tolist()
