"""Signal from a symmetric sum under noise: which directions are real, and how strong they are.

The true sum has few strong directions; the noise on its off-diagonal entries is a Wigner matrix
whose spectrum ends at the edge e = σ√(2M). A direction that shows beyond the edge is real, and its
observed eigenvalue w overstates it by a known amount, so ½(w + √(w² - e²)) is what it was
(Benaych-Georges and Nadakuditi 2011). The rest is noise and goes to zero.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """The part of a noisy sum that is signal.

    Attributes:
        values: float64, shape (r,): eigenvalues, the noise's share taken off, in shoppers.
        vectors: float64, shape (M, r): one column each.
        edge: where the noise's own spectrum ends.
    """

    values: FloatArray
    vectors: FloatArray
    edge: float


def noise_edge(noise_stddev: float, items: int) -> float:
    """Where the spectrum of pure noise ends: e = σ√(2M).

    The sum holds √2 · the triangle, so an off-diagonal entry has noise σ/√2, and
    Wigner's semicircle of such entries has radius 2 · (σ/√2) · √M.
    """
    return noise_stddev * float(np.sqrt(2.0 * items))


def shrunk(matrix: FloatArray, *, noise_stddev: float) -> Spectrum:
    """The positive directions of a symmetric matrix beyond the noise edge, shrunk."""
    edge = noise_edge(noise_stddev, len(matrix))
    observed, vectors = np.linalg.eigh(matrix)
    kept = observed > max(edge, 1e-9)
    w = observed[kept]
    return Spectrum(values=0.5 * (w + np.sqrt(w**2 - edge**2)), vectors=vectors[:, kept], edge=edge)
