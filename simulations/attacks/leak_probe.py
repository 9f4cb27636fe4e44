"""The leak probe: does our own evaluator give the held-out items away?

Published federated recommenders draw their training negatives from the items outside *all* of a
shopper's interactions, the held-out one included; then the held-out item is the one that is never
drawn, and "how often was it drawn" alone finds it. The probe is that scorer. It learns nothing from
anybody, so anything above chance is a leak of the evaluation.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from client.contributions.history import FloatArray
from simulations.attacks.finding import Control, Finding
from simulations.attacks.setting import Setting
from simulations.attacks.statistics import Interval, mean_interval
from simulations.evaluation.metrics import measure
from simulations.evaluation.protocol import Fold

IndexArray = npt.NDArray[np.int64]
CUTOFF = 10
METRIC = f"recall_explore@{CUTOFF}"
# Negatives a shopper, as often as a real training of some epochs would draw them.
DRAWS_AN_ITEM = 4
GIVEN_NEGATIVES = 99


@dataclass(frozen=True, kw_only=True)
class Hits:
    """Mean of a hit measure over shoppers, with what blind guessing would reach."""

    mean: float
    interval: Interval
    chance: float


def negative_counts(
    excluded: IndexArray, *, items: int, draws: int, rng: np.random.Generator
) -> FloatArray:
    """How often each item was drawn as a training negative, shape (items,); never an excluded one.

    Args:
        excluded: what must not be drawn: the shopper's *training* items, and nothing else.
        items: size of the catalogue.
        draws: how many negatives.
        rng: draws them.
    """
    allowed = np.setdiff1d(np.arange(items), excluded)
    drawn = rng.choice(allowed, size=draws)
    return np.bincount(drawn, minlength=items).astype(np.float64)


def next_basket(fold: Fold, rng: np.random.Generator, *, leaky: bool) -> Hits:
    """Share of new items that the probe finds in its ten, on a fold's own candidates.

    ``leaky`` also keeps the held-out basket out of the negatives, as published code does.
    """
    items, tested = len(fold.training.catalogue), len(fold.tested)
    scores = np.empty((tested, items))
    for row, shopper in enumerate(fold.tested):
        bought = np.unique(fold.histories[shopper].item)
        excluded = np.union1d(bought, fold.truth[row]) if leaky else bought
        counts = negative_counts(excluded, items=items, draws=DRAWS_AN_ITEM * items, rng=rng)
        # Ties by lot; a list of new items only, as the probe knows what was bought.
        scores[row] = rng.random(items) - counts
        scores[row, bought] = -np.inf
    found = measure(lambda rows: scores[rows], fold, cutoffs=(CUTOFF,))[METRIC]
    values = found[~np.isnan(found)]
    new = items - (fold.counts.toarray() > 0).sum(axis=1)
    chance = np.minimum(1.0, CUTOFF / np.maximum(new, 1))[~np.isnan(found)]
    return Hits(
        mean=float(values.mean()), interval=mean_interval(values, rng), chance=float(chance.mean())
    )


def leave_one_out(fold: Fold, rng: np.random.Generator, *, leaky: bool) -> Hits:
    """HR@10 of the probe where one held-out item stands among 99 given negatives.

    The held-out item is one that the shopper has not bought in training; shoppers without one, or
    with too few others to fill the list, are left out.
    """
    items = len(fold.training.catalogue)
    given = min(GIVEN_NEGATIVES, items // 3)
    hits = []
    for shopper, truth in zip(fold.tested, fold.truth, strict=True):
        bought = np.unique(fold.histories[shopper].item)
        new = np.setdiff1d(truth, bought)
        others = np.setdiff1d(np.arange(items), np.union1d(bought, truth))
        if not new.size or others.size < given:
            continue
        target = rng.choice(new)
        candidates = np.append(target, rng.choice(others, size=given, replace=False))
        excluded = np.append(bought, target) if leaky else bought
        counts = negative_counts(excluded, items=items, draws=DRAWS_AN_ITEM * items, rng=rng)
        scores = rng.random(candidates.size) - counts[candidates]
        hits.append(float((scores > scores[0]).sum() < CUTOFF))
    values = np.array(hits)
    return Hits(
        mean=float(values.mean()),
        interval=mean_interval(values, rng),
        chance=min(1.0, CUTOFF / (given + 1)),
    )


def leak_probe(setting: Setting) -> Finding:
    """Run both protocols with an honest sampler, and with a leaky one as the control."""
    return probe(setting.run.fold, setting.chance)


def probe(fold: Fold, rng: np.random.Generator) -> Finding:
    """The finding on a fold: at chance where negatives exclude training items alone."""
    basket, one = (
        next_basket(fold, rng, leaky=False),
        leave_one_out(fold, rng, leaky=False),
    )
    leaky_basket, leaky_one = (
        next_basket(fold, rng, leaky=True),
        leave_one_out(fold, rng, leaky=True),
    )
    return Finding(
        name="leak probe",
        adversary="Nobody: a scorer that knows no purchases but the shopper's own.",
        action="Ranks items by how seldom they were drawn as training negatives.",
        claim="Our evaluation gives held-out items away to no model.",
        measure=f"share of held-out items in ten of {GIVEN_NEGATIVES + 1} candidates",
        figure=one.mean,
        interval=one.interval,
        bound=one.chance,
        permitted="blind guessing",
        holds=one.chance >= one.interval.low and basket.chance >= basket.interval.low,
        control=Control(
            name="negatives that also avoid the held-out item, as published code draws them",
            figure=leaky_one.mean,
            interval=leaky_one.interval,
            fired=leaky_one.interval.low > 0.9 and leaky_basket.interval.low > basket.chance,
        ),
        note="The quality figures of this run come from the same candidates and the same fold.",
        details={
            "next basket, new items found in ten": f"{basket.mean:.4f}; chance {basket.chance:.4f}",
            "the same with leaky negatives": f"{leaky_basket.mean:.4f}",
        },
    )
