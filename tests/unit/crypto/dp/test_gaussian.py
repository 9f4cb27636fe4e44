"""Discrete Gaussian samples against mpmath's exact probabilities."""

import math
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from scipy.stats import chisquare

from crypto.dp.gaussian import (
    MAX_CENTRE,
    MAX_SIGMA,
    DiscreteGaussian,
    _proposal,
    _uniform,
    centred,
)
from crypto.dp.random import SecureRandom
from tests.unit.crypto.samples import generator

TOP = 2**64 - 1


def normaliser(centre: float, sigma: float) -> mpmath.mpf:
    """Σ exp(-(k - c)² / 2σ²) over all integers: a theta function, by Poisson summation."""
    with mpmath.workprec(300):
        nome = mpmath.exp(-2 * mpmath.pi**2 * mpmath.mpf(sigma) ** 2)
        waves = mpmath.jtheta(3, mpmath.pi * mpmath.mpf(centre), nome)
        return mpmath.mpf(sigma) * mpmath.sqrt(2 * mpmath.pi) * waves


def mass(k: int, centre: float, sigma: float) -> mpmath.mpf:
    with mpmath.workprec(300):
        gap = mpmath.mpf(k) - mpmath.mpf(centre)
        weight = mpmath.exp(-(gap**2) / (2 * mpmath.mpf(sigma) ** 2))
        return weight / normaliser(centre, sigma)


def fits(samples: np.ndarray, centre: float, sigma: float) -> float:
    """p-value of a chi-square test, values pooled where fewer than about twenty are expected."""
    low = math.floor(centre - 3 * sigma) - 1
    high = math.ceil(centre + 3 * sigma) + 1
    step = max(1, math.ceil(sigma / 8))
    edges = np.arange(low, high + step, step)
    total = normaliser(centre, sigma)
    inner = []
    for start, end in pairwise(edges.tolist()):
        masses = [
            mpmath.exp(-((mpmath.mpf(k) - centre) ** 2) / (2 * sigma**2)) for k in range(start, end)
        ]
        inner.append(float(mpmath.fsum(masses) / total))
    below, inside = np.sum(samples < edges[0]), np.histogram(samples, edges - 0.5)[0]
    outer = np.array([below + np.sum(samples >= edges[-1])])
    found = np.concatenate([inside, outer])
    expected = np.array([*inner, 1 - sum(inner)]) * samples.size
    return float(chisquare(found, expected * found.sum() / expected.sum()).pvalue)


class TestTable:
    @pytest.mark.parametrize("sigma", [0.5, 1.7, 8.0, 40.0])
    def test_distribution(self, sigma: float) -> None:
        samples = DiscreteGaussian(sigma).sample(400_000, generator(f"cdt {sigma}"))
        assert samples.shape == (400_000,)
        assert fits(samples, 0.0, sigma) > 1e-4

    def test_the_distribution_test_can_fail(self) -> None:
        rounded = np.rint(np.random.default_rng(1).normal(scale=0.8, size=400_000)).astype(int)
        assert fits(rounded, 0.0, 0.8) < 1e-6
        off = DiscreteGaussian(8.1).sample(400_000, generator("off"))
        assert fits(off, 0.0, 8.0) < 1e-6
        assert fits(off + 1, 1.0, 8.1) > 1e-4 > fits(off + 1, 0.9, 8.1)

    def test_moments_are_within_their_intervals(self) -> None:
        count = 4_000_000
        samples = DiscreteGaussian(8.0).sample(count, generator("moments")).astype(np.float64)
        assert abs(samples.mean()) < 5 * 8 / math.sqrt(count)
        # At σ = 8 the variance is 64 to within 1e-500; the fourth moment is 3σ⁴.
        assert abs(np.mean(samples**2) - 64) < 5 * math.sqrt(2 / count) * 64
        neighbours = np.mean(samples[1:] * samples[:-1])
        assert abs(neighbours) < 5 * 64 / math.sqrt(count)

    @pytest.mark.parametrize("sigma", [0.5, 8.0, 30.0])
    def test_table_against_theta_functions(self, sigma: float) -> None:
        table = DiscreteGaussian(sigma)
        with mpmath.workprec(300):
            running = mpmath.mpf(0)
            for k in range(-table.reach, table.reach):
                running += mass(k, 0.0, sigma)
                error = int(table._edges[k + table.reach]) - running * mpmath.mpf(2) ** 64
                assert -2 < error < 1
            outside = 2 * mpmath.fsum(
                mass(k, 0.0, sigma) for k in range(table.reach + 1, table.reach + 400)
            )
        assert outside < mpmath.mpf(2) ** -64
        assert table._edges.size == 2 * table.reach

    def test_every_bucket_decides_what_a_full_word_would(self) -> None:
        """Both ends of every bucket, by plain bisection; ambiguous ones draw 48 more bits."""
        table = DiscreteGaussian(8.0)
        for rest in (0, 1, (1 << 47) + 12345, (1 << 48) - 1):
            rng = _Words(list(range(1 << 16)), rest)
            found = table.sample(1 << 16, rng)
            full = (np.arange(1 << 16, dtype=np.uint64) << np.uint64(48)) | np.uint64(rest)
            edges = table._edges
            expected = [np.sum(edges <= word) for word in full[:: 1 << 7]]
            assert (found[:: 1 << 7] + table.reach).tolist() == expected
            ambiguous = np.flatnonzero(table._guide == -(1 << 15))
            expected = [int(np.sum(edges <= word)) for word in full[ambiguous]]
            assert (found[ambiguous] + table.reach).tolist() == expected
            assert rng.drawn == ambiguous.size

    def test_only_buckets_with_an_edge_are_ambiguous(self) -> None:
        table = DiscreteGaussian(8.0)
        holding = {int(edge) >> 48 for edge in table._edges if int(edge) % (1 << 48)}
        assert set(np.flatnonzero(table._guide == -(1 << 15)).tolist()) == holding

    def test_words_at_the_edges_of_the_table(self) -> None:
        table = DiscreteGaussian(8.0)
        for position in (0, 1, 40, 77, 78, 100, 2 * table.reach - 1):
            edge = int(table._edges[position])
            for word in (edge - 1, edge, min(edge + 1, TOP)):
                if word < 0:
                    continue
                found = table.sample(1, _Words([word >> 48], word % (1 << 48)))
                assert int(found[0]) == sum(int(e) <= word for e in table._edges) - table.reach

    @pytest.mark.parametrize("sigma", [0.0, -1.0, 0.4, 801.0, math.nan, math.inf])
    def test_sigmas_out_of_range(self, sigma: float) -> None:
        with pytest.raises(ValueError, match="σ"):
            DiscreteGaussian(sigma)

    def test_the_largest_table_fits_its_type(self) -> None:
        table = DiscreteGaussian(800.0)
        assert 800 * 9 < table.reach < 2**14
        samples = table.sample(100_000, generator("largest"))
        assert abs(samples.std() - 800) < 10

    def test_no_samples(self) -> None:
        assert DiscreteGaussian(8.0).sample(0, generator()).size == 0


