"""Field widths: the table of the protocol, and tails that are tails."""

import math

import numpy as np
import pytest
from scipy.stats import norm, skellam

from crypto.dp.widths import FieldLayout, NoiseSet, alignment_tail, layout_of, skellam_tail
from crypto.errors import PlanError
from crypto.sums.schemes import Scheme

A, B = NoiseSet.SKELLAM, NoiseSet.CENTRED_GAUSSIAN


@pytest.mark.parametrize(
    ("scheme", "noise", "clients", "expected"),
    [
        (Scheme.COMPACT_SUM, A, 2, (1, 21, 11)),
        (Scheme.COMPACT_SUM, A, 100, (1, 21, 11)),
        (Scheme.COMPACT_SUM, A, 101, (1, 20, 12)),
        (Scheme.COMPACT_SUM, A, 1000, (1, 20, 12)),
        (Scheme.COMPACT_SUM, A, 1001, (1, 18, 14)),
        (Scheme.COMPACT_SUM, A, 10_000, (1, 18, 14)),
        (Scheme.COMPACT_SUM, B, 100, (2, 10, 11)),
        (Scheme.COMPACT_SUM, B, 1000, (2, 10, 12)),
        (Scheme.COMPACT_SUM, B, 10_000, (2, 9, 14)),
        (Scheme.PIECE_SUM, A, 10**6, (1, 32, 0)),
        (Scheme.PIECE_SUM, B, 10**6, (2, 16, 0)),
        (Scheme.SHARE_SUM, A, 1000, (2, 20, 0)),
    ],
)
def test_layouts(
    scheme: Scheme, noise: NoiseSet, clients: int, expected: tuple[int, int, int]
) -> None:
    layout = layout_of(scheme, noise, clients)
    assert (layout.fields, layout.field_bits, layout.guard_bits) == expected
    if scheme is not Scheme.SHARE_SUM:
        assert layout.fields * layout.field_bits + layout.guard_bits <= 32
    assert layout.limit == 2 ** (layout.field_bits - 1) - 1


def test_refusals() -> None:
    with pytest.raises(PlanError, match="max_clients=10001 <= 10000 in a compact sum"):
        layout_of(Scheme.COMPACT_SUM, A, 10_001)
    with pytest.raises(PlanError, match="Share sum carries set-a alone, got set-b"):
        layout_of(Scheme.SHARE_SUM, B, 10)
    with pytest.raises(PlanError, match="max_clients=1001 <= 1000 in a share sum"):
        layout_of(Scheme.SHARE_SUM, A, 1001)


@pytest.mark.parametrize(("clients", "margin"), [(100, 12.6), (1000, 8.08), (10_000, 10.2)])
def test_guard_bits_leave_the_stated_margin(clients: int, margin: float) -> None:
    """Half a message unit over the std of all errors, three key holders' included; σ = 8."""
    guard = layout_of(Scheme.COMPACT_SUM, A, clients).guard_bits
    assert 2 ** (guard - 1) / (8 * math.sqrt(clients + 3)) == pytest.approx(margin, rel=5e-3)


def test_coefficients() -> None:
    assert FieldLayout(fields=2, field_bits=10, guard_bits=11).coefficients(16) == 8
    assert FieldLayout(fields=2, field_bits=10, guard_bits=11).coefficients(17) == 9
    assert FieldLayout(fields=1, field_bits=21, guard_bits=11).coefficients(16) == 16


@pytest.mark.parametrize("variance", [0.5, 2.56, 300.0, 4e7])
@pytest.mark.parametrize("dimension", [2, 1024, 2**20])
def test_noise_tails(variance: float, dimension: int) -> None:
    """Half of 2**-40 over all coordinates and both sides, for Skellam and Gaussian noise."""
    tail, allowed = skellam_tail(variance, dimension), 2.0**-41
    if variance < 1e6:  # scipy's Skellam tail is good enough there
        above = skellam.sf(math.floor(tail), variance / 2, variance / 2)
        assert 2 * dimension * above <= allowed
    assert 2 * dimension * norm.sf(tail / math.sqrt(variance)) <= allowed
    assert tail < 12 * math.sqrt(variance) + 60
    assert skellam_tail(0.0, dimension) == 0.0


def test_alignment_is_a_tail_of_random_signs() -> None:
    """Signs of one flat vector: a sum of d Rademachers over √d, by the exact binomial tail."""
    from scipy.stats import binom  # noqa: PLC0415 - here alone

    dimension, shoppers, scale = 4096, 50, 64
    tail = alignment_tail(shoppers=shoppers, scale=scale, dimension=dimension, rounded=False)
    steps = tail / (shoppers * scale / dimension)
    above = binom.sf(math.floor((dimension + steps) / 2), dimension, 0.5)
    assert 2 * dimension * above <= 2.0**-41
    wider = alignment_tail(shoppers=shoppers, scale=scale, dimension=dimension, rounded=True)
    assert tail < wider < tail + 9 * np.sqrt(shoppers)
