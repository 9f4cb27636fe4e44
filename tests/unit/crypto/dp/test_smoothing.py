"""Sums of discrete Gaussians against their exact distributions, summed term by term."""

import math
from itertools import pairwise

import mpmath
import pytest

from crypto.dp.smoothing import MAX_EXCESS, banded_excess, centred_excess, spread, theta

Masses = dict[int, mpmath.mpf]


def masses(centre: float, variance: float, reach: int) -> Masses:
    with mpmath.workdps(60):
        found = {
            k: mpmath.exp(-((k - mpmath.mpf(centre)) ** 2) / (2 * mpmath.mpf(variance)))
            for k in range(math.floor(centre) - reach, math.ceil(centre) + reach + 1)
        }
        total = mpmath.fsum(found.values())
        return {k: mass / total for k, mass in found.items()}


def convolved(one: Masses, other: Masses) -> Masses:
    found: dict[int, mpmath.mpf] = {}
    for j, p in one.items():
        for k, q in other.items():
            found[j + k] = found.get(j + k, mpmath.mpf(0)) + p * q
    return found


def renyi(alpha: int, p: Masses, q: Masses) -> mpmath.mpf:
    total = mpmath.fsum(p[k] ** alpha * q[k] ** (1 - alpha) for k in p.keys() & q.keys())
    return mpmath.log(total) / (alpha - 1)


@pytest.mark.parametrize("variance", [0.05, 0.3, 1.0, 2.56])
def test_theta_is_what_a_shifted_lattice_sum_can_lose(variance: float) -> None:
    with mpmath.workdps(50):
        integral = mpmath.sqrt(2 * mpmath.pi * mpmath.mpf(variance))
        worst = mpmath.mpf(0)
        for centre in (0.0, 0.25, 0.5):
            total = mpmath.fsum(
                mpmath.exp(-((k - mpmath.mpf(centre)) ** 2) / (2 * mpmath.mpf(variance)))
                for k in range(-60, 61)
            )
            worst = max(worst, abs(total / integral - 1))
    assert float(worst) == pytest.approx(theta(variance), rel=1e-9)
    assert spread(variance) >= 2 * theta(variance) or theta(variance) >= 1


@pytest.mark.parametrize("shift", [0.3, 1.0, 2.7])
@pytest.mark.parametrize(("mu", "own"), [(1.0, 0.4), (2.0, 0.5), (4.0, 2.56)])
def test_set_b_is_within_its_excess_of_the_gaussian(mu: float, own: float, shift: float) -> None:
    """A client's centred draw and two key holders' entries, narrow enough for it to show."""
    with mpmath.workdps(50):
        holders = convolved(masses(0.0, mu / 2, 30), masses(0.0, mu / 2, 30))
        bound = centred_excess(variance=mu, client_variance=own, dimension=1)
        for centre in (0.0, 0.37, 0.5):
            here = convolved(holders, masses(centre, own, 30))
            there = convolved(holders, masses(centre + shift, own, 30))
            for alpha in (2, 3, 6):
                gaussian = alpha * mpmath.mpf(shift) ** 2 / (2 * mpmath.mpf(mu))
                both = (renyi(alpha, here, there), renyi(alpha, there, here))
                assert max(both) <= gaussian + bound


def test_poisson_mixtures_of_set_b_are_within_theirs() -> None:
    """A hidden coin of rate q: (1 - q) Q + q P and Q, against the continuous mixture."""
    mu, own, shift, rate, alpha = 2.0, 0.8, 1.3, 0.3, 4
    with mpmath.workdps(40):
        holders = convolved(masses(0.0, mu / 2, 30), masses(0.0, mu / 2, 30))
        without = convolved(holders, masses(0.41, own, 30))
        present = convolved(holders, masses(0.41 + shift, own, 30))
        mixed = {
            k: (1 - rate) * without[k] + rate * present[k] for k in without.keys() & present.keys()
        }
        ideal = mpmath.fsum(
            math.comb(alpha, k)
            * (1 - rate) ** (alpha - k)
            * rate**k
            * mpmath.exp(k * (k - 1) * shift**2 / (2 * mu))
            for k in range(alpha + 1)
        )
        bound = mpmath.log(ideal) / (alpha - 1) + centred_excess(
            variance=mu, client_variance=own, dimension=1
        )
        assert renyi(alpha, mixed, without) <= bound
        assert renyi(alpha, without, mixed) <= bound


@pytest.mark.parametrize("mu", [1.0, 2.0])
def test_two_entries_with_real_centres_are_within_their_excess(mu: float) -> None:
    """Banded noise: the sum of D(a, μ/2) and D(b, μ/2), shifted by a whole number."""
    with mpmath.workdps(50):
        bound = banded_excess(variance=mu, rounds=1, dimension=1)
        for a, b in ((0.0, 0.0), (0.3, 0.4), (0.5, 0.5)):
            here = convolved(masses(a, mu / 2, 30), masses(b, mu / 2, 30))
            there = convolved(masses(a + 0.7, mu / 2, 30), masses(b + 0.3, mu / 2, 30))
            for alpha in (2, 5):
                gaussian = alpha / (2 * mpmath.mpf(mu))
                assert renyi(alpha, here, there) <= gaussian + bound


def test_the_excess_is_below_what_is_left_out_where_it_should_be() -> None:
    for dimension in (2**17, 2**20):
        found = centred_excess(variance=256.0, client_variance=2.56, dimension=dimension)
        assert 0 < found < MAX_EXCESS
    # An exact evaluation would give less: the bound is loose by a small factor alone.
    assert centred_excess(variance=256.0, client_variance=2.56, dimension=1) < 40 * math.exp(
        -2 * math.pi**2 * 256 * 2.56 / 258.56
    )
    assert banded_excess(variance=1e6, rounds=1000, dimension=2**24) == 0.0


def test_monotone() -> None:
    by_variance = [
        centred_excess(variance=mu, client_variance=2.56, dimension=8) for mu in (4, 8, 16, 64)
    ]
    assert all(a > b for a, b in pairwise(by_variance))
    by_client = [
        centred_excess(variance=64, client_variance=v, dimension=8) for v in (0.5, 1.5, 2.25, 2.56)
    ]
    assert all(a > b for a, b in pairwise(by_client))
    assert centred_excess(variance=64, client_variance=2.56, dimension=16) == pytest.approx(
        2 * by_client[-1]
    )


def test_no_noise_costs_everything() -> None:
    assert centred_excess(variance=0.0, client_variance=2.56, dimension=8) == math.inf
    assert centred_excess(variance=1.0, client_variance=0.0, dimension=8) == math.inf
    assert banded_excess(variance=0.0, rounds=1, dimension=8) == math.inf
    assert spread(1e-6) == math.inf
