"""Zero-sending sybils: every other client sends zeros and no noise, to have the victim alone.

What protects her then is the noise of the key holders' own entries: with two of the three honest,
exactly what ε is computed from.
"""

import numpy as np

from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.sums.schemes import Scheme
from crypto.update import FloatArray
from simulations.attacks.coalition import COALITION, SYBILS, Besieged, besiege, besieged_plan
from simulations.attacks.finding import Control, Finding
from simulations.attacks.messages import values_of
from simulations.attacks.parties import parties
from simulations.attacks.pipeline import CONTEXT, Pipeline
from simulations.attacks.setting import Setting, under
from simulations.attacks.share_lab import some_shoppers
from simulations.attacks.statistics import Interval, variance_interval


def sybils(setting: Setting) -> Finding:
    """Besiege one victim over the real messages and measure what noise is left around her."""
    plan = besieged_plan(setting.run.popularity.plan)
    vector = some_shoppers(plan, 1, setting.chance)[0]
    with parties(rng=setting.secure, z_floor=plan.noise_multiplier / 2) as everybody:
        found = besiege(everybody, plan, vector, setting.secure)
    return left_around(found, unprotected(plan, vector, setting.secure))


def left_around(found: Besieged, bare: tuple[float, Interval]) -> Finding:
    """The finding from a besieged round; ``bare`` is the control's ratio."""
    figure, interval = _ratio(found.opened - values_of(found.victim), found.plan)
    return Finding(
        name="zero-sending sybils",
        adversary=COALITION,
        action="All but the victim send zeros without noise; it takes everything that it knows "
        "out of the opened sum.",
        claim="An honest shopper has her (ε, δ) even if every other client is corrupt.",
        measure="variance of the noise around her, as a share of the accounted μ",
        figure=figure,
        interval=interval,
        bound=1.0,
        permitted="at least 1: the plan's μ = z²Δ₂²",
        holds=interval.high >= 1.0,
        control=Control(
            name="share sum, where key holders add no noise: her own share is all there is",
            figure=bare[0],
            interval=bare[1],
            fired=bare[1].high < 1.0,
        ),
        note="Here the bound is a floor: the interval must reach 1. Her own share of noise comes "
        "on top. One round over the real messages.",
        details={
            "noise values measured": f"{found.opened.size:,}",
            "uploads in the sum": f"{len(found.everything)}, three of them key holders' entries",
        },
    )


def unprotected(plan: PrivacyPlan, vector: FloatArray, rng: SecureRandom) -> tuple[float, Interval]:
    """What is left around a victim of share sum, in sums of plain integers."""
    shared = under(plan, Scheme.SHARE_SUM, clients=SYBILS + 1)
    pipeline = Pipeline(plan=shared, context=CONTEXT, rng=rng)
    opened = pipeline.client([vector]).values
    return _ratio(opened - np.rint(pipeline.bounded(vector)).astype(np.int64), shared)


def _ratio(noise: np.ndarray, plan: PrivacyPlan) -> tuple[float, Interval]:
    values = noise.astype(np.float64)
    interval = variance_interval(values)
    figure = float(np.mean(values**2)) / plan.variance
    return figure, Interval(low=interval.low / plan.variance, high=interval.high / plan.variance)
