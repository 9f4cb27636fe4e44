"""The public subspace: exact without noise, deaf to noise, and quieter than the whole list."""

import numpy as np
import numpy.typing as npt
import pytest

from consent.tasks.catalogue import Catalogue
from consent.tasks.item_item import ItemItemArtefact, ItemItemTask
from crypto.errors import InvalidInputError
from server.artefacts.registry import finish
from server.artefacts.signal import item_item_verdict
from server.artefacts.subspace import described_values, public_basis, with_subspace
from server.artefacts.wigner import Spectrum, noise_edge, shrunk

FloatArray = npt.NDArray[np.float64]

SIZE = 200
KINDS = 5


def catalogue(*, described: bool = True) -> Catalogue:
    kinds = tuple(f"k{n % KINDS}" if described else "" for n in range(SIZE))
    return Catalogue(
        name="c",
        level="item",
        items=tuple(f"{n:03d}" for n in range(SIZE)),
        categories=kinds,
        departments=("",) * SIZE,
        products={},
    )


def task() -> ItemItemTask:
    mean = np.linspace(2.0, 1.0, SIZE)
    mean /= np.linalg.norm(mean)
    return ItemItemTask(
        indices=tuple(range(SIZE)), weights=(1.0,) * SIZE, mean=tuple(mean.tolist())
    )


def noisy(matrix: FloatArray, stddev: float, seed: int) -> FloatArray:
    upper = np.triu(np.random.default_rng(seed).normal(0, stddev / np.sqrt(2), matrix.shape), 1)
    both: FloatArray = matrix + upper + upper.T
    return both


def test_the_basis_is_orthonormal_free_of_the_mean_and_spans_the_kinds() -> None:
    basis = public_basis(task(), catalogue())
    mean = np.array(task().mean)
    assert basis.shape == (SIZE, KINDS - 1)  # the kinds add up to the mean, which is taken out
    assert basis.T @ basis == pytest.approx(np.eye(KINDS - 1), abs=1e-12)
    assert basis.T @ mean == pytest.approx(np.zeros(KINDS - 1), abs=1e-12)
    kind = np.where(np.arange(SIZE) % KINDS == 2, mean, 0.0)
    residual = kind - mean * (mean @ kind)
    assert basis @ (basis.T @ residual) == pytest.approx(residual, abs=1e-12)


def test_a_list_that_says_nothing_has_no_subspace() -> None:
    assert public_basis(task(), catalogue(described=False)).shape == (SIZE, 0)
    assert described_values(catalogue(described=False)) == 0
    assert described_values(catalogue()) == KINDS


def test_without_noise_the_projection_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    factors = rng.normal(size=(SIZE, 12))
    matrix = factors @ factors.T
    np.fill_diagonal(matrix, 0.0)
    whole = shrunk(matrix, noise_stddev=0.0)
    found = with_subspace(matrix, whole, public_basis(task(), catalogue()), noise_stddev=0.0)
    before = (whole.vectors * whole.values) @ whole.vectors.T
    after = (found.vectors * found.values) @ found.vectors.T
    assert after == pytest.approx(before, abs=1e-8)


def test_a_public_direction_below_the_whole_edge_is_heard_inside() -> None:
    """Strength between the two edges: the whole list misses it, the subspace finds its size."""
    basis = public_basis(task(), catalogue())
    stddev = 1.0
    strength = 0.35 * noise_edge(stddev, SIZE)
    assert strength > 2 * noise_edge(stddev, basis.shape[1]) / 2
    planted = strength * np.outer(basis[:, 0], basis[:, 0])
    heard = []
    for seed in range(40):
        matrix = noisy(planted, stddev, seed)
        none = Spectrum(values=np.empty(0), vectors=np.empty((SIZE, 0)), edge=0.0)
        found = with_subspace(matrix, none, basis, noise_stddev=stddev)
        estimate = (found.vectors * found.values) @ found.vectors.T
        heard.append(float(basis[:, 0] @ estimate @ basis[:, 0]))
        assert not shrunk(planted, noise_stddev=stddev).values.size
    assert np.mean(heard) == pytest.approx(strength, rel=0.2)


def test_noise_alone_says_little() -> None:
    """Of many pure noise matrices, the small subspace seldom shows anything, and nothing large."""
    basis = public_basis(task(), catalogue())
    none = Spectrum(values=np.empty(0), vectors=np.empty((SIZE, 0)), edge=0.0)
    edge = noise_edge(1.0, basis.shape[1])
    strongest = []
    for seed in range(200):
        found = with_subspace(
            noisy(np.zeros((SIZE, SIZE)), 1.0, seed), none, basis, noise_stddev=1.0
        )
        strongest.append(float(found.values.max(initial=0.0)))
    assert np.mean(np.array(strongest) > 0) < 0.35
    assert max(strongest) < 2 * edge


def test_two_finds_that_overlap_are_one_spectrum() -> None:
    """The joint eigenvalues are those of the sum of both parts, re-derived from it."""
    basis = public_basis(task(), catalogue())
    rng = np.random.default_rng(8)
    vector = basis[:, 0] + 0.5 * rng.normal(size=SIZE) / np.sqrt(SIZE)
    vector /= np.linalg.norm(vector)
    whole = Spectrum(values=np.array([50.0]), vectors=vector[:, None], edge=0.0)
    matrix = 50.0 * np.outer(vector, vector) + 20.0 * np.outer(basis[:, 1], basis[:, 1])
    found = with_subspace(matrix, whole, basis, noise_stddev=0.0)
    assert sorted(found.values) == pytest.approx(sorted(np.linalg.eigvalsh(matrix)[-2:]))
    assert found.vectors.T @ found.vectors == pytest.approx(np.eye(2), abs=1e-9)


def test_a_finished_model_hears_the_subspace() -> None:
    stddev = 1.0
    basis = public_basis(task(), catalogue())
    strength = 0.3 * noise_edge(stddev, SIZE)
    matrix = noisy(strength * np.outer(basis[:, 0], basis[:, 0]), stddev, 5)
    values = np.sqrt(2) * matrix[np.triu_indices(SIZE, 1)]
    with_kinds = finish(task(), values, noise_stddev=stddev, catalogue=catalogue())
    without = finish(task(), values, noise_stddev=stddev, catalogue=catalogue(described=False))
    assert isinstance(with_kinds, ItemItemArtefact)
    assert isinstance(without, ItemItemArtefact)
    assert with_kinds.directions == without.directions + 1


def test_the_gate_counts_public_directions() -> None:
    alone = item_item_verdict(shoppers=2467, listed=2232, noise_stddev=1.8)
    told = item_item_verdict(shoppers=2467, listed=2232, noise_stddev=1.8, described=64)
    loud = item_item_verdict(shoppers=2467, listed=2232, noise_stddev=6.2, described=64)
    assert (alone.worthwhile, told.worthwhile, loud.worthwhile) == (False, True, False)
    assert told.directions >= 2 > loud.directions
    with pytest.raises(InvalidInputError, match="described"):
        item_item_verdict(shoppers=10, listed=10, noise_stddev=1.0, described=-1)
