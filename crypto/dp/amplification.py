"""What a hidden coin saves: Rényi divergences of Poisson-subsampled mechanisms.

With probability q a shopper's vector takes part, with 1 - q a zero vector in its place, and nobody
but her own client learns which. P and Q being a release with and without her, the pair to compare
is (1 - q)Q + qP and Q. At integer orders α >= 2, with ε(l) the divergence of P and Q in either
direction and B_l = C(α, l) q^l (1 - q)^(α - l),

    (α - 1) ε'(α) <= ln{ B_0 + B_1 + B_2 e^{ε(2)} + w Σ_{l>=3} B_l e^{(l-1) ε(l)} }

with w = 3 for any mechanism (Zhu and Wang 2019, "Poisson Subsampled Rényi Differential Privacy",
Theorem 5) and w = 1, with equality, for the Gaussian (Mironov, Talwar, Zhang 2019, "Rényi
Differential Privacy of the Sampled Gaussian Mechanism", section 3.3).

As the B_l add up to 1, the braces are 1 + Σ_{l>=2} B_l (w_l e^{(l-1) ε(l)} - 1), all terms
positive: that sum is what is computed, in logarithms, so that small rates lose no digits.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def poisson_sampled(
    base: FloatArray, orders: Sequence[int], *, rate: float, exact: bool
) -> FloatArray:
    """ε'(α) at ``orders`` of a mechanism with ε(l) = ``base[l - 2]`` for l = 2..max(orders).

    Args:
        base: the unsampled divergences, at every integer order up to the largest asked for.
        orders: integers from 2.
        rate: q, within 0..1, both excluded.
        exact: whether the mechanism is Gaussian (w = 1); otherwise w = 3.
    """
    levels = np.arange(2, base.size + 2, dtype=np.float64)
    growth = (levels - 1) * base
    with np.errstate(divide="ignore"):  # a mechanism that costs nothing: log(0) = -inf is meant
        gains = growth + np.log1p(-np.exp(-growth))
    if not exact:
        gains[1:] = growth[1:] + np.log(3.0 - np.exp(-growth[1:]))
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, base.size + 2)))])
    odds = levels * np.log(rate)
    return np.array([_order(alpha, gains, factorials, odds, rate) for alpha in orders])


def _order(
    alpha: int, gains: FloatArray, factorials: FloatArray, odds: FloatArray, rate: float
) -> float:
    used = slice(0, alpha - 1)
    picks = np.arange(2, alpha + 1)
    choose = factorials[alpha] - factorials[picks] - factorials[alpha - picks]
    terms = choose + odds[used] + (alpha - picks) * np.log1p(-rate) + gains[used]
    top = float(terms.max())
    if not np.isfinite(top):
        return 0.0 if top < 0 else float("inf")
    log_sum = top + float(np.log(np.exp(terms - top).sum()))
    return float(np.logaddexp(0.0, log_sum)) / (alpha - 1)
