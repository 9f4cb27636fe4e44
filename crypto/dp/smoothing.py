"""Sums of discrete Gaussians: how far they are from one continuous Gaussian.

ϑ(t) = 2 Σ_{m>=1} exp(-2π²tm²) is what Poisson summation leaves of a lattice: for every centre c,
Σ_k exp(-(k - c)² / 2t) is √(2πt) times a factor within 1 ± ϑ(t). Completing the square, the weights
of a sum of two discrete Gaussians with variances a and b are those of one with variance a + b
times a factor within 1 ± ϑ(ab / (a + b)). Let ρ(t) = ln[(1 + ϑ(t)) / (1 - ϑ(t))].

Set B, one coordinate: the victim's client gives D(c, v), c real, and two honest key holders
D(0, μ/2) each. Their sum is pointwise within exp ±[ρ(μ/4) + ρ(μv / (μ + v))] of D(c, μ + v), which
is within exp ±[ρ(v) + ρ(μ + v)] of what an integer drawn from D(y, v) around y ~ N(c, μ) is: a
postprocessing of a continuous Gaussian of variance μ. Everybody else's part is added after that.
If two distributions are within exp ±κ of two others, Rényi divergences differ by at most
κ(2α - 1) / (α - 1) <= 3κ for α >= 2, and so do those of their mixtures.

Banded noise, one coordinate of one round: given their own past, two honest key holders' entries are
D(a, μ/2) and D(b, μ/2) with real centres; the sum is within exp ±ρ(μ/4) of D(a + b, μ), and the
divergence of two shifted D(·, μ) is at most αδ²/2μ + 2ρ(μ).

Source: Canonne, Kamath, Steinke 2020 and Kairouz, Liu, Steinke 2021 for the technique; this
composition of it is ours, and not reviewed from outside.
"""

import math
from typing import Final

# What a plan may cost beyond the continuous Gaussian, in all coordinates of a release.
MAX_EXCESS: Final = 1e-12
_TERMS: Final = 64


def theta(variance: float) -> float:
    """ϑ(t): how far a lattice sum of a Gaussian of variance t is from its integral, relatively."""
    return 2 * math.fsum(math.exp(-2 * math.pi**2 * variance * m * m) for m in range(1, _TERMS))


def spread(variance: float) -> float:
    """ρ(t) = ln[(1 + ϑ) / (1 - ϑ)]; infinite where ϑ(t) >= 1."""
    found = theta(variance)
    return 2 * math.atanh(found) if found < 1 else math.inf


def centred_excess(*, variance: float, client_variance: float, dimension: int) -> float:
    """Set B: what a release's ε(α) exceeds the Gaussian's of variance μ by, at most, α >= 2."""
    mu, own = variance, client_variance
    if mu <= 0 or own <= 0:
        return math.inf
    both = mu + own
    return 3 * dimension * math.fsum(map(spread, (mu / 4, mu * own / both, own, both)))


def banded_excess(*, variance: float, rounds: int, dimension: int) -> float:
    """Banded noise: the same for ``rounds`` rounds together."""
    if variance <= 0:
        return math.inf
    return rounds * dimension * (3 * spread(variance / 4) + 2 * spread(variance))
