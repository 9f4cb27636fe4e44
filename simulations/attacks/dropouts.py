"""Dropouts: does losing clients ever leave less noise in the sum than is accounted for?

The smallest cohort that may be released, with as many colluders as the plan assumes keeping their
noise to themselves. What is left must still have the plan's variance μ.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from crypto.dp.plan import PrivacyPlan
from crypto.dp.plan_terms import CORRUPT_HOLDERS
from crypto.sums.schemes import HOLDERS
from crypto.update import IntArray
from simulations.attacks.finding import Control, Finding
from simulations.attacks.setting import Setting
from simulations.attacks.statistics import Interval, variance_interval

SAMPLES = 1 << 16


def dropouts(setting: Setting) -> Finding:
    """Measure the noise of the popularity release's plan at its smallest cohort."""
    release = setting.run.popularity
    return least_noise(setting, release.plan)


def least_noise(setting: Setting, plan: PrivacyPlan, *, samples: int = SAMPLES) -> Finding:
    """The finding for a plan; ``samples`` noise values a measurement."""
    repetitions = math.ceil(samples / plan.padded_dimension)
    votes = plan.scheme.votes
    pipeline, faulty = setting.pipeline(plan), setting.pipeline(_faulty(plan))
    figure, interval = _ratio(pipeline.accounted_noise, repetitions, plan.variance)
    short, short_interval = _ratio(faulty.accounted_noise, repetitions, plan.variance)
    details = {
        "minimum cohort": f"{plan.min_clients} clients, {plan.max_colluders} of them colluding",
        "noise values measured": f"{repetitions * plan.padded_dimension:,}",
    }
    second = Interval(low=1.0, high=1.0)
    if votes and plan.client_noise:
        honest = plan.min_clients - plan.max_colluders
        line, second = _ratio(
            lambda: pipeline.client_noise(honest), repetitions, plan.client_noise * plan.variance
        )
        details["second line: the clients' own noise, as a share of the planned one"] = (
            f"{line:.3f}, {second.low:.3f} to {second.high:.3f}"
        )
    return Finding(
        name="dropouts",
        adversary="Every client beyond the minimum cohort drops out; the others and one key "
        "holder keep their noise to themselves."
        if votes
        else "As many colluders as the plan assumes leave out their noise, and every client beyond "
        "the minimum cohort drops out.",
        action="Measures the variance that is left in the sum.",
        claim="Whoever drops out, the noise is never below what ε is computed from.",
        measure="variance of the noise, as a share of the accounted μ",
        figure=figure,
        interval=interval,
        bound=1.0,
        permitted="at least 1: the plan's μ = z²Δ₂²",
        holds=interval.high >= 1.0 and second.high >= 1.0,
        control=Control(
            name="three key holders that split the noise as if none were corrupt"
            if votes
            else f"a plan that divides the noise by all {plan.max_clients} clients asked",
            figure=short,
            interval=short_interval,
            fired=short_interval.high < 1.0,
        ),
        note="Here the bound is a floor: the interval must reach 1. Sums of plain integers.",
        details=details,
    )


def _faulty(plan: PrivacyPlan) -> PrivacyPlan:
    """A plan whose honest minimum has less noise, by the division that is the fault to catch."""
    left = (
        (HOLDERS - CORRUPT_HOLDERS) / HOLDERS
        if plan.scheme.votes
        else (plan.min_clients - plan.max_colluders) / plan.max_clients
    )
    return replace(plan, noise_multiplier=plan.noise_multiplier * math.sqrt(left))


def _ratio(
    draw: Callable[[], IntArray], repetitions: int, variance: float
) -> tuple[float, Interval]:
    noise = np.concatenate([draw() for _ in range(repetitions)]).astype(np.float64)
    interval = variance_interval(noise)
    figure = float(np.mean(noise**2)) / variance
    return figure, Interval(low=interval.low / variance, high=interval.high / variance)
