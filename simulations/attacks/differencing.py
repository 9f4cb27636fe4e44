"""Differencing: two releases that differ by one shopper, told apart by the likelihood ratio.

The adversary knows everybody else's exact vector, so the rest cancels and what remains is the
noise, with or without her. Repeated with fresh noise, its rates of true and false alarms must stay
inside the region that (ε, δ) permits, and agree with what theory says of the best test.
"""

import math
from dataclasses import dataclass

import numpy as np

from crypto.dp.plan import PrivacyPlan
from crypto.update import FloatArray
from simulations.attacks.finding import Control, Finding
from simulations.attacks.permitted import Permitted, permitted
from simulations.attacks.pipeline import Pipeline
from simulations.attacks.setting import Setting, under
from simulations.attacks.statistics import (
    Interval,
    clopper_pearson,
    gaussian_accuracy,
    permitted_accuracy,
    permitted_tpr,
)
from simulations.report import words

REPETITIONS = 12_000
DIMENSION = 64
CLIENTS = 12
# Thresholds, in standard deviations of the statistic, around the one of fewest errors.
OFFSETS = (-2.0, -1.0, 0.0, 1.0, 2.0)


@dataclass(frozen=True, kw_only=True)
class Point:
    """One threshold of the test: how often it says "she is in" when she is, and when she isn't."""

    true: Interval
    false: Interval
    true_rate: float
    false_rate: float

    def beyond(self, *, epsilon: float, delta: float) -> bool:
        """Whether the point lies clearly outside the permitted region."""
        return self.true.low > permitted_tpr(self.false.high, epsilon=epsilon, delta=delta)


def differencing(setting: Setting) -> Finding:
    """Test the popularity release's noise on one shopper of full length."""
    release = setting.run.popularity
    plan = under(release.plan, release.plan.scheme, clients=CLIENTS, dimension=DIMENSION)
    bound = permitted([release], permitted_accuracy, stated=(release.epsilon, release.plan.delta))
    return tell_apart(setting, plan, claimed=release.epsilon, bound=bound)


def tell_apart(
    setting: Setting,
    plan: PrivacyPlan,
    *,
    claimed: float,
    bound: Permitted,
    repetitions: int = REPETITIONS,
) -> Finding:
    """The finding for a plan whose record claims ``claimed`` at the plan's δ."""
    pipeline = setting.pipeline(plan)
    target = np.zeros(plan.dimension)
    target[: min(8, plan.dimension)] = 1.0
    inside = statistics(pipeline, target, repetitions, present=True, noise=True)
    outside = statistics(pipeline, target, repetitions, present=False, noise=True)
    curve = [point(inside, outside, threshold) for threshold in _thresholds(plan)]
    accuracy = accuracy_of(inside, outside)
    bare = accuracy_of(
        statistics(pipeline, target, repetitions // 4, present=True, noise=False),
        statistics(pipeline, target, repetitions // 4, present=False, noise=False),
    )
    expected = gaussian_accuracy(plan.scale / math.sqrt(plan.variance)) if plan.private else 1.0
    within = not any(each.beyond(epsilon=claimed, delta=plan.delta) for each in curve)
    return Finding(
        name="differencing",
        adversary="Knows every other shopper's exact vector, and hers; sees the released sum.",
        action="Decides by the likelihood ratio whether she is in it; "
        f"{2 * repetitions:,} releases with fresh noise.",
        claim=f"{words.bound(claimed)} at most (δ = {words.delta(plan.delta)}), against any test.",
        measure="share of right decisions",
        figure=accuracy[0],
        interval=accuracy[1],
        bound=bound.least,
        permitted=bound.told,
        holds=within and accuracy[1].low <= bound.least,
        control=Control(
            name="noise off", figure=bare[0], interval=bare[1], fired=bare[1].low > bound.least
        ),
        note="Sums of plain integers over a shorter vector at the same noise multiplier.",
        details={
            "theory, best test against normal noise": f"{expected:.4f}"
            + (" (within the interval)" if expected in accuracy[1] else " (outside the interval)"),
            **{
                f"alarms when she isn't in: {each.false_rate:.3f}": f"when she is: "
                f"{each.true_rate:.3f}; permitted "
                f"{permitted_tpr(each.false_rate, epsilon=claimed, delta=plan.delta):.3f}"
                for each in curve
            },
        },
    )


def statistics(
    pipeline: Pipeline, target: FloatArray, repetitions: int, *, present: bool, noise: bool
) -> FloatArray:
    """The log likelihood ratio of each repetition, up to its scale, shape (repetitions,).

    Skellam noise of this variance is normal to within 1/μ, so the ratio is linear in the inner
    product with the vector; centred so that 0 is the threshold of fewest errors, in units of the
    noise's standard deviation.
    """
    plan = pipeline.plan
    direction = pipeline.rotation.forward(target / np.linalg.norm(target))
    spread = math.sqrt(plan.variance) if plan.private else 1.0
    found = np.empty(repetitions)
    for position in range(repetitions):
        total = pipeline.shoppers_alone([target] if present else [])
        if noise:
            total = total + pipeline.accounted_noise()
        inner = float((total * direction).sum())
        found[position] = (inner - plan.scale / 2) / spread
    return found


def point(inside: FloatArray, outside: FloatArray, threshold: float) -> Point:
    """The rates of one threshold."""
    true, false = int((inside > threshold).sum()), int((outside > threshold).sum())
    return Point(
        true=clopper_pearson(true, inside.size),
        false=clopper_pearson(false, outside.size),
        true_rate=true / inside.size,
        false_rate=false / outside.size,
    )


def accuracy_of(inside: FloatArray, outside: FloatArray) -> tuple[float, Interval]:
    """Right decisions at the threshold of fewest errors."""
    right = int((inside > 0).sum() + (outside <= 0).sum())
    trials = inside.size + outside.size
    return right / trials, clopper_pearson(right, trials)


def _thresholds(plan: PrivacyPlan) -> tuple[float, ...]:
    return OFFSETS if plan.private else (0.0,)
