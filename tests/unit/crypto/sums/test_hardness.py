"""How hard the lattice problem behind compact sum is, estimated here without anybody's estimator.

The primal attack by embedding and BKZ: block size β suffices if the projected secret is shorter
than the Gram-Schmidt norm there, ‖e‖ √β ≤ δ(β)^(2β - d) vol^(1/d) (Alkim, Ducas, Pöppelmann,
Schwabe 2016), and one call costs 2^0.292β classically, 2^0.265β on a quantum computer (core-SVP, a
lower bound: it counts one call and no memory). The opened sums are hints, which leave σ ≥ 4 of
σ = 8 (Kim, Lee, Seo, Song 2023: 1/σ'² = 2 (1/σ² + 1/σ²), one honest contributor beside the client).
"""

import math

import pytest

from crypto.sums.compact_sum.parameters import RING_DEGREE, SIGMA


def root_hermite(block: int) -> float:
    base = (math.pi * block) ** (1 / block) * block / (2 * math.pi * math.e)
    return float(base ** (1 / (2 * (block - 1))))


def solves(block: int, *, degree: int, modulus_bits: int, stddev: float) -> bool:
    """Whether this block size suffices with the best number of samples."""
    gain, log_q = math.log(root_hermite(block)), modulus_bits * math.log(2)
    for samples in range(degree // 2, 2 * degree, 32):
        dimension = degree + samples + 1
        shortest = math.log(stddev * math.sqrt(block))
        if shortest <= (2 * block - dimension) * gain + samples * log_q / dimension:
            return True
    return False


def block_size(*, degree: int, modulus_bits: int, stddev: float) -> int:
    low, high = 60, 3000
    while low < high:
        middle = (low + high) // 2
        if solves(middle, degree=degree, modulus_bits=modulus_bits, stddev=stddev):
            high = middle
        else:
            low = middle + 1
    return low


def after_hints(stddev: float) -> float:
    """What the opened sum of two honest secrets leaves of their standard deviation."""
    return 1 / math.sqrt(2 * (1 / stddev**2 + 1 / stddev**2))


def test_hints_leave_half() -> None:
    assert after_hints(SIGMA) == pytest.approx(4.0)


def test_the_parameters_are_far_above_128_bits() -> None:
    block = block_size(degree=RING_DEGREE, modulus_bits=32, stddev=after_hints(SIGMA))
    assert block == pytest.approx(766, abs=10)
    assert 0.292 * block > 200
    assert 0.265 * block > 190


def test_half_the_degree_would_not_be() -> None:
    """The control: the estimate does refuse, and PROTOCOL's smaller ring is what it refuses."""
    block = block_size(degree=1024, modulus_bits=32, stddev=4.0)
    assert 0.292 * block < 100


@pytest.mark.parametrize(("block", "known"), [(400, 1.0040), (500, 1.0034), (800, 1.00244)])
def test_root_hermite_factors_are_the_known_ones(block: int, known: float) -> None:
    assert root_hermite(block) == pytest.approx(known, abs=6e-5)
