"""The discovery zone: what is new to her, from many categories, drawn with known probabilities.

A list of her best items is mostly what she buys anyway. Beside it (or in its last places) stands a
zone of items that she has never bought: the best of them by the same scores, at most one of a
category while there are others, each drawn from the best candidates by lot. The lot is controlled:
the probability with which each item was drawn is written beside it (its *propensity*), so that her
device can later work out what another way of choosing would have brought (``client/outcomes``).
Better candidates are likelier, and every candidate has a chance that is known and never tiny.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np

from client.contributions.history import FloatArray, History, IndexArray
from client.recommender.features import Knowledge
from client.recommender.moment import UNKNOWN, Moment
from client.recommender.openness import Breadth, slots
from client.recommender.recommend import Recommendation, explained
from client.recommender.scores import Model
from crypto.dp.random import SecureRandom
from crypto.errors import InvalidInputError


class Slot(StrEnum):
    """Why an item stands where it stands."""

    FOR_YOU = "for-you"
    DISCOVERY = "discovery"


@dataclass(frozen=True)
class Shown:
    """An item as it is shown.

    Attributes:
        recommendation: with the exact parts of its score.
        slot: of the list or of the zone.
        propensity: with which probability it was put there, given what stands before it; 1 in the
            list, which is not drawn.
        rank: its place among the candidates that it was drawn from, 1 the best; 0 in the list.
        candidates: how many those were; 0 in the list.
    """

    recommendation: Recommendation
    slot: Slot
    propensity: float
    rank: int = 0
    candidates: int = 0


class Draw(NamedTuple):
    """One item drawn from candidates, with the probability that it had."""

    item: int
    propensity: float
    rank: int
    candidates: int


@dataclass(frozen=True, kw_only=True)
class Zone:
    """How the zone is filled.

    Attributes:
        mean: items for a shopper of mean openness who left the slider alone.
        most: items at most.
        candidates: each place is drawn from the best so many that are left.
        power: the r-th best candidate weighs r^-power; 0 draws them all alike.
        spread: the share of the probability that is the same for every candidate.
    """

    mean: float = 6.0
    most: int = 12
    candidates: int = 20
    power: float = 1.0
    spread: float = 0.1

    def __post_init__(self) -> None:
        if not (self.mean >= 0 and self.most >= 0 and self.candidates >= 1 and self.power >= 0):
            raise InvalidInputError(f"A zone needs numbers of at least 0 and a candidate: {self}.")
        if not 0 < self.spread <= 1:
            raise InvalidInputError(f"Expected 0 < spread={self.spread} <= 1.")


DEFAULT_ZONE: Final = Zone()


def discover(
    model: Model,
    history: History,
    *,
    breadth: Breadth = Breadth.AS_I_SHOP,
    zone: Zone = DEFAULT_ZONE,
    exclude: AbstractSet[int] = frozenset(),
    moment: Moment = UNKNOWN,
    rng: SecureRandom | np.random.Generator | None = None,
) -> tuple[Shown, ...]:
    """Fill her discovery zone.

    Args:
        model: shared artefacts.
        history: hers; nothing that she bought is in the zone.
        breadth: her slider.
        zone: how it is filled.
        exclude: items that must not be in it: already listed, resting, or not wanted.
        moment: when and where it is for.
        rng: draws; the operating system's if None.

    Returns:
        Best draws first; shorter than planned where too little is new to her and known of.
    """
    wanted = slots(history, breadth, mean=zone.mean, most=zone.most)
    if not wanted:
        return ()
    know = Knowledge(shared=model, history=history, moment=moment)
    scores = model.scores_of(know)
    ranked = new_items(scores.total, history, model, exclude)
    draw = SecureRandom() if rng is None else rng
    return tuple(
        Shown(
            recommendation=explained(model, know, scores, each.item),
            slot=Slot.DISCOVERY,
            propensity=each.propensity,
            rank=each.rank,
            candidates=each.candidates,
        )
        for each in draws(ranked, model.category, zone=zone, count=wanted, rng=draw)
    )


def new_items(
    total: FloatArray, history: History, model: Model, exclude: AbstractSet[int]
) -> IndexArray:
    """What may be in the zone, best first: never bought, allowed, not excluded, and scored."""
    able = (history.counts == 0) & model.may_list(history) & (total != 0)
    able[list(exclude)] = False
    order = np.argsort(-total, kind="stable")
    found: IndexArray = order[able[order]]
    return found


def draws(
    ranked: IndexArray,
    category: IndexArray,
    *,
    zone: Zone,
    count: int,
    rng: SecureRandom | np.random.Generator,
) -> list[Draw]:
    """Items drawn one after the other, each with the probability that it had at its draw.

    At each place the candidates are the best that are left of categories not drawn yet; where no
    category is left, of all.
    """
    left, found = ranked, list[Draw]()
    used: set[int] = set()
    while len(found) < count and left.size:
        fresh = left[~np.isin(category[left], list(used))]
        candidates = (fresh if fresh.size else left)[: zone.candidates]
        chances = probabilities(candidates.size, zone)
        place = _draw(chances, rng)
        item = int(candidates[place])
        found.append(
            Draw(
                item=item,
                propensity=float(chances[place]),
                rank=place + 1,
                candidates=candidates.size,
            )
        )
        used.add(int(category[item]))
        left = left[left != item]
    return found


def probabilities(candidates: int, zone: Zone) -> FloatArray:
    """With which each candidate is drawn, best first, shape (candidates,); they add up to 1."""
    weight = np.arange(1.0, candidates + 1) ** -zone.power
    chances: FloatArray = (1 - zone.spread) * weight / weight.sum() + zone.spread / candidates
    return chances


def _draw(chances: FloatArray, rng: SecureRandom | np.random.Generator) -> int:
    """A place with exactly these chances, up to 2^-53."""
    uniform = rng.uniform(1)[0] if isinstance(rng, SecureRandom) else rng.random()
    place = int(np.searchsorted(np.cumsum(chances), uniform, side="right"))
    return min(place, chances.size - 1)