class _Words(SecureRandom):
    """16-bit words from a list; every longer word has the same last 48 bits."""

    def __init__(self, first: list[int], rest: int) -> None:
        super().__init__(bytes(32))
        self.first, self.rest, self.drawn = first, rest, 0

    def bytes(self, count: int) -> bytes:
        assert count == 2 * len(self.first)
        return np.array(self.first, dtype="<u2").tobytes()

    def uint64(self, count: int) -> np.ndarray:
        self.drawn += count
        return np.full(count, (self.rest << 16) | 0xABCD, dtype=np.uint64)


CENTRES = [0.0, 0.3, 0.5, 1 / 16, 0.999999, -7.25, 123456.7]


class TestCentred:
    @pytest.mark.parametrize("sigma", [0.5, 1.5, 2.0, 7.3])
    @pytest.mark.parametrize("centre", CENTRES)
    def test_distribution(self, centre: float, sigma: float) -> None:
        samples = centred(np.full(150_000, centre), sigma, generator(f"{centre} {sigma}"))
        assert samples.dtype == np.int64
        assert fits(samples, centre, sigma) > 1e-4

    @pytest.mark.parametrize("sigma", [16.0, 31.9, 33.0, 400.0, 3000.0])
    def test_distribution_with_blocks(self, sigma: float) -> None:
        samples = centred(np.full(200_000, 0.4), sigma, generator(f"blocks {sigma}"))
        assert fits(samples, 0.4, sigma) > 1e-4

    @pytest.mark.parametrize(("centre", "sigma"), [(0.34, 1.5), (0.3, 1.54), (-0.7, 1.5)])
    def test_the_distribution_test_can_fail(self, centre: float, sigma: float) -> None:
        samples = centred(np.full(150_000, centre), sigma, generator("wrong"))
        assert fits(samples, 0.3, 1.5) < 1e-4

    def test_rounding_a_normal_number_is_something_else(self) -> None:
        rounded = np.rint(np.random.default_rng(2).normal(0.3, 1.5, 150_000)).astype(int)
        assert fits(rounded, 0.3, 1.5) < 1e-4

    @pytest.mark.parametrize("sigma", [1.5, 2.0, 50.0, 1e5, 2.0**24])
    def test_moments_of_many_centres(self, sigma: float) -> None:
        count = 400_000
        centres = np.random.default_rng(3).uniform(-1000, 1000, count)
        gaps = centred(centres, sigma, generator(f"moments {sigma}")) - centres
        # From σ = 1.5 on, mean and variance are c and σ² to within 1e-17 whatever the centre.
        assert abs(gaps.mean()) < 5 * sigma / math.sqrt(count)
        assert abs(np.mean(gaps**2) / sigma**2 - 1) < 5 * math.sqrt(2 / count)
        assert abs(np.mean(gaps**4) / sigma**4 - 3) < 5 * math.sqrt(96 / count)
        assert abs(np.mean(gaps * centres)) < 5 * sigma * 578 / math.sqrt(count)

    @pytest.mark.parametrize("sigma", [0.5, 1.5, 1.7, 2.0, 16.0])
    def test_every_proposal_covers_its_cell_and_corrects_exactly(self, sigma: float) -> None:
        """(slots / 2**14) · odds is one constant in a row: what is kept is in proportion to D."""
        proposal = _proposal(sigma)
        assert proposal._block_bits == 0
        for cell in range(proposal._cells):
            counts = np.bincount(proposal._slots[cell], minlength=proposal._odds.shape[1])
            constant = counts * proposal._odds[cell]
            assert counts.min() >= 1
            assert np.ptp(constant) <= 4e-16 * constant[0]
            for fraction in np.linspace(cell, cell + 1, 9) / proposal._cells:
                gaps = np.arange(counts.size) - proposal._lowest - fraction
                weights = np.exp(-(gaps**2) / (2 * sigma**2))
                assert (weights * proposal._odds[cell]).max() <= 1
                assert np.sum(counts * weights * proposal._odds[cell]) > 0.9 * 2**14

    @pytest.mark.parametrize("sigma", [32.0, 100.0, 1e5])
    def test_every_block_covers_its_integers(self, sigma: float) -> None:
        proposal = _proposal(sigma)
        width = 1 << proposal._block_bits
        assert (proposal._cells, width > 1) == (1, True)
        counts = np.bincount(proposal._slots[0], minlength=proposal._odds.shape[1])
        for inside in {0, 1, width // 2, width - 1}:
            for fraction in (0.0, 0.5, 1 - 2**-53):
                gaps = (np.arange(counts.size) - proposal._lowest) * width + inside - fraction
                weights = np.exp(-(gaps**2) / (2 * sigma**2))
                assert (weights * proposal._odds[0]).max() <= 1
        constant = counts * proposal._odds[0]
        assert np.ptp(constant) <= 4e-16 * constant[0]

    @pytest.mark.parametrize("sigma", [0.5, 1.5, 2.0, 31.0])
    @pytest.mark.parametrize("fraction", [0.0, 0.5, 1 - 2**-53])
    def test_what_lies_beyond_the_proposals(self, sigma: float, fraction: float) -> None:
        proposal = _proposal(sigma)
        width = 1 << proposal._block_bits
        low = -proposal._lowest * width
        high = (proposal._odds.shape[1] - proposal._lowest) * width
        outside = [*range(low - 500, low), *range(high, high + 500)]
        assert mpmath.fsum(mass(k, fraction, sigma) for k in outside) < mpmath.mpf(2) ** -101

    def test_a_sequence_of_chunks(self) -> None:
        centres = np.arange(200_001, dtype=np.float64) + 0.25
        gaps = centred(centres, 1.5, generator("chunks")) - centres
        assert np.abs(gaps).max() < 10
        assert abs(gaps.mean()) < 5 * 1.5 / math.sqrt(200_001)

    @pytest.mark.parametrize("sigma", [0.0, 0.49, -2.0, math.nan, math.inf, 2 * MAX_SIGMA])
    def test_sigmas_out_of_range(self, sigma: float) -> None:
        with pytest.raises(ValueError, match="σ"):
            centred(np.zeros(1), sigma, generator())

    @pytest.mark.parametrize("centre", [math.nan, math.inf, -math.inf, 2 * MAX_CENTRE])
    def test_centres_out_of_range(self, centre: float) -> None:
        with pytest.raises(ValueError, match="centres"):
            centred(np.array([0.0, centre]), 1.5, generator())

    def test_centres_at_the_ends_of_their_range(self) -> None:
        ends = np.array([MAX_CENTRE, -MAX_CENTRE])
        assert (np.abs(centred(ends, 1.5, generator("ends")) - ends) < 20).all()

    def test_no_centres(self) -> None:
        assert centred(np.zeros(0), 1.5, generator()).size == 0


class _Given(SecureRandom):
    def __init__(self, *answers: list[int]) -> None:
        super().__init__(bytes(32))
        self.answers = [np.array(answer, dtype=np.uint64) for answer in answers]

    def uint64(self, count: int) -> np.ndarray:
        answer = self.answers.pop(0)
        assert answer.size == count
        return answer


def test_small_uniform_numbers_are_drawn_finer() -> None:
    rng = _Given([0, 1, 2**44 - 1, 2**44, TOP], [2**63, 3 * 2**62, 0])
    found = _uniform(5, rng).tolist()
    assert found == [2.0**-65, 1.75 * 2.0**-64, (2**44 - 1) * 2.0**-64, 2.0**-20, 1.0]
    assert not rng.answers
