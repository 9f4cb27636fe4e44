"""Clipping and rounding hold their bounds for every vector, by exact rational arithmetic."""

from fractions import Fraction

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crypto.dp.clipping import clip
from crypto.dp.rotation import Rotation, padded
from crypto.dp.rounding import round_update, squared_l2_bound
from crypto.update import RawUpdate
from tests.unit.crypto.samples import generator

MANY = settings(max_examples=300, deadline=None, derandomize=True)
SOME = settings(max_examples=80, deadline=None, derandomize=True)
BOUNDS = st.floats(1e-100, 1e100)
entries = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from(
    [0.0, -0.0, 5e-324, -5e-324, 1e-310, 1e308, -1.7e308, 1.0, np.nextafter(1.0, 2.0)]
)
vectors = st.lists(entries, max_size=12).map(lambda values: np.array(values, dtype=np.float64))


def squared(values: np.ndarray) -> Fraction:
    return sum((Fraction(float(v)) ** 2 for v in values), Fraction(0))


@MANY
@given(vectors, BOUNDS)
@example(np.full(12, 1e308), 1.0)
@example(np.full(12, 5e-324), 1e-100)
@example(np.full(12, 1e100), 1e100)
@example(np.full(12, 1e-99), 1e-100)
@example(np.array([1.0, np.nan]), 1.0)
@example(np.array([3.0, 4.0]), 5.0)
@example(np.array([0.6, 0.8]), 1.0)
def test_norm_is_bounded_exactly(values: np.ndarray, bound: float) -> None:
    result = clip(RawUpdate(values.copy()), clipping_norm=bound).values
    assert np.isfinite(result).all()
    # A vector left alone is one whose float64 norm fits: that sum is good to a dozen roundings.
    assert squared(result) <= Fraction(bound) ** 2 * (1 + Fraction(1, 10**14))
    if np.isfinite(values).all() and squared(values) > Fraction(bound) ** 2:
        assert squared(result) >= Fraction(bound) ** 2 * (1 - Fraction(1, 10**10))


@MANY
@given(vectors, BOUNDS)
def test_short_vectors_are_left_alone_and_long_ones_keep_their_direction(
    values: np.ndarray,
    bound: float,
) -> None:
    result = clip(RawUpdate(values.copy()), clipping_norm=bound).values
    if not np.isfinite(values).all():
        assert not result.any()
        return
    length = squared(values)
    if length <= Fraction(bound) ** 2 * (1 - Fraction(1, 10**14)):
        assert np.array_equal(result, values)
        return
    # Same direction: the cross product with the input vanishes, relative to both lengths.
    for i in range(values.size):
        for j in range(i):
            cross = Fraction(result[i]) * Fraction(values[j]) - Fraction(result[j]) * Fraction(
                values[i]
            )
            tolerance = Fraction(1, 10**24) * length * squared(result)
            # Entries that underflow next to a huge one may vanish.
            assert cross**2 <= tolerance or min(abs(result[i]), abs(result[j])) < 1e-300
    assert all(r * v >= 0 for r, v in zip(np.sign(result), np.sign(values), strict=True))


@SOME
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40),
    st.sampled_from([128, 1024]),
    st.floats(1e-3, 1e3),
    st.integers(0, 2**32),
)
def test_rounded_vectors_never_pass_their_bound(
    values: list[float], scale: int, norm: float, seed: int
) -> None:
    clipped = clip(RawUpdate(np.array(values)), clipping_norm=norm)
    rounded = round_update(
        clipped,
        rotation=Rotation("ab", len(values)),
        scale=scale,
        rng=generator(str(seed)),
    )
    exact = sum(int(v) ** 2 for v in rounded.values)
    size = padded(len(values))
    assert rounded.values.shape == (size,)
    # Written out from Prop. 22 of Kairouz, Liu and Steinke with granularity 1 and β = e^(-1/2).
    assert exact <= min(scale**2 + size / 4 + scale + size**0.5 / 2, (scale + size**0.5) ** 2)
    assert rounded.squared_bound == squared_l2_bound(scale, size)
    # No coordinate moved by a whole unit or more.
    rotated = Rotation("ab", len(values)).forward(clipped.values) * (scale / norm)
    assert np.abs(rounded.values - rotated).max() < 1 + 1e-6


@SOME
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=70), st.text(max_size=5))
def test_rotation_is_undone_and_keeps_lengths(values: list[float], context: str) -> None:
    rotation, vector = Rotation(context, len(values)), np.array(values)
    turned = rotation.forward(vector)
    assert turned.shape == (padded(len(values)),)
    assert np.allclose(rotation.backward(turned), vector, rtol=1e-12, atol=1e-9)
    assert np.isclose(np.linalg.norm(turned), np.linalg.norm(vector), rtol=1e-12, atol=1e-12)
