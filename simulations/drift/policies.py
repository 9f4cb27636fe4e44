"""What a week's list may look like: none, the best items alone, or with a discovery zone."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import numpy as np

from client.contributions.history import History
from client.recommender.discovery import Zone, draws, new_items
from client.recommender.fatigue import weary
from client.recommender.openness import Breadth, slots
from client.recommender.scores import Model
from simulations.drift.town import Bools, Floats, Ints

PLACES: Final = 10
# A zone begins after so many of her best items.
BEFORE: Final = 5


class Policy(StrEnum):
    """Every list has ``PLACES`` places; a zone takes some after the first ``BEFORE``."""

    NO_LIST = "no list"
    BEST = "best items only"
    ZONE = "with a discovery zone"
    ZONE_RESTING = "zone, with fatigue"


class Device:
    """One shopper's device: her list of each week, and what came of it."""

    def __init__(self, policy: Policy, *, zone: Zone, breadth: Breadth) -> None:
        self._policy, self._zone, self._breadth = policy, zone, breadth
        self._shown: list[tuple[int, ...]] = []
        self._bought: list[tuple[int, ...]] = []

    def listed(self, model: Model, history: History, sold: Bools, rng: np.random.Generator) -> Ints:
        """This week's list, shape (PLACES,), -1 for a place that is left empty.

        Args:
            model: this week's.
            history: hers.
            sold: what is on the shelf, shape (items,). Noise gives other items a score too, and a
                shop's list of items would not hold them.
            rng: draws the zone.
        """
        total = np.where(sold, model.scores(history).total, 0.0)
        order = [int(item) for item in np.argsort(-total, kind="stable") if total[item] > 0]
        found: Sequence[int] = order[:PLACES]
        if self._policy in (Policy.ZONE, Policy.ZONE_RESTING):
            found = self._with_zone(order, total, model, history, rng)
        places = np.full(PLACES, -1, dtype=np.int64)
        places[: len(found)] = found
        return places

    def learn(self, bought: Bools) -> None:
        """What she bought after this week's list, shape (items,)."""
        if len(self._shown) > len(self._bought):
            self._bought.append(tuple(np.flatnonzero(bought).tolist()))

    def _with_zone(
        self,
        order: Sequence[int],
        total: Floats,
        model: Model,
        history: History,
        rng: np.random.Generator,
    ) -> list[int]:
        wanted = slots(history, self._breadth, mean=self._zone.mean, most=self._zone.most)
        best = list(order[: PLACES - wanted])
        tired: frozenset[int] = frozenset()
        if self._policy is Policy.ZONE_RESTING:
            tired = weary(self._shown, self._bought, model.category)
        ranked = new_items(total, history, model, tired | set(best))
        drawn = draws(ranked, model.category, zone=self._zone, count=wanted, rng=rng)
        zone = [each.item for each in drawn]
        self._shown.append(tuple(zone))
        return [*best[:BEFORE], *zone, *best[BEFORE:]]
