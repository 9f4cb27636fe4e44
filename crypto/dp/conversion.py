"""From Rényi divergences to (ε, δ), with numpy alone: what a device needs to keep a ledger.

For each order α > 1 with divergence ε(α), a mechanism is (ε, δ)-DP with

    ε = ε(α) + ln(1 - 1/α) - ln(αδ) / (α - 1)

(Canonne, Kamath, Steinke 2020, "The Discrete Gaussian for Differential Privacy", Proposition 12),
and with ε = 0 where 1 - exp(-ε(α)) < δ², as ε(α) bounds the Kullback-Leibler divergence and the
total variation is at most the root of 1 - exp(-KL) (Bretagnolle, Huber 1979). The least over all
orders holds. Tests hold it equal to dp-accounting's.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from crypto.dp.accounting import ORDERS, Release, total_rdp

FloatArray = npt.NDArray[np.float64]


def least_epsilon(orders: Sequence[int], rdp: FloatArray, *, delta: float) -> float:
    """The least ε at ``delta`` that divergences at integer orders >= 2 give; at least 0.

    Infinite where no order has a finite divergence, and where any is not a number.

    Raises:
        ValueError: ``delta`` is not within 0..1, both excluded.
    """
    if not 0 < delta < 1:
        raise ValueError(f"Expected 0 < delta={delta} < 1.")
    if np.isnan(rdp).any():
        return float("inf")
    alpha = np.asarray(orders, dtype=np.float64)
    found = rdp + np.log1p(-1 / alpha) - np.log(alpha * delta) / (alpha - 1)
    found = np.where(-np.expm1(-rdp) < delta**2, 0.0, found)
    return max(0.0, float(found.min()))


def device_epsilon(releases: Iterable[Release], *, delta: float) -> float:
    """The ε of all releases together at ``delta``; 0 without any, infinite without noise.

    The same number as ``crypto.dp.accounting.epsilon``, without dp-accounting.
    """
    return least_epsilon(ORDERS, total_rdp(releases), delta=delta)
