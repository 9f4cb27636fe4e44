"""The rotation against SciPy's Hadamard matrix."""

import numpy as np
import pytest
from scipy.linalg import hadamard as matrix

from crypto.dp.rotation import MAX_DIMENSION, Rotation, hadamard, padded


@pytest.mark.parametrize("size", [1, 2, 4, 64, 256])
def test_transform_is_the_hadamard_matrix(size: int) -> None:
    expected = matrix(size) / np.sqrt(size)
    assert np.allclose(hadamard(np.eye(size)), expected, atol=1e-15)


def test_transform_works_along_the_last_axis() -> None:
    values = np.random.default_rng(1).normal(size=(3, 5, 16))
    assert np.allclose(hadamard(values), values @ matrix(16) / 4, atol=1e-13)


@pytest.mark.parametrize(
    ("dimension", "expected"), [(1, 2), (2, 2), (3, 4), (2232, 4096), (2**24, 2**24)]
)
def test_padding(dimension: int, expected: int) -> None:
    assert padded(dimension) == expected


@pytest.mark.parametrize("dimension", [0, -1, MAX_DIMENSION + 1])
def test_dimensions_out_of_range(dimension: int) -> None:
    with pytest.raises(ValueError, match="dimension"):
        padded(dimension)


def test_the_rotation_is_orthonormal_signs_then_hadamard() -> None:
    rotation = Rotation("ab", 30)
    turned = rotation.forward(np.eye(30))
    assert np.allclose(turned @ turned.T, np.eye(30), atol=1e-14)
    signs = turned @ matrix(32) / np.sqrt(32)
    assert np.allclose(np.abs(signs[:, :30]), np.eye(30), atol=1e-14)
    assert np.allclose(signs[:, 30:], 0.0, atol=1e-14)
    assert {-1.0, 1.0} == set(np.round(np.diag(signs[:, :30])))


def test_backward_undoes_forward() -> None:
    values = np.random.default_rng(2).normal(size=(4, 2232))
    rotation = Rotation("cd", 2232)
    assert np.allclose(rotation.backward(rotation.forward(values)), values, atol=1e-12)


def test_contexts_give_unrelated_rotations() -> None:
    one, other = Rotation("ab" * 32, 4096), Rotation("ab" * 31 + "ac", 4096)
    unit = np.eye(1, 4096)[0]
    assert np.array_equal(one.forward(unit), Rotation("ab" * 32, 4096).forward(unit))
    # Their signs agree on half the coordinates, give or take: 4096 fair coins, six sigma.
    alike = (one.forward(np.ones(4096)) @ other.forward(np.ones(4096))) / 4096
    assert abs(alike) < 6 / np.sqrt(4096)


def test_signs_are_balanced_and_can_not_be_written() -> None:
    rotation = Rotation("ef", 2**16)
    assert abs(rotation._signs.mean()) < 6 / 2**8
    with pytest.raises(ValueError, match="read-only"):
        rotation._signs[0] = 0.0
