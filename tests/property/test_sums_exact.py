"""A sealed sum is the integer sum, bit for bit, whoever drops out and whichever two open."""

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.dp.rotation import padded
from crypto.sums.share_sum.packing import pack, unpack
from crypto.sums.share_sum.parameters import PLAIN_MODULUS
from tests.unit.crypto.samples import SENDER, generator, noised, opening_keys, share_sum

FEW = settings(max_examples=12, deadline=None, derandomize=True)
MANY = settings(max_examples=150, deadline=None, derandomize=True)
LIMIT = 2**19 - 1


def sealed_sum(vectors: list[list[int]], kept: list[int], pair: tuple[int, int]) -> list[int]:
    """Seal all, add the kept, let two key holders open, combine."""
    size = len(vectors[0])
    scheme = share_sum(size)
    assert padded(size) == size
    rng = generator("exact")
    sealed = [scheme.seal(noised(values), sender=SENDER, rng=rng) for values in vectors]
    total = scheme.add(sealed[k] for k in kept)
    parts = [
        opening_keys()[k].open_share(
            total.shares[k], holder=k + 1, context=total.context, dimension=size
        )
        for k in pair
    ]
    found: list[int] = scheme.combine(total, parts).tolist()
    return found


@st.composite
def cohorts(draw: st.DrawFn) -> tuple[list[list[int]], list[int], tuple[int, int]]:
    clients = draw(st.integers(1, 5))
    size = draw(st.sampled_from([2, 4, 8]))
    bound = LIMIT // clients
    values = st.integers(-bound, bound) | st.sampled_from([-bound, bound, 0])
    vectors = draw(
        st.lists(st.lists(values, min_size=size, max_size=size), min_size=clients, max_size=clients)
    )
    kept = draw(st.sets(st.integers(0, clients - 1), min_size=1))
    return vectors, sorted(kept), draw(st.sampled_from([*combinations(range(3), 2)]))


@FEW
@given(cohorts())
def test_sealed_is_plain(cohort: tuple[list[list[int]], list[int], tuple[int, int]]) -> None:
    vectors, kept, pair = cohort
    expected = [sum(column) for column in zip(*(vectors[k] for k in kept), strict=True)]
    assert sealed_sum(vectors, kept, pair) == expected


def test_at_the_length_of_a_real_catalogue() -> None:
    dimension, clients = 2232, 7
    values = np.random.default_rng(11).integers(-70_000, 70_000, (clients, padded(dimension)))
    scheme = share_sum(dimension)
    rng = generator("catalogue")
    total = scheme.add(scheme.seal(noised(row), sender=SENDER, rng=rng) for row in values)
    for pair in combinations(range(3), 2):
        parts = [
            opening_keys()[k].open_share(
                total.shares[k], holder=k + 1, context=total.context, dimension=dimension
            )
            for k in pair
        ]
        assert np.array_equal(scheme.combine(total, parts), values.sum(axis=0))


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
