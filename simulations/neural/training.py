"""Training the two-tower ranker over stores' silos: clipped sums, one noisy sum a round.

Each silo adds up its shoppers' clipped gradients and its share of the noise; the coordinator sees
the sum over silos alone, divides it by the planned number of shoppers and takes a step. Noise is
Gaussian, drawn from a seeded generator: for research. A deployment sends each shopper's gradient
through ``client.protect`` (``client.store.neural.clipping.contributions``).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from client.contributions.history import FloatArray
from client.store.neural.clipping import Clipping, clipped_sum
from client.store.neural.examples import Rows
from client.store.neural.model import NextBasket, set_weights, weights_of
from crypto.errors import InvalidInputError


@dataclass(frozen=True, kw_only=True)
class Run:
    """What all parties of a training agree on.

    Attributes:
        rounds: noisy sums in all; ε is of all of them together.
        clipping_norm: of one shopper's gradient, L2.
        noise_multiplier: standard deviation of the noise in a round's sum, in clipping norms.
        rate: chance that a shopper is in a round's sum, by a coin that her store keeps to itself;
            1 for everybody in every round, which is not amplified.
        step: of the coordinator, on the mean clipped gradient.
        momentum: of its steps.
        clipping: how per-shopper clipping is done.
        at_once: shoppers in memory at a time.
    """

    rounds: int
    clipping_norm: float
    noise_multiplier: float
    rate: float = 1.0
    step: float = 10.0
    momentum: float = 0.9
    clipping: Clipping = Clipping.GHOST
    at_once: int = 256

    def __post_init__(self) -> None:
        if self.rounds < 1 or not self.clipping_norm > 0 or not 0 < self.rate <= 1:
            raise InvalidInputError(
                f"Expected rounds={self.rounds} >= 1, clipping_norm={self.clipping_norm} > 0 and "
                f"0 < rate={self.rate} <= 1."
            )
        if not self.noise_multiplier >= 0:
            raise InvalidInputError(f"Expected noise_multiplier={self.noise_multiplier} >= 0.")


def answer(
    model: NextBasket, silo: Rows, run: Run, *, silos: int, rng: np.random.Generator
) -> FloatArray:
    """One silo's part of one round: its shoppers' clipped sum with its share of the noise.

    Args:
        model: with the round's weights.
        silo: its shoppers' rows.
        run: the plan.
        silos: how many share the noise; each adds variance (z C)² / silos.
        rng: draws coins and noise.
    """
    taking_part = silo if run.rate == 1 else silo.take(rng.random(len(silo)) < run.rate)
    total = clipped_sum(
        model,
        taking_part,
        clipping_norm=run.clipping_norm,
        mode=run.clipping,
        at_once=run.at_once,
    )
    stddev = run.noise_multiplier * run.clipping_norm / math.sqrt(silos)
    return total + stddev * rng.standard_normal(total.size)


def train(
    model: NextBasket,
    silos: Sequence[Rows],
    run: Run,
    *,
    planned: int,
    rng: np.random.Generator,
    watch: Callable[[int], None] = lambda _round: None,
) -> None:
    """Train in place.

    Args:
        model: begins with its public first weights.
        silos: each one's rows.
        run: the plan.
        planned: shoppers expected; the sum is divided by it times ``run.rate``, never by a count.
        rng: draws coins and noise.
        watch: called after each round, with its number from 1.
    """
    weights = weights_of(model)
    velocity = np.zeros_like(weights)
    for number in range(1, run.rounds + 1):
        total = np.zeros_like(weights)
        for silo in silos:
            total += answer(model, silo, run, silos=len(silos), rng=rng)
        mean = total / (planned * run.rate)
        velocity = run.momentum * velocity + (1 - run.momentum) * mean
        weights = weights - run.step * velocity
        set_weights(model, weights)
        watch(number)
