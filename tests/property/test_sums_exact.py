"""A sealed sum is the integer sum, bit for bit, whoever drops out and whichever two open."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.dp.rotation import padded
from crypto.sums.schemes import Scheme
from crypto.sums.share_sum.packing import pack, unpack
from crypto.sums.share_sum.parameters import PLAIN_MODULUS
from tests.conformance.stages import CONTEXT, STAGES, seal
from tests.unit.crypto.samples import noised

FEW = settings(max_examples=20, deadline=None, derandomize=True)
MANY = settings(max_examples=150, deadline=None, derandomize=True)
LIMIT = 2**19 - 1
OPENING = [*combinations((1, 2, 3), 2), (1, 2, 3)]


@st.composite
def cohorts(draw: st.DrawFn) -> tuple[list[list[int]], list[int], tuple[int, ...]]:
    """Clients' vectors, those of them that are in the sum, and who opens it."""
    clients = draw(st.integers(1, 5))
    size = draw(st.sampled_from([2, 4, 8]))
    bound = LIMIT // clients
    values = st.integers(-bound, bound) | st.sampled_from([-bound, bound, 0])
    vectors = draw(
        st.lists(st.lists(values, min_size=size, max_size=size), min_size=clients, max_size=clients)
    )
    kept = draw(st.sets(st.integers(0, clients - 1), min_size=1))
    return vectors, sorted(kept), draw(st.sampled_from(OPENING))


@pytest.mark.parametrize("kind", Scheme)
@FEW
@given(cohort=cohorts())
def test_sealed_is_plain(
    kind: Scheme, cohort: tuple[list[list[int]], list[int], tuple[int, ...]]
) -> None:
    vectors, kept, holders = cohort
    size, stage = len(vectors[0]), STAGES[kind]
    assert padded(size) == size
    scheme = stage.build(size, CONTEXT)
    sealed = seal(scheme, [noised(values) for values in vectors], "exact")
    expected = [sum(column) for column in zip(*(vectors[k] for k in kept), strict=True)]
    found = stage.summed(scheme, [sealed[k] for k in kept], dimension=size, holders=holders)
    assert found.tolist() == expected


@pytest.mark.parametrize("kind", Scheme)
def test_at_the_length_of_a_real_catalogue(kind: Scheme) -> None:
    dimension, clients = 2232, 7
    stage = STAGES[kind]
    values = np.random.default_rng(11).integers(-70_000, 70_000, (clients, padded(dimension)))
    scheme = stage.build(dimension, CONTEXT)
    sealed = seal(scheme, [noised(row) for row in values], "catalogue")
    total, parts = stage.opened(scheme, sealed, dimension=dimension)
    for chosen in OPENING:
        found = scheme.combine(total, [parts[holder - 1] for holder in chosen])
        assert np.array_equal(found, values.sum(axis=0))


def test_all_schemes_give_the_same_sum() -> None:
    rows = np.random.default_rng(5).integers(-LIMIT // 4, LIMIT // 4, (4, 4096))
    found = []
    for stage in STAGES.values():
        scheme = stage.build(4096, CONTEXT)
        sealed = seal(scheme, [noised(row) for row in rows], "same")
        found.append(stage.summed(scheme, sealed, dimension=4096, holders=(2, 3)))
    assert len(found) == len(Scheme)
    assert all(np.array_equal(each, rows.sum(axis=0)) for each in found)


@MANY
@given(st.lists(st.tuples(*[st.integers(-LIMIT, LIMIT)] * 2), min_size=1, max_size=6))
def test_packed_sums_within_the_field_unpack(pairs: list[tuple[int, int]]) -> None:
    vectors = []
    for low, high in pairs:
        vector = np.zeros(8192, dtype=np.int64)
        vector[5], vector[4101] = low // len(pairs), high // len(pairs)
        vectors.append(vector)
    total = sum(pack(vector).astype(object) for vector in vectors) % PLAIN_MODULUS
    found = unpack(np.asarray(total, dtype=np.int64), 8192)
    assert found.tolist() == np.sum(vectors, axis=0).tolist()
