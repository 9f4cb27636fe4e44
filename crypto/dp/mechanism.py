"""Which mechanism a plan's release is, in the accountant's words."""

from typing import TYPE_CHECKING

from crypto.dp.accounting import GaussianRelease, Release, SampledRelease, SkellamRelease
from crypto.dp.correlated import squared_norm
from crypto.dp.plan_terms import Sampling
from crypto.dp.rounding import l1_bound
from crypto.dp.smoothing import banded_excess, centred_excess
from crypto.dp.widths import NoiseSet

if TYPE_CHECKING:
    from crypto.dp.plan import PrivacyPlan


def release_of(plan: "PrivacyPlan") -> Release:
    """The described release of one round to a shopper who takes part.

    Skellam in set A, Gaussian in set B and with bands (one participation costs ‖c‖² there), either
    of them sampled where a hidden coin decides.
    """
    base = _mechanism(plan)
    if not plan.private or plan.sampling is Sampling.ALL:
        return base
    return SampledRelease(base=base, rate=plan.sampling_rate)


def _mechanism(plan: "PrivacyPlan") -> SkellamRelease | GaussianRelease:
    if plan.private and (plan.noise is NoiseSet.CENTRED_GAUSSIAN or plan.bands > 1):
        return GaussianRelease(
            variance=plan.variance,
            squared_l2=squared_norm(plan.bands) * plan.squared_sensitivity,
            excess=integer_excess(plan),
        )
    return SkellamRelease(
        variance=plan.variance,
        squared_l2=plan.squared_sensitivity,
        l1=l1_bound(plan.scale, plan.padded_dimension),
    )


def integer_excess(plan: "PrivacyPlan") -> float:
    """What integers cost beyond a continuous Gaussian, nats at every order.

    Of one release in set B; of all rounds together with bands; 0 for Skellam noise.
    """
    if plan.noise is NoiseSet.CENTRED_GAUSSIAN:
        return centred_excess(
            variance=plan.variance,
            client_variance=plan.client_variance,
            dimension=plan.padded_dimension,
        )
    if plan.bands == 1:
        return 0.0
    return banded_excess(
        variance=plan.variance, rounds=plan.rounds, dimension=plan.padded_dimension
    )
