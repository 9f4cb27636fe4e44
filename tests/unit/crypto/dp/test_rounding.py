"""Conditional rounding: unbiased, bounded, and bounded by the right formula."""

import math

import numpy as np
import pytest

from crypto.dp.clipping import clip
from crypto.dp.rotation import Rotation
from crypto.dp.rounding import l1_bound, round_update, squared_l2_bound
from crypto.update import ClippedUpdate, RawUpdate
from tests.unit.crypto.samples import generator


def draws(values: list[float], *, scale: float, count: int) -> np.ndarray:
    clipped = clip(RawUpdate(np.array(values)), clipping_norm=1.0)
    rotation, rng = Rotation("ab", len(values)), generator("rounding")
    return np.array(
        [
            round_update(clipped, rotation=rotation, scale=scale, rng=rng).values
            for _ in range(count)
        ]
    )


@pytest.mark.parametrize("scale", [128.0, 1024.0])
@pytest.mark.parametrize("dimension", [2, 64, 4096, 2**17])
def test_bounds_are_those_of_the_literature(scale: float, dimension: int) -> None:
    # Kairouz, Liu, Steinke 2021, Prop. 22, with γ = 1, c = s and β = exp(-1/2), term by term.
    beta, gamma = math.exp(-0.5), 1.0
    root = math.sqrt(2 * math.log(1 / beta))
    conditional = (
        scale**2
        + gamma**2 * dimension / 4
        + root * gamma * (scale + gamma * math.sqrt(dimension) / 2)
    )
    deterministic = (scale + gamma * math.sqrt(dimension)) ** 2
    expected = min(conditional, deterministic)
    assert squared_l2_bound(scale, dimension) == pytest.approx(expected, rel=1e-12)
    # Integers: |v| <= v², and Cauchy-Schwarz.
    assert l1_bound(scale, dimension) == pytest.approx(
        min(expected, math.sqrt(dimension) * math.sqrt(expected)), rel=1e-12
    )


def test_the_mean_is_exact_within_sampling_error() -> None:
    values = [0.3, -0.2, 0.05, 0.11, -0.01, 0.0, 0.4]
    found = draws(values, scale=16.0, count=4000)
    expected = Rotation("ab", 7).forward(np.array(values)) * 16.0
    # Each coordinate is one of two neighbours: standard deviation at most 1/2.
    assert np.abs(found.mean(axis=0) - expected).max() < 5 * 0.5 / math.sqrt(4000)
    assert {0.0, 1.0} >= set(np.unique(np.abs(found - np.floor(expected))))


def test_rounding_is_random_but_integers_stay() -> None:
    values = [0.5, 0.5, 0.5, 0.5]
    whole = draws(values, scale=128.0, count=50)
    rotated = Rotation("ab", 4).forward(np.array(values)) * 128.0
    assert np.array_equal(rotated, np.round(rotated))
    assert (whole == rotated).all()
    assert len({tuple(row) for row in draws([0.3, 0.2, 0.1, 0.7], scale=128.5, count=50)}) > 4


def test_zero_stays_zero() -> None:
    assert not draws([0.0] * 9, scale=1024.0, count=3).any()


def test_a_draw_over_the_bound_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a low scale in many dimensions rounding alone can pass the bound; it never does."""
    size, scale = 256, 0.0001
    values = np.full(size, 1.0 / 16.0)
    clipped = ClippedUpdate(values * (1 - 1e-12), 1.0)
    bound = squared_l2_bound(128.0, size)
    monkeypatch.setattr("crypto.dp.rounding.squared_l2_bound", lambda *_: 0.5)
    rng = generator("redraw")
    found = [
        round_update(clipped, rotation=Rotation("ab", size), scale=scale, rng=rng).values
        for _ in range(50)
    ]
    assert not np.array(found).any()
    assert bound > 0.5


def test_a_broken_generator_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crypto.dp.rounding.squared_l2_bound", lambda *_: -1.0)
    clipped = clip(RawUpdate(np.ones(4)), clipping_norm=1.0)
    with pytest.raises(RuntimeError, match="generator is broken"):
        round_update(clipped, rotation=Rotation("ab", 4), scale=128, rng=generator())
