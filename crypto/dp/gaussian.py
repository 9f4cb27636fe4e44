"""Discrete Gaussian samples from a cryptographic stream: of a fixed centre, and of real centres.

D(c, σ) gives the integer k a probability in proportion to exp(-(k - c)² / 2σ²). Two samplers:

``DiscreteGaussian``, centre 0, reads a 64-bit cumulative table through a 16-bit guide: the masks
of compact sum need one sample a coefficient.
Guarantee: total variation below 2**-50 a sample (each of at most 2**14 table entries rounded by
less than 2**-64, tails cut below 2**-64); for σ = 8, with 161 entries, below 2**-56.

``centred``, any real centre, rejects from a small table of proposals: the noise of Set B.
Proposals are drawn with *exactly* known probabilities (a table entry is picked by 14 bits of a
word), so only the acceptance probability, computed in float64, is inexact.
Guarantee: let x = (k - c)² / 2σ². A sample's probability of k is D(c, σ)(k) times 1 + η with
|η| <= (5x + 12) · 2**-53 (rounding of x, four ulps of exp, two products, rounding of the uniform
number), plus an absolute error below 2**-100 for all k together (tails, and the grain of the
uniform number). As E[(5x + 12)²] < 2**8, the Kullback-Leibler divergence is below 2**-98 a sample;
over the 2**34 samples of the largest round (1,000 clients, d = 2**24) it is below 2**-64 and so,
by Pinsker's inequality, everything together is within total variation 2**-32 of exact samples,
which no stated δ is precise enough to show.

Neither sampler takes constant time: side channels on the device itself are out of scope.
Source: Karney 2016 and Canonne, Kamath, Steinke 2020 for sampling by rejection; the table of
proposals is ours.
"""

import math
from functools import lru_cache
from typing import Final

import mpmath
import numpy as np
import numpy.typing as npt

from crypto.dp.random import SecureRandom

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MIN_SIGMA: Final = 0.5
MAX_TABLE_SIGMA: Final = 800.0
MAX_SIGMA: Final = 2.0**24
MAX_CENTRE: Final = 2.0**40
_CHUNK: Final = 1 << 16  # what is in flight stays in the processor's cache

_GUIDE_BITS: Final = 16
_REST_BITS: Final = 64 - _GUIDE_BITS
_AMBIGUOUS: Final = -(1 << 15)

_SLOT_BITS: Final = 14
_SLOTS: Final = 1 << _SLOT_BITS
_TAIL_BITS: Final = 104
# Below 2**44 of 2**64 a uniform number gets 64 bits more, so that rare events keep their odds.
_SMALL: Final = np.uint64(1 << 44)


class DiscreteGaussian:
    """Sampler of D(0, σ); its table is public.

    Raises:
        ValueError: ``sigma`` is not within 0.5..800.
    """

    def __init__(self, sigma: float) -> None:
        if not MIN_SIGMA <= sigma <= MAX_TABLE_SIGMA:
            raise ValueError(f"Expected a σ from {MIN_SIGMA} to {MAX_TABLE_SIGMA}, got {sigma}.")
        self.sigma = sigma
        self.reach, self._edges = _cumulative(sigma)
        starts = np.arange(1 << _GUIDE_BITS, dtype=np.uint64) << np.uint64(_REST_BITS)
        first = np.searchsorted(self._edges, starts, side="right")
        last = np.searchsorted(self._edges, starts | np.uint64((1 << _REST_BITS) - 1), side="right")
        self._guide = np.where(first == last, first - self.reach, _AMBIGUOUS).astype(np.int16)

    def sample(self, count: int, rng: SecureRandom) -> npt.NDArray[np.int16]:
        """Draw ``count`` independent samples; int16, shape (count,)."""
        found = np.empty(count, dtype=np.int16)
        for start in range(0, count, _CHUNK):
            self._fill(found[start : start + _CHUNK], rng)
        return found

    def _fill(self, found: npt.NDArray[np.int16], rng: SecureRandom) -> None:
        words = np.frombuffer(rng.bytes(2 * found.size), dtype="<u2")
        np.take(self._guide, words, out=found, mode="clip")
        # A bucket that holds an edge doesn't decide by itself: 48 more bits do.
        open_ones = np.flatnonzero(found == _AMBIGUOUS)
        if open_ones.size:
            rest = rng.uint64(open_ones.size) >> np.uint64(_GUIDE_BITS)
            full = (words[open_ones].astype(np.uint64) << np.uint64(_REST_BITS)) | rest
            found[open_ones] = np.searchsorted(self._edges, full, side="right") - self.reach


def _cumulative(sigma: float) -> tuple[int, npt.NDArray[np.uint64]]:
    """The reach r, and floor(2**64 · P(X <= k)) for k = -r..r-1; beyond r is less than 2**-64."""
    reach = math.ceil(sigma * math.sqrt(2 * math.log(2.0) * 66)) + 1
    with mpmath.workprec(192):
        double = 2 * mpmath.mpf(sigma) ** 2
        masses = [mpmath.exp(-(k**2) / double) for k in range(reach + 1)]
        scale = mpmath.mpf(2) ** 64 / (masses[0] + 2 * mpmath.fsum(masses[1:]))
        running, edges = mpmath.mpf(0), []
        for k in range(-reach, reach):
            running += masses[abs(k)] * scale
            edges.append(min(int(running), (1 << 64) - 1))
    return reach, np.array(edges, dtype=np.uint64)


