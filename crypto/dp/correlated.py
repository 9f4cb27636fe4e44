"""Banded noise: key holders' entries that cancel over rounds, replayed without jax.

With coefficients c_0 = 1, c_1..c_{b-1} and C the lower-triangular Toeplitz matrix that they fill,
each key holder's entries N_0, N_1, ... follow

    N_t ~ discrete Gaussian of variance h = μ/2, centred at -Σ_{k>=1} c_k N_{t-k}

so that C·N is noise of variance h, independent over rounds, while sums over rounds have far less of
it than independent entries would leave. Every entry is an integer: no rounding accumulates.

Guarantee: let a shopper take part at most once in any ``separation`` >= b rounds, and let Δ₂ bound
her integer vector. Given everything that came before it, a round's sum of two honest entries
shifts by (C x)_t, x being her vectors; columns of C that belong to two of her participations share
no row, so Σ_t |(C x)_t|² <= k‖c‖²Δ₂² after k participations, k <= ceil(t / separation) after t
rounds, whatever she or anybody else chose on the way. The Rényi divergence of all rounds is thus at
most αk‖c‖²Δ₂² / 2μ plus the integers' excess (``crypto.dp.smoothing``). Her own client and the
rounds' order enforce the separation: see ``may_take_part``.

A number of a run belongs to one round for good: two sums under one entry would cancel it. So a
round that is tried again takes the next number, and a key holder draws the entries of numbers that
were skipped. The last b - 1 entries are secrets of their key holder that outlive their rounds; one
that lost them must not go on with the same run.

Source: Choquette-Choo et al. 2023, "(Amplified) Banded Matrix Factorization" (sensitivity, Theorem
2; adaptivity after Denisov et al. 2022, by the chain above and Feldman, Zrnic 2021); the integer
form is ours. Coefficients: jax_privacy, scripts/make-banded-coefficients.
"""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crypto.errors import PlanError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_DATA = Path(__file__).with_name("banded.json")
_HORIZON = 4096


@cache
def _table() -> dict[int, tuple[float, ...]]:
    document = json.loads(_DATA.read_bytes())
    return {1: (1.0,)} | {
        int(bands): tuple(map(float, values)) for bands, values in document["coefficients"].items()
    }


def coefficients(bands: int) -> tuple[float, ...]:
    """c_0..c_{b-1}, c_0 = 1; for one band that alone.

    Raises:
        PlanError: no coefficients for this number of bands.
    """
    table = _table()
    if bands not in table:
        raise PlanError(f"Expected bands={bands} among {sorted(table)}.")
    return table[bands]


def squared_norm(bands: int) -> float:
    """‖c‖²: what one participation costs, against a round of independent noise."""
    return float(np.square(coefficients(bands)).sum())


@cache
def growth(bands: int, rounds: int) -> float:
    """How much larger than h the variance of the entry of round ``rounds - 1`` is.

    The sum of the first squared coefficients of C's inverse: it grows with the rounds, to a limit.
    """
    strategy = np.array(coefficients(bands))
    # The inverse's coefficients die out long before this; the rest adds nothing to a float64.
    count = min(rounds, _HORIZON)
    inverse = np.zeros(count)
    for t in range(count):
        reach = min(t, bands - 1)
        past = inverse[t - reach : t][::-1]
        inverse[t] = (1.0 if t == 0 else 0.0) - float(np.dot(strategy[1 : reach + 1], past))
    return float(np.square(inverse).sum())


def entry_centre(bands: int, past: Sequence[IntArray]) -> FloatArray:
    """-Σ_{k>=1} c_k N_{t-k}, shape (padded dim,); ``past`` holds earlier entries, oldest first.

    Raises:
        ValueError: no earlier entry (the centre is zero then, of a length only the plan knows), or
            more of them than there are bands to weigh.
    """
    strategy = coefficients(bands)
    if not 0 < len(past) < bands:
        raise ValueError(f"Expected 1 to {bands - 1} earlier entries, got {len(past)}.")
    centre = np.zeros(past[0].shape)
    for lag, entry in enumerate(reversed(past), start=1):
        centre -= strategy[lag] * entry
    return centre


def may_take_part(*, separation: int, number: int, previous: int | None) -> bool:
    """Whether a shopper who last took part in round ``previous`` may in round ``number``.

    Rounds of a run are numbered from 0. Her own client asks this; it counts a round as taken part
    in as soon as it started to, and a number that is not above the last one as a refusal.
    """
    return previous is None or number - previous >= separation
