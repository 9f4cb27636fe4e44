"""Chosen ciphertext against share sum: a client and the coordinator read the key holders' keys.

The client adds M_k·⌊q/p⌋ to the second polynomial of its own ciphertext for key holder k, so that
what key holder k opens contains M_k·sk_k. Honest shares lie on a line in k; the second difference
of the three answers cancels them and leaves Σ ±M_k·sk_k, whose ternary digits are the three keys.
With those the coordinator decrypts any upload it ever received. It *must* succeed: it is why share
sum is refused where devices outside an alliance may take part.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crypto.dp.plan import PrivacyPlan
from crypto.sums.share_sum.parameters import PLAIN_MODULUS, SLOTS
from crypto.update import IntArray, PartSum
from simulations.attacks.bfv_slots import to_polynomial
from simulations.attacks.finding import Control, Finding
from simulations.attacks.setting import Setting
from simulations.attacks.share_lab import (
    CLIENTS,
    ShareLab,
    altered,
    read,
    share_plan,
    some_shoppers,
)
from simulations.attacks.statistics import Interval, clopper_pearson

# The second difference weighs the answers 1, -2, 1: these multiples make it Σ 4^(k-1) · (±sk_k).
MULTIPLES = (1, 2, 16)
SIGNS = (1, -1, 1)
_BASE = 4


@dataclass(frozen=True, kw_only=True)
class Stolen:
    """What the coordinator got out of one round."""

    matching: int
    values: int

    @property
    def rate(self) -> float:
        """Share of the victim's values that were read exactly."""
        return self.matching / self.values

    @property
    def interval(self) -> Interval:
        """Of the rate, over values."""
        return clopper_pearson(self.matching, self.values)


def chosen_ciphertext(setting: Setting) -> Finding:
    """Play one round of share sum with a hostile client, and one without as the control."""
    return steal(setting, setting.run.popularity.plan)


def steal(setting: Setting, plan: PrivacyPlan) -> Finding:
    """The finding for vectors of a plan's length."""
    lab = ShareLab(plan=share_plan(plan), rng=setting.secure)
    attacked = play(lab, setting.chance, MULTIPLES)
    honest = play(lab, setting.chance, (0, 0, 0))
    return Finding(
        name="chosen ciphertext, share sum",
        adversary="One client, allied with a coordinator that adds and asks as the protocol says.",
        action="Adds a multiple of ⌊q/p⌋ to the second polynomial of its own ciphertexts; reads "
        "the three key holders' keys from their answers and decrypts a victim's upload.",
        claim="None: share sum does not withstand a client allied with the coordinator.",
        measure="share of a victim's values read exactly",
        figure=attacked.rate,
        interval=attacked.interval,
        bound=None,
        permitted="documented limit: the attack must succeed",
        holds=attacked.interval.low > 0.99,
        documented=True,
        control=Control(
            name="the same reading of a round without the altered ciphertext finds no key",
            figure=honest.rate,
            interval=honest.interval,
            fired=honest.interval.high < 0.5,
        ),
        note="One round gives all three keys. Uploads pass every check that share sum has; the "
        "coordinator keeps sealed uploads anyway. Share sum is therefore for parties that follow "
        "the protocol, and a policy that admits unpaired devices refuses it.",
        details={
            "values of the victim": f"{attacked.values:,}",
            "honest clients beside the hostile one": str(CLIENTS),
        },
    )


def play(lab: ShareLab, rng: np.random.Generator, multiples: Sequence[int]) -> Stolen:
    """One round; the coordinator then tries to read the first client's upload."""
    pipeline, scheme = lab.pipeline, lab.scheme
    noised = [pipeline.client([vector]) for vector in some_shoppers(lab.plan, CLIENTS + 1, rng)]
    sealed = [scheme.seal(each, sender=bytes(32), rng=lab.rng) for each in noised]
    sealed[-1] = altered(sealed[-1], lambda k, each: each.plus_key(multiples[k - 1]))
    for each in sealed:
        scheme.check(each)
    parts = lab.open(sealed, scheme.add(sealed))
    found = read(sealed[0], recover_keys(parts), lab.plan.padded_dimension)
    truth = noised[0].values
    return Stolen(matching=int((found == truth).sum()), values=truth.size)


def recover_keys(parts: Sequence[PartSum]) -> list[IntArray]:
    """The three secret keys from the key holders' answers about the first ciphertext."""
    first, second, third = (part.values[:SLOTS] for part in parts)
    difference = (first - 2 * second + third) % PLAIN_MODULUS
    mixed = to_polynomial(difference)
    mixed = np.where(mixed > PLAIN_MODULUS // 2, mixed - PLAIN_MODULUS, mixed)
    keys = []
    for sign in SIGNS:
        digit = (mixed + 1) % _BASE - 1
        mixed = (mixed - digit) // _BASE
        keys.append(sign * digit)
    return keys
