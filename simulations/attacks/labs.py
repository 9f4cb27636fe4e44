"""The lab of each secure sum."""

from collections.abc import Callable, Mapping

from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.sums.schemes import Scheme
from simulations.attacks.piece_lab import PieceLab
from simulations.attacks.pipeline import Lab
from simulations.attacks.setting import Setting
from simulations.attacks.share_lab import ShareLab


def _share(plan: PrivacyPlan, rng: SecureRandom) -> Lab:
    return ShareLab(plan=plan, rng=rng)


def _piece(plan: PrivacyPlan, rng: SecureRandom) -> Lab:
    return PieceLab(plan=plan, rng=rng)


LABS: Mapping[Scheme, Callable[[PrivacyPlan, SecureRandom], Lab]] = {
    Scheme.SHARE_SUM: _share,
    Scheme.PIECE_SUM: _piece,
    Scheme.COMPACT_SUM: _piece,
}


def lab_of(setting: Setting) -> Lab:
    """The lab of the scheme and plan under which the run released its popularity."""
    plan = setting.run.popularity.plan
    return LABS[plan.scheme](plan, setting.secure)
