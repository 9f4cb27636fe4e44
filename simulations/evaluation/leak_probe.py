"""The leak probe: a scorer that learns nothing must find nothing.

The code of several published federated recommenders (PFedRec, FedRAP, GPFedRec) draws its
*training* negatives from the items outside all of a shopper's interactions, the held-out one
included. The held-out item is then the only unseen one that is never drawn, and a model that has
merely been pushed down on everything else ranks it first. "How seldom was it drawn" is that
knowledge and nothing more: with honest negatives it is at chance, with leaky ones near 100 %.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from client.contributions.history import FloatArray, IndexArray
from simulations.evaluation.metrics import Scorer, interval
from simulations.evaluation.negatives import times_drawn
from simulations.evaluation.protocol import Fold
from simulations.evaluation.ranks import measure_ranks

CUTOFF = 10
# As many negatives as four epochs with one an item would draw, or more rounds with fewer.
DRAWS_AN_ITEM = 4
# How seldom a run without a leak is called leaky; an interval of 95 % would accuse one in forty.
FALSE_ALARM: Final = 1e-4


@dataclass(frozen=True, kw_only=True)
class Probe:
    """HR@10 of the probe, what blind guessing reaches, and what the leak would give away.

    Attributes:
        hit_rate: with training negatives that exclude training items alone, as ours do.
        ci: its 95 % interval.
        chance: mean of 10 / candidates.
        limit: what chance alone passes in ``FALSE_ALARM`` of runs.
        control: the same with negatives that spare the held-out item too; near 1, else the probe
            could not have seen a leak.
    """

    hit_rate: float
    ci: tuple[float, float]
    chance: float
    limit: float
    control: float

    @property
    def holds(self) -> bool:
        """Whether the probe is at chance and its control fired."""
        return self.hit_rate <= self.limit and self.control > 0.9


def seldom_drawn(fold: Fold, *, rng: np.random.Generator, leaky: bool = False) -> Scorer:
    """Scores items by how seldom they came up as training negatives; draws happen once, here.

    Args:
        fold: whose tested shoppers are scored; each truth is one item.
        rng: draws the negatives.
        leaky: also spare the held-out item, as the published code does: the control.
    """
    items = len(fold.training.catalogue)
    counts = np.empty((len(fold.tested), items), dtype=np.float32)
    for row, shopper in enumerate(fold.tested):
        spared = np.unique(fold.histories[shopper].item)
        if leaky:
            spared = np.union1d(spared, fold.truth[row])
        counts[row] = times_drawn(spared, items=items, count=DRAWS_AN_ITEM * items, rng=rng)
    return lambda rows: -counts[rows].astype(np.float64)


def leak_probe(fold: Fold, negatives: tuple[IndexArray, ...], *, rng: np.random.Generator) -> Probe:
    """Run the probe and its control on the candidates that models are evaluated on."""
    honest = _hits(fold, negatives, rng, leaky=False)
    control = _hits(fold, negatives, rng, leaky=True)
    low, high = interval(honest[:, None], rng=rng)
    blind = np.array([min(1.0, CUTOFF / (given.size + 1)) for given in negatives])
    return Probe(
        hit_rate=float(honest.mean()),
        ci=(float(low[0]), float(high[0])),
        chance=float(blind.mean()),
        limit=_limit(blind),
        control=float(control.mean()),
    )


def _limit(blind: FloatArray) -> float:
    """The most hits, as a share, that shoppers with these chances have but for ``FALSE_ALARM``."""
    spread = float(np.sqrt((blind * (1.0 - blind)).sum())) / blind.size
    return float(blind.mean()) + NormalDist().inv_cdf(1.0 - FALSE_ALARM) * spread


def _hits(
    fold: Fold, negatives: tuple[IndexArray, ...], rng: np.random.Generator, *, leaky: bool
) -> FloatArray:
    scorer = seldom_drawn(fold, rng=rng, leaky=leaky)
    return measure_ranks(scorer, fold, negatives=negatives, cutoffs=(CUTOFF,))[f"hr@{CUTOFF}"]
