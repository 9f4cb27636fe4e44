"""Clipping is per shopper, in both modes, and sums of stores are the sum of all."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from client.contributions.history import FloatArray
from client.store.neural.clipping import Clipping, clipped_sum, contributions
from client.store.neural.examples import Rows, rows_of
from client.store.neural.model import losses, weights_of
from crypto.dp.plan import without_noise
from crypto.sums.schemes import Scheme
from crypto.update import RawUpdate
from tests.unit.client.store.neural.shoppers import ITEMS, LESSON, SHAPE, drawn, model, rows
from tests.unit.client.test_protect import released
from tests.unit.crypto.samples import plan

MODES = pytest.mark.parametrize("mode", Clipping)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def one_by_one(made: Rows, clipping_norm: float) -> FloatArray:
    """Each shopper alone through plain autograd, in double precision: no Opacus anywhere."""
    network = model().double()
    total = np.zeros(weights_of(network).size)
    for row in range(len(made)):
        network.zero_grad()
        before = torch.as_tensor(made.before[row : row + 1], dtype=torch.float64)
        wanted = torch.as_tensor(made.wanted[row : row + 1], dtype=torch.float64)
        losses(network, before, wanted).sum().backward()  # type: ignore[no-untyped-call]
        parts = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
        gradient = torch.cat(parts).numpy()
        total += gradient * min(1.0, clipping_norm / np.linalg.norm(gradient))
    return total


@MODES
@pytest.mark.parametrize("clipping_norm", [0.05, 1.0, 1e3])
def test_the_sum_is_that_of_shoppers_taken_one_by_one(mode: Clipping, clipping_norm: float) -> None:
    made = rows(9)
    found = clipped_sum(model(), made, clipping_norm=clipping_norm, mode=mode, at_once=4)
    expected = one_by_one(made, clipping_norm)
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())


def test_ghost_and_hooks_agree() -> None:
    made, network = rows(9), model()
    ghost, hooks = (clipped_sum(network, made, clipping_norm=0.1, mode=mode) for mode in Clipping)
    np.testing.assert_allclose(ghost, hooks, atol=1e-6)


@MODES
@pytest.mark.parametrize("baskets", [2, 500])
def test_nobody_moves_the_sum_by_more_than_the_bound(mode: Clipping, baskets: int) -> None:
    others = drawn(5)
    loud = drawn(1, seed=9, baskets=baskets)
    with_her = rows_of([*others, *loud], LESSON, items=ITEMS)
    without = rows_of(others, LESSON, items=ITEMS)
    network = model()
    for clipping_norm in (1e-3, 1e-2):
        moved = clipped_sum(network, with_her, clipping_norm=clipping_norm, mode=mode)
        moved -= clipped_sum(network, without, clipping_norm=clipping_norm, mode=mode)
        assert np.linalg.norm(moved) <= clipping_norm * (1 + 1e-6)
        assert np.linalg.norm(moved) > 0.5 * clipping_norm  # the bound binds: she is in it


@MODES
def test_a_row_of_nothing_and_one_of_nonsense_add_nothing(mode: Clipping) -> None:
    network, made = model(), rows(3)
    expected = clipped_sum(network, made, clipping_norm=0.1, mode=mode)
    empty = rows_of([*drawn(3), *drawn(1, baskets=1)], LESSON, items=ITEMS)
    np.testing.assert_allclose(
        clipped_sum(network, empty, clipping_norm=0.1, mode=mode), expected, atol=1e-7
    )


def test_two_stores_add_up_to_one_site() -> None:
    network, made = model(), rows(10)
    north, south = made.take(slice(0, 3)), made.take(slice(3, 10))
    whole = clipped_sum(network, made, clipping_norm=0.2)
    parts = sum(clipped_sum(network, each, clipping_norm=0.2) for each in (north, south))
    np.testing.assert_allclose(parts, whole, atol=1e-6)


@MODES
def test_no_shopper_is_left_in_the_model(mode: Clipping) -> None:
    network = model()
    before = weights_of(network)
    clipped_sum(network, rows(3), clipping_norm=0.1, mode=mode)
    np.testing.assert_array_equal(weights_of(network), before)
    for parameter in network.parameters():
        assert parameter.grad is None
        assert not hasattr(parameter, "grad_sample")
        assert not hasattr(parameter, "_norm_sample")
    assert all(not hasattr(module, "activations") for module in network.modules())


def test_a_bound_is_above_zero() -> None:
    with pytest.raises(ValueError, match="clipping_norm"):
        clipped_sum(model(), rows(1), clipping_norm=0.0)


def test_the_contributions_are_raw_and_in_order() -> None:
    made, network = rows(5), model()
    updates = list(contributions(network, made, clipping_norm=0.1, at_once=2))
    assert all(isinstance(update, RawUpdate) for update in updates)
    norms = [float(np.linalg.norm(update.values)) for update in updates]
    bounded = [u.values / max(n, 1.0) for u, n in zip(updates, norms, strict=True)]
    found = 0.1 * np.sum(bounded, axis=0)
    np.testing.assert_allclose(found, one_by_one(made, 0.1), atol=1e-5)


def test_two_stores_through_the_sealed_path_are_the_plain_sum() -> None:
    made, network = rows(8), model()
    stores = [made.take(slice(0, 3)), made.take(slice(3, 8))]
    terms = plan(dimension=SHAPE.dimension, scheme=Scheme.PIECE_SUM)
    cohort = [
        [update.values for update in contributions(network, store, clipping_norm=0.1)]
        for store in stores
    ]
    found = 0.1 * released(cohort, without_noise(terms)).values
    expected = clipped_sum(network, made, clipping_norm=0.1)
    # Each value of each shopper is rounded to 1/1024 of the bound.
    np.testing.assert_allclose(found, expected, atol=0.1 * 8 / 1024)
    assert np.linalg.norm(expected) > 0.1
