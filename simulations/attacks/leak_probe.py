"""The leak probe: does our own evaluator give the held-out items away?

Published federated recommenders draw their training negatives from the items outside *all* of a
shopper's interactions, the held-out one included; then the held-out item is the one that is never
drawn, and "how often was it drawn" alone finds it. The probe is that scorer. It learns nothing from
anybody, so anything above chance is a leak of the evaluation.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from client.contributions.history import FloatArray, IndexArray
from simulations.attacks.finding import Control, Finding
from simulations.attacks.setting import Setting
from simulations.attacks.statistics import Interval, mean_interval
from simulations.evaluation.leak_probe import CUTOFF, seldom_drawn
from simulations.evaluation.metrics import measure
from simulations.evaluation.negatives import GIVEN, without
from simulations.evaluation.protocol import Fold
from simulations.evaluation.ranks import measure_ranks

METRIC = f"recall_new@{CUTOFF}"


@dataclass(frozen=True, kw_only=True)
class Hits:
    """Mean of a hit measure over shoppers, with what blind guessing would reach."""

    mean: float
    interval: Interval
    chance: float

    @classmethod
    def of(cls, values: FloatArray, chance: FloatArray, rng: np.random.Generator) -> Self:
        """Of values and chances a shopper; NaN where she has nothing to be found."""
        some = ~np.isnan(values)
        return cls(
            mean=float(values[some].mean()),
            interval=mean_interval(values[some], rng),
            chance=float(chance[some].mean()),
        )


def next_basket(fold: Fold, rng: np.random.Generator, *, leaky: bool) -> Hits:
    """Share of new items that the probe finds in its ten, among all that she never had.

    ``leaky`` also keeps the held-out basket out of the negatives, as published code does.
    """
    scorer = seldom_drawn(fold, rng=rng, leaky=leaky)
    # Counts tie often, and the metric breaks ties by an item's place in the list: by lot instead.
    found = measure(lambda rows: (s := scorer(rows)) + rng.random(s.shape), fold, cutoffs=(CUTOFF,))
    new = len(fold.training.catalogue) - (fold.counts.toarray() > 0).sum(axis=1)
    return Hits.of(found[METRIC], np.minimum(1.0, CUTOFF / np.maximum(new, 1)), rng)


def leave_one_out(fold: Fold, rng: np.random.Generator, *, leaky: bool) -> Hits:
    """HR@10 of the probe where one held-out item stands among 99 given negatives."""
    single, negatives = one_new_item(fold, rng)
    scorer = seldom_drawn(single, rng=rng, leaky=leaky)
    found = measure_ranks(scorer, single, negatives=negatives, cutoffs=(CUTOFF,))[f"hr@{CUTOFF}"]
    chance = np.array([min(1.0, CUTOFF / (given.size + 1)) for given in negatives])
    return Hits.of(found, chance, rng)


def one_new_item(fold: Fold, rng: np.random.Generator) -> tuple[Fold, tuple[IndexArray, ...]]:
    """Of each held-out basket one item that its shopper has not bought in training, by lot.

    Returns:
        The fold with that item as the truth, and what it competes with: items that she never had.
        Shoppers without a new item, or with too few others to fill a list, are left out.
    """
    items = len(fold.training.catalogue)
    given = min(GIVEN, items // 3)
    kept, truth, negatives = [], [], []
    for place, (shopper, basket) in enumerate(zip(fold.tested, fold.truth, strict=True)):
        bought = np.unique(fold.histories[shopper].item)
        new, others = np.setdiff1d(basket, bought), without(items, np.union1d(bought, basket))
        if new.size and others.size >= given:
            kept.append(place)
            truth.append(rng.choice(new, size=1))
            negatives.append(np.sort(rng.choice(others, size=given, replace=False)))
    return fold.only(kept, truth=truth), tuple(negatives)


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
        measure=f"share of held-out items in ten of {GIVEN + 1} candidates",
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
