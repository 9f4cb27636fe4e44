"""What every attack is given: the audited run, randomness, and keys of this audit's own."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
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


def rehearsal(plan: PrivacyPlan, *, dimension: int, clients: int) -> PrivacyPlan:
    """The plan with a shorter vector and a smaller cohort, at the same noise multiplier.

    Guarantee: clients split exactly the noise that the plan accounts for, none colluding.
    """
    return replace(
        plan,
        dimension=dimension,
        min_clients=clients,
        max_clients=clients,
        max_shoppers=max(clients, 2),
        max_colluders=0,
    )
