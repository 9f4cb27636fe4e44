"""Correlated ciphertexts against share sum: a client that repeats a victim multiplies her weight.

A client sees a victim's sealed bytes, multiplies the ciphertexts by a constant and signs the result
as its own. Nothing in share sum binds a ciphertext to its sender, so the opened sum holds the
victim several times, under noise that was meant for once. It *must* succeed, like the chosen
ciphertext, and for the same reason.
"""

import numpy as np

from crypto.dp.plan import PrivacyPlan
from simulations.attacks.finding import Control, Finding
from simulations.attacks.setting import Setting
from simulations.attacks.share_lab import CLIENTS, ShareLab, altered, share_plan, some_shoppers
from simulations.attacks.statistics import Interval, weight

FACTOR = 15


def correlated_ciphertext(setting: Setting) -> Finding:
    """Play a round of share sum in which one client sends a multiple of another's ciphertexts."""
    return repeat(setting, setting.run.popularity.plan)


def repeat(setting: Setting, plan: PrivacyPlan) -> Finding:
    """The finding for vectors of a plan's length."""
    lab = ShareLab(plan=share_plan(plan), rng=setting.secure)
    figure, interval = play(lab, setting.chance, copies=FACTOR)
    once, once_interval = play(lab, setting.chance, copies=0)
    return Finding(
        name="correlated ciphertext, share sum",
        adversary="One client that sees a victim's sealed bytes.",
        action=f"Signs {FACTOR} times the victim's ciphertexts as its own upload.",
        claim="None: share sum does not bind a sealed vector to its sender.",
        measure="the victim's weight in the opened sum",
        figure=figure,
        interval=interval,
        bound=None,
        permitted="documented limit: the attack must succeed",
        holds=interval.low > FACTOR,
        documented=True,
        control=Control(
            name="the same measurement where that client sends its own vector",
            figure=once,
            interval=once_interval,
            fired=once_interval.high < 2.0,
        ),
        note="The weight is measured exactly, with the others' vectors known. Noise that a victim "
        "added herself is multiplied too; the rest of the cohort's is not.",
        details={"honest clients beside the hostile one": str(CLIENTS)},
    )


def play(lab: ShareLab, rng: np.random.Generator, *, copies: int) -> tuple[float, Interval]:
    """The victim's weight in one opened sum; ``copies`` 0 is an honest round."""
    pipeline, scheme = lab.pipeline, lab.scheme
    vectors = some_shoppers(lab.plan, CLIENTS + 1, rng)
    noised = [pipeline.client([vector]) for vector in vectors]
    sealed = [scheme.seal(each, sender=bytes(32), rng=lab.rng) for each in noised]
    others = noised[1:]
    if copies:
        sealed[-1] = altered(sealed[0], lambda _, each: each.times(copies))
        others = noised[1:-1]
    for each in sealed:
        scheme.check(each)
    total = scheme.add(sealed)
    opened = scheme.combine(total, lab.open(sealed, total))
    left = (opened - np.sum([each.values for each in others], axis=0)).astype(np.float64)
    return weight(left, noised[0].values.astype(np.float64))
