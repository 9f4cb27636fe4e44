"""Dropouts: does losing clients ever leave less noise in the sum than is accounted for?

The smallest cohort that may be released, with as many colluders as the plan assumes keeping their
noise to themselves. What is left must still have the plan's variance μ.
"""

import math
from dataclasses import replace

import numpy as np

from crypto.dp.plan import PrivacyPlan
from simulations.attacks.finding import Control, Finding
from simulations.attacks.setting import Setting
from simulations.attacks.statistics import FloatArray, Interval, variance_interval

SAMPLES = 1 << 15
DIMENSION = 1024


def dropouts(setting: Setting) -> Finding:
    """Measure the noise of the popularity release's plan at its smallest cohort."""
    release = setting.run.popularity
    return least_noise(setting, release.plan)


def least_noise(setting: Setting, plan: PrivacyPlan, *, samples: int = SAMPLES) -> Finding:
    """The finding for a plan; ``samples`` noise values in all."""
    plan = replace(plan, dimension=min(plan.dimension, DIMENSION), max_shoppers=plan.max_clients)
    repetitions = math.ceil(samples / plan.padded_dimension)
    measured = _ratio(_noise(setting, plan, repetitions), plan)
    # The fault to catch: the noise divided by everybody asked, of whom some then drop out.
    asked = replace(plan, min_clients=plan.max_clients, max_colluders=0)
    short = replace(plan, noise_multiplier=_thinned(plan, asked))
    faulty = _ratio(_noise(setting, short, repetitions), plan)
    return Finding(
        name="dropouts",
        adversary="As many colluders as the plan assumes leave out their noise, and every other "
        "client above the minimum cohort drops out.",
        action="Measures the variance that is left in the sum.",
        claim="Whoever drops out, the noise is never below what ε is computed from.",
        measure="variance of the noise, as a share of the accounted μ",
        figure=measured[0],
        interval=measured[1],
        bound=1.0,
        permitted="at least 1: the plan's μ = z²Δ₂²",
        holds=measured[1].high >= 1.0,
        control=Control(
            name="a plan that divides the noise by everybody asked",
            figure=faulty[0],
            interval=faulty[1],
            fired=faulty[1].high < 1.0,
        ),
        note="Here the bound is a floor: the interval must reach 1. Sums of plain integers.",
        details={
            "minimum cohort": f"{plan.min_clients} clients, {plan.max_colluders} of them colluding",
            "asked": f"{plan.max_clients} clients",
            "noise values measured": f"{repetitions * plan.padded_dimension:,}",
        },
    )


def _thinned(plan: PrivacyPlan, asked: PrivacyPlan) -> float:
    """The noise multiplier that the plan's honest minimum really has under the faulty division."""
    return plan.noise_multiplier * math.sqrt(asked.client_variance / plan.client_variance)


def _noise(setting: Setting, plan: PrivacyPlan, repetitions: int) -> FloatArray:
    pipeline = setting.pipeline(plan)
    drawn = [pipeline.accounted_noise() for _ in range(repetitions)]
    return np.concatenate(drawn).astype(np.float64)


def _ratio(noise: FloatArray, plan: PrivacyPlan) -> tuple[float, Interval]:
    interval = variance_interval(noise)
    figure = float(np.mean(noise**2)) / plan.variance
    return figure, Interval(low=interval.low / plan.variance, high=interval.high / plan.variance)
