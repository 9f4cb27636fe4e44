"""A made-up town: items that come and go, shoppers whose tastes are known here and nowhere else.

A shopper's true utility of an item is the sum of her taste for its category (which wanders), the
item's quality and stage of life, and her own liking of it (partly shared with shoppers of her
kind); it falls for a while after each purchase. She judges items that she never bought more
cautiously, the less open she is the more so.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from consent.tasks.catalogue import Catalogue
from crypto.errors import InvalidInputError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Weeks before the first list, in which shoppers make a history of their own.
WARM_UP = 12
_UNSOLD = -1e9


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How the town behaves; utilities are in units of a logit.

    Attributes:
        shoppers, items, categories: how many.
        lines: mean lines of a weekly basket beyond the first.
        attention: how much more a listed item catches her eye than one on her mind; the item at
            rank r gets 1 / log2(1 + r) of it.
        wander: how much of the shelf an open shopper looks at by herself, against what she knows.
        taste, liking, quality: standard deviations of the parts of utility.
        kinds: directions in which shoppers' likings differ together; half of their variance.
        restless: weekly change of a taste, as a share of its standard deviation.
        satiation: what buying it takes from an item's utility; ``recovery`` of that is left in the
            week after, and again from each week to the next.
        launched: share of the items that come onto the shelf after the beginning.
        fading: share of the items that lose appeal with age, ``fade`` a week.
    """

    shoppers: int = 100
    items: int = 600
    categories: int = 60
    lines: float = 7.0
    attention: float = 2.0
    wander: float = 0.15
    taste: float = 1.0
    liking: float = 1.0
    quality: float = 0.7
    kinds: int = 8
    restless: float = 0.12
    satiation: float = 0.6
    recovery: float = 0.6
    launched: float = 0.25
    fading: float = 0.3
    fade: float = 0.08

    def __post_init__(self) -> None:
        if not (self.shoppers >= 2 and self.items > self.categories >= 2):
            raise InvalidInputError(
                f"Expected shoppers={self.shoppers} >= 2 and items={self.items} > "
                f"categories={self.categories} >= 2."
            )


@dataclass(kw_only=True, eq=False)
class Town:
    """The town in one week.

    Attributes:
        habits: how it behaves.
        catalogue: its public item list.
        kind: each item's category, shape (items,).
        openness: each shopper's, in (0, 1), shape (shoppers,); the mean is about 0.4.
        tastes: float64, shape (shoppers, categories).
        likings: float64, shape (shoppers, items): liking and quality, which don't change.
        launch: week in which each item comes onto the shelf.
        fades: what each item loses a week once it is there.
        sated: what recent purchases cost, shape (shoppers, items).
        known: what each shopper has bought before, shape (shoppers, items).
        week: -WARM_UP at the beginning.
    """

    habits: Habits
    catalogue: Catalogue
    kind: Ints
    openness: Floats
    tastes: Floats
    likings: Floats
    launch: Ints
    fades: Floats
    prominence: Floats
    sated: Floats
    known: Bools
    week: int = -WARM_UP

    @classmethod
    def founded(cls, habits: Habits, *, weeks: int, rng: np.random.Generator) -> Self:
        """A town as it is before anybody bought anything."""
        shoppers, items = habits.shoppers, habits.items
        later = rng.random(items) < habits.launched
        quality = habits.quality * rng.standard_normal(items)
        shelf = 1.0 / np.arange(1, items + 1) ** 0.8
        return cls(
            habits=habits,
            catalogue=_catalogue(items, habits.categories),
            kind=np.arange(items, dtype=np.int64) % habits.categories,
            openness=rng.beta(2.0, 3.0, shoppers),
            tastes=habits.taste * rng.standard_normal((shoppers, habits.categories)),
            likings=quality + habits.liking * _likings(habits, rng),
            launch=np.where(later, rng.integers(-4, weeks, items), -WARM_UP),
            fades=np.where(rng.random(items) < habits.fading, habits.fade, 0.0),
            prominence=rng.permutation(shelf / shelf.mean()),
            sated=np.zeros((shoppers, items)),
            known=np.zeros((shoppers, items), dtype=bool),
        )

    @property
    def sold(self) -> Bools:
        """What is on the shelf this week, shape (items,)."""
        return self.launch <= self.week

    @property
    def utility(self) -> Floats:
        """True utilities this week, shape (shoppers, items); hopeless for what is not sold."""
        age = np.maximum(self.week - self.launch, 0)
        now = self.tastes[:, self.kind] + self.likings - self.fades * age - self.sated
        return np.where(self.sold, now, _UNSOLD)

    def shop(self, listed: Ints | None, rng: np.random.Generator) -> Bools:
        """One week's baskets, shape (shoppers, items), from what was listed; then time passes.

        Lines are drawn without replacement in proportion to attention times exp(judged utility).

        Args:
            listed: int64, shape (shoppers, places), best first, -1 for an empty place; None where
                there is no list.
            rng: draws.
        """
        doubt = np.where(self.known, 0.0, 2.0 * (1.0 - self.openness)[:, None])
        wandering = self.habits.wander * 2 * self.openness[:, None] * self.prominence
        noticed = np.where(self.known, 1.0, wandering) + self._noticed(listed)
        weight = np.log(noticed) + self.utility - doubt
        keys = weight + rng.gumbel(size=weight.shape)
        size = 1 + rng.poisson(self.habits.lines, self.habits.shoppers)
        place = np.argsort(np.argsort(-keys, axis=1), axis=1)
        bought: Bools = (place < size[:, None]) & self.sold
        self._pass(bought, rng)
        return bought

    def _noticed(self, listed: Ints | None) -> Floats:
        seen = np.zeros(self.known.shape)
        if listed is not None:
            eye = self.habits.attention / np.log2(np.arange(2, listed.shape[1] + 2))
            row, place = np.nonzero(listed >= 0)
            seen[row, listed[row, place]] = eye[place]
        return seen

    def _pass(self, bought: Bools, rng: np.random.Generator) -> None:
        habits = self.habits
        self.known = self.known | bought
        self.sated = habits.recovery * (self.sated + habits.satiation * bought)
        keep = np.sqrt(1 - habits.restless**2)
        step = habits.taste * habits.restless * rng.standard_normal(self.tastes.shape)
        self.tastes = keep * self.tastes + step
        self.week += 1


def _likings(habits: Habits, rng: np.random.Generator) -> Floats:
    """Of variance 1: half shared along a few directions, half her own, shape (shoppers, items)."""
    shoppers = rng.standard_normal((habits.shoppers, habits.kinds))
    shared = shoppers @ rng.standard_normal((habits.kinds, habits.items)) / np.sqrt(habits.kinds)
    own = rng.standard_normal((habits.shoppers, habits.items))
    found: Floats = (shared + own) / np.sqrt(2)
    return found


def _catalogue(items: int, categories: int) -> Catalogue:
    return Catalogue(
        name="town",
        level="item",
        items=tuple(f"item-{number:04d}" for number in range(items)),
        categories=tuple(f"category-{number % categories:03d}" for number in range(items)),
        departments=("",) * items,
        products={},
    )
