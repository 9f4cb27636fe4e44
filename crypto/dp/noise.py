"""Noise: the arrows from clipped or rounded vectors of a client's shoppers to one noised update.

A client's vector gets the client's noise, a key holder's entry is noise alone. Whoever holds
``NOISE_DOOR`` vouches for it; this module alone does.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from crypto.dp.correlated import entry_centre
from crypto.dp.gaussian import centred
from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.dp.rotation import Rotation
from crypto.dp.skellam import sample_skellam
from crypto.dp.widths import NoiseSet
from crypto.update import NOISE_DOOR, ClippedUpdate, NoisedUpdate, RoundedUpdate

IntArray = npt.NDArray[np.int64]


def add_noise(
    updates: Iterable[RoundedUpdate], *, plan: PrivacyPlan, rng: SecureRandom
) -> NoisedUpdate:
    """Set A: sum a client's shoppers and add the client's share of Skellam noise, once.

    Guarantee: any ``n_min - c`` honest clients' shares together have variance ``client_noise`` · μ
    per coordinate. In a share sum that is the plan's (ε, δ) for every shopper in it; elsewhere it
    is the second line behind the key holders' entries.

    Raises:
        ValueError: a plan of set B, no shopper at all, or a vector that the plan's sensitivity
            does not cover.
    """
    _require_set(plan, NoiseSet.SKELLAM, "add_centred_noise")
    total = np.zeros(plan.padded_dimension, dtype=np.int64)
    shoppers = 0
    for update in updates:
        if update.squared_bound > plan.squared_sensitivity * (1 + 1e-12):
            raise ValueError("A rounded update has a larger bound than the plan accounts for.")
        if update.values.shape != total.shape:
            raise ValueError(
                f"A rounded update has {update.values.size} values, the plan {total.size}."
            )
        total += update.values
        shoppers += 1
    _require_shoppers(shoppers)
    total += sample_skellam(plan.client_variance, total.size, rng)
    return NoisedUpdate(values=total, shoppers=shoppers, door=NOISE_DOOR)


def add_centred_noise(
    updates: Iterable[ClippedUpdate],
    *,
    plan: PrivacyPlan,
    rotation: Rotation,
    rng: SecureRandom,
) -> NoisedUpdate:
    """Set B: sum a client's shoppers, rotate, scale, draw integers centred at the real values.

    Each coordinate is a discrete Gaussian D(c, σᵢ) with c the real sum and σᵢ² the plan's client
    variance, at least 1.6²: it rounds and adds the client's noise in one draw, unbiased up to
    exp(-2π²σᵢ²).

    Guarantee: one shopper moves the real sum by at most ``scale`` in L2, no more. With the entries
    of two honest key holders the release is that of ``crypto.dp.smoothing``, Set B. Experimental.

    Raises:
        ValueError: a plan of set A, no shopper at all, or a vector or rotation of another bound
            or length.
    """
    _require_set(plan, NoiseSet.CENTRED_GAUSSIAN, "add_noise")
    if rotation.dimension != plan.dimension:
        raise ValueError(f"A rotation of {rotation.dimension} values, the plan {plan.dimension}.")
    total = np.zeros(plan.dimension)
    shoppers = 0
    for update in updates:
        if update.clipping_norm > plan.clipping_norm:
            raise ValueError("A clipped update has a larger bound than the plan accounts for.")
        if update.values.shape != total.shape:
            raise ValueError(
                f"A clipped update has {update.values.size} values, the plan {total.size}."
            )
        total += update.values
        shoppers += 1
    _require_shoppers(shoppers)
    centres = rotation.forward(total) * (plan.scale / plan.clipping_norm)
    values = centred(centres, math.sqrt(plan.client_variance), rng)
    return NoisedUpdate(values=values, shoppers=shoppers, door=NOISE_DOOR)


def holder_noise(
    *, plan: PrivacyPlan, rng: SecureRandom, number: int = 0, past: Sequence[IntArray] = ()
) -> NoisedUpdate:
    """A key holder's own entry: noise of variance μ / 2, no shopper.

    Guarantee: the entries of two honest key holders together have variance μ, the plan's, whatever
    clients do. Skellam in set A, discrete Gaussian in set B and with bands.

    Args:
        plan: of the round.
        rng: the stream.
        number: of the round in its run, from 0; it matters with bands alone.
        past: values of the entries this key holder drew for the ``bands - 1`` rounds before, oldest
            first, fewer at the start of a run, none without bands. They stay secret.

    Raises:
        ValueError: a scheme in which key holders add no noise, or earlier entries that are missing
            or too many.
    """
    if not plan.scheme.votes:
        raise ValueError(f"In a {plan.scheme.value} key holders add no noise; the clients do.")
    expected = min(number, plan.bands - 1)
    if len(past) != expected or any(entry.size != plan.padded_dimension for entry in past):
        raise ValueError(
            f"Round {number} needs {expected} earlier entries of {plan.padded_dimension} values; a "
            "key holder that lost them starts a new run."
        )
    return NoisedUpdate(values=_holder_values(plan, past, rng), shoppers=0, door=NOISE_DOOR)


def _holder_values(plan: PrivacyPlan, past: Sequence[IntArray], rng: SecureRandom) -> IntArray:
    size = plan.padded_dimension
    if not plan.private:
        return np.zeros(size, dtype=np.int64)
    if plan.noise is NoiseSet.SKELLAM and plan.bands == 1:
        return sample_skellam(plan.holder_variance, size, rng)
    centres = entry_centre(plan.bands, past) if past else np.zeros(size)
    return centred(centres, math.sqrt(plan.holder_variance), rng)


def _require_set(plan: PrivacyPlan, expected: NoiseSet, other: str) -> None:
    if plan.noise is not expected:
        raise ValueError(f"The plan's noise is {plan.noise.value}: use {other}.")


def _require_shoppers(shoppers: int) -> None:
    if not shoppers:
        raise ValueError("A client contributes only with at least one consenting shopper.")
