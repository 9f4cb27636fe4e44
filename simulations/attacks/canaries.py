"""The one-run audit: a thousand canary shoppers, each in or out of one release by a coin.

Source: Steinke, Nasr, Jagielski 2023, "Privacy auditing with one (1) training run". Every canary
points in a direction of its own, so that one release answers a thousand coins at once.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from crypto.dp.bound import rounded_up
from crypto.dp.plan import PrivacyPlan
from crypto.update import FloatArray
from simulations.attacks.finding import Control, Finding
from simulations.attacks.pipeline import Pipeline
from simulations.attacks.setting import Setting
from simulations.attacks.statistics import (
    AUDIT_CONFIDENCE,
    Interval,
    audit_epsilon,
    clopper_pearson,
    gaussian_accuracy,
)
from simulations.report import words

CANARIES = 2000
LEAST = 1000
_HALF_OPEN = 1e-6


@dataclass(frozen=True, kw_only=True)
class Guesses:
    """How many coins the adversary guessed right."""

    canaries: int
    right: int
    delta: float

    @property
    def epsilon_low(self) -> float:
        """Lower bound on ε, at 95 %."""
        return audit_epsilon(
            canaries=self.canaries, guesses=self.canaries, right=self.right, delta=self.delta
        )

    @property
    def interval(self) -> Interval:
        """From the audit's lower bound to the ε that the most accurate guessing would need."""
        high = clopper_pearson(self.right, self.canaries).high
        return Interval(
            low=self.epsilon_low, high=max(0.0, float(logit(min(high, 1 - _HALF_OPEN))))
        )


def canaries(setting: Setting) -> Finding:
    """Audit the plan of the run's popularity release."""
    release = setting.run.popularity
    return audit(setting, release.plan, claimed=release.epsilon)


def audit(setting: Setting, plan: PrivacyPlan, *, claimed: float, count: int = CANARIES) -> Finding:
    """The finding for a plan whose record claims ``claimed``."""
    count = min(count, plan.dimension)
    coins = setting.chance.random(count) < 0.5
    guessed = play(setting.pipeline(plan), coins, noise=True)
    bare = play(setting.pipeline(plan), coins, noise=False)
    return Finding(
        name="one-run canary audit",
        adversary="Knows every shopper's vector, chose the canaries, and sees the release; does "
        "not know the coins, nor the noise of the parties that the accounting calls honest.",
        action=f"{count:,} canary shoppers enter one release or not, each by a coin; it guesses "
        "every coin from the released sum.",
        claim=f"{words.bound(claimed)} at most (δ = {words.delta(plan.delta)}).",
        measure=f"lower bound on ε ({AUDIT_CONFIDENCE:.0%} sure)",
        figure=guessed.epsilon_low,
        interval=guessed.interval,
        bound=rounded_up(claimed),
        permitted="the ε that the release's record states",
        holds=guessed.epsilon_low <= claimed,
        control=Control(
            name="noise off",
            figure=bare.epsilon_low,
            interval=bare.interval,
            fired=bare.epsilon_low > claimed,
        ),
        note="An audit from below: it finds broken noise, it can't prove the bound. Sums of plain "
        "integers. The upper end of the interval is the ε that guessing this well would need.",
        details={
            "coins guessed right": f"{guessed.right:,} of {count:,}",
            "without noise": f"{bare.right:,} of {count:,}",
            "dimension": f"{plan.dimension:,}",
            "noise multiplier": f"{plan.noise_multiplier:.3f}",
            "would be noticed": f"a noise multiplier below {visible(count, plan, claimed):.2f}",
        },
    )


def visible(count: int, plan: PrivacyPlan, claimed: float) -> float:
    """The noise multiplier below which this audit is expected to refute the claim."""

    def refutes(noise: float) -> bool:
        right = round(count * gaussian_accuracy(1 / noise))
        found = Guesses(canaries=count, right=right, delta=plan.delta)
        return found.epsilon_low > claimed

    low, high = 0.01, 100.0
    while high / low > 1.01:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if refutes(middle) else (low, middle)
    return low


def play(pipeline: Pipeline, coins: npt.NDArray[np.bool_], *, noise: bool) -> Guesses:
    """One release over the canaries whose coin is heads; the adversary's best guess of each coin.

    Every canary is the unit vector of its own item, so the coordinates of the unrotated sum are
    its sufficient statistics; half a clipping norm is the best threshold between in and out.
    """
    plan = pipeline.plan
    inside = [_canary(plan, int(item)) for item in np.flatnonzero(coins)]
    total = pipeline.shoppers_alone(inside)
    if noise:
        total = total + pipeline.accounted_noise()
    guesses = pipeline.released(total)[: coins.size] > plan.clipping_norm / 2
    right = int((guesses == coins).sum())
    return Guesses(canaries=coins.size, right=right, delta=plan.delta)


def _canary(plan: PrivacyPlan, item: int) -> FloatArray:
    vector = np.zeros(plan.dimension)
    vector[item] = plan.clipping_norm
    return vector
