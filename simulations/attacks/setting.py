"""What every attack is given: the audited run, randomness, and keys of this audit's own."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.dp.widths import NoiseSet
from crypto.sums.schemes import Scheme
from simulations.attacks.audited import AuditedRun
from simulations.attacks.finding import Finding
from simulations.attacks.pipeline import CONTEXT, Pipeline


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One audit.

    Attributes:
        run: what is audited.
        chance: the adversaries' coins and the bootstrap; never noise or secrets.
        secure: noise and secrets of the rounds that attacks play.
    """

    run: AuditedRun
    chance: np.random.Generator
    secure: SecureRandom = field(default_factory=SecureRandom)

    def pipeline(self, plan: PrivacyPlan) -> Pipeline:
        """A round on plain integers under a plan."""
        return Pipeline(plan=plan, context=CONTEXT, rng=self.secure)


Attack = Callable[[Setting], Finding]


def under(plan: PrivacyPlan, scheme: Scheme, *, clients: int, **changes: Any) -> PrivacyPlan:
    """The plan under a secure sum, for so many clients of one shopper each, none colluding.

    Guarantee: the same noise multiplier, so the same ε but for what length and scale add to Δ₂.
    """
    chosen = {field.name: getattr(plan, field.name) for field in fields(plan)}
    share = scheme is Scheme.SHARE_SUM
    changed = {
        "scheme": scheme,
        "noise": NoiseSet.SKELLAM if share else plan.noise,
        "experimental": plan.experimental and not share,
        "client_noise": max(1.0, plan.client_noise) if share else plan.client_noise,
        "min_clients": clients,
        "max_clients": clients,
        "max_shoppers": clients,
        "max_colluders": 0,
    }
    del chosen["scale"]
    return PrivacyPlan.fitted(**(chosen | changed | changes))
