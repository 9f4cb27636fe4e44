"""Skellam samples against SciPy's distribution and mpmath's Bessel functions."""

import math
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from scipy.stats import chi2, chisquare, skellam

from crypto.dp import skellam as module
from crypto.dp.random import SecureRandom
from crypto.dp.skellam import MAX_TABLE_VARIANCE, _Table, _table, sample_skellam
from tests.unit.crypto.samples import generator


def fits(samples: np.ndarray, variance: float) -> float:
    """p-value of a chi-square test against SciPy's Skellam, rare values pooled at both ends."""
    law = skellam(variance / 2, variance / 2)
    reach = int(law.isf(30 / samples.size)) if variance > 0.1 else 1
    clipped = np.clip(samples, -reach, reach)
    found = np.bincount(clipped + reach, minlength=2 * reach + 1)
    inner = law.pmf(np.arange(-reach + 1, reach))
    tail = (1 - inner.sum()) / 2
    expected = np.concatenate([[tail], inner, [tail]]) * samples.size
    return float(chisquare(found, expected).pvalue)


@pytest.mark.parametrize("variance", [0.05, 0.7, 4.0, 40.0, 350.0])
def test_distribution(variance: float) -> None:
    samples = sample_skellam(variance, 60_000, generator(f"skellam {variance}"))
    assert samples.dtype == np.int64
    assert fits(samples, variance) > 1e-4


def test_the_distribution_test_can_fail() -> None:
    rng = np.random.default_rng(1)
    rounded_normal = np.rint(rng.normal(scale=math.sqrt(0.7), size=60_000)).astype(np.int64)
    assert fits(rounded_normal, 0.7) < 1e-6
    assert fits(sample_skellam(4.2, 60_000, generator("off")), 4.0) < 1e-4


@pytest.mark.parametrize("variance", [1.0, 1e3, 1e5, 3.9e6])
def test_variance_is_within_its_interval(variance: float) -> None:
    count = 40_000
    samples = sample_skellam(variance, count, generator(f"variance {variance}")).astype(float)
    # The fourth central moment of a Skellam is 3μ² + μ.
    spread = math.sqrt((2 * variance**2 + variance) / count)
    assert abs(np.mean(samples**2) - variance) < 5 * spread
    assert abs(samples.mean()) < 5 * math.sqrt(variance / count)


def test_sums_of_shares_are_skellam_again() -> None:
    rng = generator("shares")
    total = sum(sample_skellam(0.9, 50_000, rng) for _ in range(7))
    assert fits(np.asarray(total), 6.3) > 1e-4


def test_large_variances_are_split_into_equal_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    class Parts:
        def sample(self, count: int, _rng: SecureRandom) -> np.ndarray:
            asked.append(1.0)
            return np.full(count, 5, dtype=np.int64)

    seen: list[float] = []

    def table(variance: float) -> Parts:
        seen.append(variance)
        return Parts()

    monkeypatch.setattr(module, "_table", table)
    variance = 2.5 * MAX_TABLE_VARIANCE
    assert sample_skellam(variance, 2, generator()).tolist() == [15, 15]
    assert len(asked) == 3
    assert seen[0] * 3 == pytest.approx(variance)
    assert max(seen) <= MAX_TABLE_VARIANCE


def test_split_samples_have_the_whole_variance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TABLE_VARIANCE", 2.0)
    assert fits(sample_skellam(5.0, 50_000, generator("split")), 5.0) > 1e-4


def test_no_variance_no_noise() -> None:
    assert not sample_skellam(0.0, 10, generator()).any()


@pytest.mark.parametrize("variance", [-1e-9, math.nan, math.inf, 2.0**61])
def test_variances_out_of_range(variance: float) -> None:
    with pytest.raises(ValueError, match="variance"):
        sample_skellam(variance, 1, generator())


@pytest.mark.parametrize("variance", [0.3, 7.0, 900.0])
def test_table_against_bessel_functions(variance: float) -> None:
    table = _table(variance)
    reach, limit = -table._offset, mpmath.mpf(2) ** 128
    with mpmath.workprec(300):
        mu = mpmath.mpf(variance)
        running, worst = mpmath.mpf(0), mpmath.mpf(0)
        for k in range(-reach, reach):
            running += mpmath.exp(-mu) * mpmath.besseli(abs(k), mu)
            worst = max(worst, abs(running - mpmath.mpf(table._cumulative[k + reach]) / limit))
        # What lies outside the table, by the same functions.
        outside = 2 * mpmath.nsum(
            lambda k: mpmath.exp(-mu) * mpmath.besseli(k, mu), [reach + 1, reach + 400]
        )
        assert worst < mpmath.mpf(2) ** -110
        assert outside < mpmath.mpf(2) ** -117
    assert all(low <= high for low, high in pairwise(table._cumulative))
    assert table._cumulative[-1] == 2**128 - 1


class _Words(SecureRandom):
    """First words from a list, second words from another."""

    def __init__(self, first: list[int], second: list[int]) -> None:
        super().__init__(bytes(32))
        self.first, self.second = first, list(second)

    def uint64(self, count: int) -> np.ndarray:
        assert count == len(self.first)
        return np.array(self.first, dtype=np.uint64)

    def bytes(self, count: int) -> bytes:
        assert count == 8
        return self.second.pop(0).to_bytes(8, "little")


def smallest(cumulative: list[int], value: int) -> int:
    return next(k for k, bound in enumerate(cumulative) if value < bound)


TOP = 2**64 - 1
# Several entries share a first word, one of them ends exactly on a word, and the last ones share
# the largest word, as the far tail of every real table does.
TIED = [
    5 << 64,
    (9 << 64) + 3,
    (9 << 64) + 8,
    (9 << 64) + 8,
    (10 << 64) + 1,
    (1 << 127) + 17,
    (TOP << 64) + 2,
    (TOP << 64) + 9,
    (1 << 128) - 1,
]


@pytest.mark.parametrize("first", [0, 4, 5, 6, 8, 9, 10, 11, 1 << 62, 1 << 63, (1 << 63) + 1, TOP])
@pytest.mark.parametrize("second", [0, 1, 2, 3, 7, 8, 9, 16, 17, 18, TOP - 1])
def test_ties_of_the_first_word_are_decided_by_the_second(first: int, second: int) -> None:
    table = _Table(TIED, 100)
    rng = _Words([first], [second])
    found = int(table.sample(1, rng)[0]) - 100
    expected = smallest(TIED, (first << 64) + second)
    assert found == expected
    # The second word is drawn where it matters and nowhere else.
    matters = smallest(TIED, first << 64) != smallest(TIED, min((first << 64) + TOP, TIED[-1] - 1))
    assert matters <= (not rng.second)


def test_many_words_at_once_agree_with_one_at_a_time() -> None:
    table = _table(3.3)
    words = generator("words").uint64(3000).tolist()
    words += [int(word) for word in table._high[20:60]] + [0, TOP]
    found = table.sample(len(words), _Words(words, [1 << 40] * len(words)))
    expected = [smallest(table._cumulative, (w << 64) + (1 << 40)) for w in words]
    assert (found - table._offset).tolist() == expected


@pytest.mark.parametrize("variance", [1e-6, 1.0, 1e4])
def test_the_reach_leaves_no_more_than_it_says(variance: float) -> None:
    reach = module._reach(variance)
    # P(|X| > k), by the tail of a non-central chi-square (SciPy's own identity for Skellam sums).
    assert 2 * float(skellam.sf(reach, variance / 2, variance / 2)) < 2.0**-100
    assert chi2.isf(0.5, 1) > 0
