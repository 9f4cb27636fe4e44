"""Clipping: the table of edge cases. Its bound is tested exactly in tests/property."""

import numpy as np
import pytest

from crypto.dp.clipping import clip
from crypto.update import RawUpdate


def clipped(values: list[float], bound: float) -> list[float]:
    result: list[float] = clip(RawUpdate(np.array(values)), clipping_norm=bound).values.tolist()
    return result


@pytest.mark.parametrize(
    ("values", "bound", "expected"),
    [
        ([3.0, 4.0], 5.0, [3.0, 4.0]),
        ([3.0, 4.0], 6.0, [3.0, 4.0]),
        ([0.0, 0.0], 1.0, [0.0, 0.0]),
        ([np.nan, 1.0], 1.0, [0.0, 0.0]),
        ([np.inf, 1.0], 1.0, [0.0, 0.0]),
        ([-np.inf, np.nan], 1.0, [0.0, 0.0]),
        ([], 1.0, []),
        ([5e-324, 0.0], 1e-100, [5e-324, 0.0]),
    ],
)
def test_exact_cases(values: list[float], bound: float, expected: list[float]) -> None:
    assert clipped(values, bound) == expected


@pytest.mark.parametrize(
    ("values", "bound", "expected"),
    [
        ([3.0, 4.0], 1.0, [0.6, 0.8]),
        ([3e307, -4e307], 1.0, [0.6, -0.8]),
        ([1e308] * 4, 2.0, [1.0] * 4),
        ([5.0], 1e-100, [1e-100]),
        ([3e100, 4e100], 1e100, [0.6e100, 0.8e100]),
    ],
)
def test_long_vectors_shrink_to_the_bound(
    values: list[float], bound: float, expected: list[float]
) -> None:
    result = clipped(values, bound)
    assert np.allclose(result, expected, rtol=1e-11, atol=0.0)
    assert np.linalg.norm(result) <= bound


@pytest.mark.parametrize("bound", [0.0, 1e-101, 1e101, 5e-324, -1.0, np.inf, np.nan])
def test_bounds_that_bound_nothing(bound: float) -> None:
    with pytest.raises(ValueError, match="clipping_norm"):
        clip(RawUpdate(np.zeros(2)), clipping_norm=bound)


def test_the_input_is_not_touched() -> None:
    values = np.array([3.0, 4.0])
    for bound in (1.0, 10.0):
        result = clip(RawUpdate(values), clipping_norm=bound)
        assert not np.shares_memory(result.values, values)
    assert values.tolist() == [3.0, 4.0]
    assert values.flags.writeable