def centred(centres: FloatArray, sigma: float, rng: SecureRandom) -> IntArray:
    """Draw one sample of D(c, σ) for each centre c.

    Args:
        centres: float64, shape (count,); finite, at most 2**40 in size.
        sigma: the σ of all of them, from 0.5 to 2**24.
        rng: the stream.

    Returns:
        int64, shape (count,); the guarantee is the module's.

    Raises:
        ValueError: a σ or a centre out of range, NaN included.
    """
    if not MIN_SIGMA <= sigma <= MAX_SIGMA:
        raise ValueError(f"Expected a σ from {MIN_SIGMA} to {MAX_SIGMA}, got {sigma}.")
    if not np.all(np.abs(centres) <= MAX_CENTRE):
        raise ValueError(f"Expected finite centres of at most {MAX_CENTRE} in size.")
    proposal = _proposal(sigma)
    result = np.empty(centres.size, dtype=np.int64)
    for start in range(0, centres.size, _CHUNK):
        part = centres[start : start + _CHUNK]
        whole = np.floor(part)
        # Exact in float64: a number below 2**52 minus its floor.
        offsets = proposal.sample(part - whole, rng)
        result[start : start + _CHUNK] = whole.astype(np.int64) + offsets
    return result


class _Proposal:
    """Proposals for D(f, σ), f in [0, 1): blocks of 2**b integers, picked by a table of slots.

    The table has a row for each cell of f. A block has as many of a row's 2**14 slots as cover its
    largest weight anywhere in the cell, and at least one; what is too much is rejected.
    """

    def __init__(self, sigma: float) -> None:
        self._double = 2 * sigma * sigma
        self._block_bits = max(0, math.floor(math.log2(sigma / 16)))
        self._cells = 1 << max(0, math.ceil(math.log2(16 / sigma)))
        width = 1 << self._block_bits
        reach = math.ceil(sigma * math.sqrt(2 * math.log(2.0) * _TAIL_BITS)) + 1
        self._lowest = -(-reach // width)
        blocks = np.arange(-self._lowest, self._lowest + 1)
        self._slots = np.empty((self._cells, _SLOTS), dtype=np.int16)
        self._odds = np.empty((self._cells, blocks.size))
        for cell in range(self._cells):
            nearest = blocks * width - (cell + 1) / self._cells
            furthest = blocks * width + width - 1 - cell / self._cells
            gap = np.maximum(0.0, np.maximum(nearest, -furthest))
            counts, scale = _share_out(np.exp(-gap * gap / self._double))
            self._slots[cell] = np.repeat(np.arange(blocks.size), counts)
            self._odds[cell] = scale / counts

    def sample(self, fractions: FloatArray, rng: SecureRandom) -> IntArray:
        """One sample of D(f, σ) for each f in [0, 1); int64, shape (count,)."""
        cells = (fractions * self._cells).astype(np.int64)
        found, accepted = self._attempt(fractions, cells, rng)
        pending = np.flatnonzero(~accepted)
        while pending.size:
            again, accepted = self._attempt(fractions[pending], cells[pending], rng)
            found[pending[accepted]] = again[accepted]
            pending = pending[~accepted]
        return found

    def _attempt(
        self, fractions: FloatArray, cells: IntArray, rng: SecureRandom
    ) -> tuple[IntArray, npt.NDArray[np.bool_]]:
        words = rng.uint64(cells.size)
        picks = (words & np.uint64(_SLOTS - 1)).astype(np.int64)
        blocks = self._slots[cells, picks].astype(np.int64)
        inside = (words >> np.uint64(64 - self._block_bits)) if self._block_bits else words * 0
        found = ((blocks - self._lowest) << self._block_bits) + inside.astype(np.int64)
        gap = found - fractions
        odds = np.exp(-gap * gap / self._double) * self._odds[cells, blocks]
        return found, _uniform(cells.size, rng) < odds


def _share_out(weights: FloatArray) -> tuple[IntArray, float]:
    """Slots for each weight, and a scale for which ``weights * scale <= slots`` always holds."""
    low, high = 0.0, float(_SLOTS)
    for _ in range(60):
        middle = (low + high) / 2
        fits = np.maximum(1, np.ceil(weights * middle)).sum() <= _SLOTS
        low, high = (middle, high) if fits else (low, middle)
    counts = np.maximum(1, np.ceil(weights * low)).astype(np.int64)
    counts[np.argmax(weights)] += _SLOTS - counts.sum()
    # A little less, so that rounding never makes an acceptance probability exceed 1.
    return counts, low * (1 - 2.0**-40)


def _uniform(count: int, rng: SecureRandom) -> FloatArray:
    """Uniform in [0, 1] with a relative precision of 2**-53 down to 2**-75, shape (count,)."""
    words = rng.uint64(count)
    values = words.astype(np.float64)
    small = np.flatnonzero(words < _SMALL)
    if small.size:
        values[small] += rng.uint64(small.size).astype(np.float64) * 2.0**-64
    return values * 2.0**-64


@lru_cache(maxsize=32)
def _proposal(sigma: float) -> _Proposal:
    return _Proposal(sigma)
