"""What a whole training costs: every round, every store, one shopper's ε; by several accountants.

One shopper's clipped gradient enters at most once a round, whichever store adds it, so the number
of stores does not matter. Without sampling the rounds are Gaussian mechanisms that compose exactly:
together they are one Gaussian mechanism of multiplier z / √rounds. With a private coin of chance
``rate`` they are Poisson-sampled ones. Adjacency is zero-out, as everywhere.
"""

import math
import warnings

from dp_accounting import dp_event
from dp_accounting.pld import PLDAccountant
from dp_accounting.privacy_accountant import NeighboringRelation

from crypto.dp.accounting import GaussianRelease, Release, SampledRelease, epsilon
from simulations.evaluation.release import gaussian_multiplier


def multiplier(budget: float | None, *, rounds: int, delta: float) -> float:
    """The noise multiplier of each round without sampling for an ε over all; 0 without a budget."""
    return 0.0 if budget is None else gaussian_multiplier(budget, delta) * math.sqrt(rounds)


def by_ours(noise: float, *, rounds: int, rate: float, delta: float) -> float:
    """ε by fedcart's own Rényi accountant, as ledgers keep it."""
    base: Release = GaussianRelease(variance=noise**2, squared_l2=1.0)
    if rate < 1:
        base = SampledRelease(base=GaussianRelease(variance=noise**2, squared_l2=1.0), rate=rate)
    return epsilon([base] * rounds, delta=delta)


def by_pld(noise: float, *, rounds: int, rate: float, delta: float) -> float:
    """ε by dp-accounting's privacy loss distributions; tight."""
    relation = NeighboringRelation.REPLACE_SPECIAL
    event: dp_event.DpEvent = dp_event.GaussianDpEvent(noise)
    if rate < 1:
        event = dp_event.PoissonSampledDpEvent(rate, event)
        relation = NeighboringRelation.ADD_OR_REMOVE_ONE
    accountant = PLDAccountant(relation)
    accountant.compose(dp_event.SelfComposedDpEvent(event, rounds))
    return float(accountant.get_epsilon(delta))


def by_opacus(noise: float, *, rounds: int, rate: float, delta: float) -> float:
    """ε by Opacus' Rényi accountant. Its Gaussian-DP one is not used: it is below the truth."""
    from opacus.accountants import RDPAccountant  # noqa: PLC0415 - torch is heavy

    accountant = RDPAccountant()
    accountant.history = [(noise, rate, rounds)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Optimal order is the")
        return float(accountant.get_epsilon(delta))
