"""The chosen ciphertext's counterpart against compact sum: read the victim's body in a siege.

Key holders' keys are not in what is added, so no body that a client chooses brings them out. What a
round opens is Σs, of all that is on the voted list; the coalition takes its own secrets away and
uses the rest on the victim's body. The entries of two honest key holders are still in the rest.
"""

from collections.abc import Mapping

import numpy as np

from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.update import FloatArray
from simulations.attacks.coalition import (
    COALITION,
    SYBILS,
    Besieged,
    WordArray,
    besiege,
    besieged_plan,
    collude,
    read_body,
    secret_sum,
)
from simulations.attacks.finding import Control, Finding
from simulations.attacks.messages import values_of
from simulations.attacks.parties import parties
from simulations.attacks.piece_lab import PieceLab
from simulations.attacks.pipeline import CONTEXT, SENDER, Pipeline
from simulations.attacks.setting import Setting
from simulations.attacks.share_lab import some_shoppers
from simulations.attacks.statistics import clopper_pearson

# A reading that is a hundred times likelier than blind guessing of 18-bit values would show.
NEGLIGIBLE = 0.001


def chosen_body(setting: Setting) -> Finding:
    """Besiege one victim over the real messages and try every secret that the coalition has."""
    plan = besieged_plan(setting.run.popularity.plan)
    vector = some_shoppers(plan, 1, setting.chance)[0]
    with parties(rng=setting.secure, z_floor=plan.noise_multiplier / 2) as everybody:
        found = besiege(everybody, plan, vector, setting.secure)
    return readings(found, alone(plan, vector, setting.secure))


def readings(found: Besieged, control: tuple[int, int]) -> Finding:
    """The finding: the best of the coalition's readings; ``control`` is matching of all values."""
    truth = values_of(found.victim)
    rates = {
        name: int(
            (read_body(found.victim.sealed.body, secret, found.plan, found.context) == truth).sum()
        )
        for name, secret in candidates(found).items()
    }
    best = max(rates.values())
    interval, bare = clopper_pearson(best, truth.size), clopper_pearson(*control)
    return Finding(
        name="chosen ciphertext, compact sum",
        adversary=COALITION,
        action="Opens a round with bodies and secrets of its own choosing, then reads the victim's "
        "body with every secret that it can compute.",
        claim="The coalition learns the noisy sum and nothing else of a sealed vector.",
        measure="share of the victim's values read exactly",
        figure=best / truth.size,
        interval=interval,
        bound=NEGLIGIBLE,
        permitted="chance hits on masked values",
        holds=interval.low <= NEGLIGIBLE,
        control=Control(
            name="the same without the honest key holders' entries in the sum",
            figure=control[0] / control[1],
            interval=bare,
            fired=bare.low > 0.99,
        ),
        note="Against share sum one altered ciphertext reads everything (see there). The control "
        "is a sum that no honest key holder votes for.",
        details={
            f"read with {name}": f"{count:,} of {truth.size:,}" for name, count in rates.items()
        },
    )


def candidates(found: Besieged) -> Mapping[str, WordArray]:
    """Every secret that the coalition can compute, by name."""
    rest = found.opened_secret - found.known_secret
    return {
        "no secret": np.zeros_like(rest),
        "the opened sum of secrets": found.opened_secret,
        "that sum without the coalition's own": rest,
        "an average contributor's": (rest.view(np.int32) // 3).view(np.uint32),
    }


def alone(plan: PrivacyPlan, vector: FloatArray, rng: SecureRandom) -> tuple[int, int]:
    """The control: a sum over the victim and colluders alone; matching values, and of how many."""
    lab = PieceLab(plan=plan, rng=rng)
    noised = Pipeline(plan=plan, context=CONTEXT, rng=rng).client([vector])
    victim = lab.scheme.seal(noised, sender=SENDER, rng=rng)
    colluders = [collude(lab.scheme, plan, sender=SENDER, rng=rng) for _ in range(SYBILS)]
    sealed = [victim, *(each.sealed for each in colluders)]
    opened = secret_sum(lab.open(sealed, lab.scheme.add(sealed))[:2])
    known = np.sum([each.secret for each in colluders], axis=0).astype(np.uint32)
    read = read_body(victim.body, opened - known, plan, CONTEXT)
    return int((read == noised.values).sum()), noised.values.size
