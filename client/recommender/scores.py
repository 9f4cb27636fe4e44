"""Scores of all items for one shopper, on her device, as an exact sum of named parts.

Without a released ranker the score is the closed form, in lines of her latest basket. With one it
is a weighted sum of features, the logarithm of the closed form first among them; that logarithm is
shared out over the closed form's parts in proportion, and what is foretold of new items is parted
into the crowd's and what her own items add to it, so every score still says what it is made of.
Nothing leaves the device; the shared inputs are released artefacts, and each may be missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np

from client.contributions.history import FloatArray, History
from client.contributions.item_item import direction
from client.recommender.features import HALF_LIVES, Knowledge, crowd_part
from client.recommender.moment import UNKNOWN, Moment
from client.recommender.shared import BoolArray, Shared
from consent.tasks.ranker import Feature, RankerArtefact


class Source(StrEnum):
    """What a part of a score comes from; parts are added in this order."""

    HABIT = "habit"
    POPULARITY = "popularity"
    PAIRING = "pairing"
    AFFINITY = "affinity"
    RHYTHM = "rhythm"
    CONTENT = "content"
    WEEKDAY = "weekday"
    DAYPART = "daypart"
    SEASON = "season"
    STORE = "store"


SOURCES: Mapping[Feature, Source] = {
    Feature.BOUGHT: Source.HABIT,
    Feature.SHORT_HABIT: Source.HABIT,
    Feature.LONG_HABIT: Source.HABIT,
    Feature.LAST_BASKET: Source.HABIT,
    Feature.SEASON_BOUGHT: Source.POPULARITY,
    Feature.SEASON_NEW: Source.POPULARITY,
    Feature.POPULAR_NEW: Source.POPULARITY,
    Feature.LIFT_BOUGHT: Source.PAIRING,
    Feature.CATEGORY: Source.AFFINITY,
    Feature.CONTENT: Source.CONTENT,
    Feature.CONTENT_LATELY: Source.CONTENT,
    Feature.DUE: Source.RHYTHM,
    Feature.LATE: Source.RHYTHM,
    Feature.WEEKDAY: Source.WEEKDAY,
    Feature.DAYPART: Source.DAYPART,
    Feature.SEASON: Source.SEASON,
    Feature.STORE: Source.STORE,
}


@dataclass(frozen=True, kw_only=True)
class Scores:
    """One shopper's scores and what they are made of; each float64, shape (items,).

    ``total`` is exactly the addends, added in the order of ``Source``.
    """

    addends: Mapping[Source, FloatArray]
    total: FloatArray

    @classmethod
    def adding(cls, addends: Mapping[Source, FloatArray], listed: BoolArray) -> Self:
        """Scores of these addends, all 0 where an item may not be listed."""
        kept = {
            source: np.where(listed, addends[source], 0.0) for source in Source if source in addends
        }
        total = np.zeros(listed.size)
        for addend in kept.values():
            total = total + addend
        return cls(addends=kept, total=total)

    def of(self, source: Source) -> FloatArray:
        """One addend; zeros where there is none."""
        return self.addends.get(source, np.zeros(self.total.size))


class Model(Shared):
    """What every device shares, and the scores that follow from it for one shopper."""

    def scores(self, history: History, moment: Moment = UNKNOWN) -> Scores:
        """Score every catalogue item for one shopper; finite, and all zero where nothing is known.

        Guarantee: a pure function of the history, the moment and the released artefacts; every
        part of an item that ``may_list`` leaves out is 0.
        """
        return self.scores_of(Knowledge(shared=self, history=history, moment=moment))

    def scores_of(self, know: Knowledge) -> Scores:
        """``scores`` of what is known, for callers that look at it as well."""
        addends = _closed(know) if self.ranker is None else _ranked(know, self.ranker)
        return Scores.adding(addends, self.may_list(know.history))

    def may_list(self, history: History) -> BoolArray:
        """Which items may be recommended to her at all, shape (items,).

        Items of sensitive classes only where she granted those for this purpose.
        """
        if history.sensitive:
            return np.ones(len(self.catalogue), dtype=bool)
        return ~self.catalogue.sensitive

    def companions(self, history: History, item: int, count: int = 2) -> tuple[int, ...]:
        """The shopper's own items that speak most for ``item`` in the item-item model."""
        model = self.item_item
        place = np.flatnonzero(model.indices == item) if model is not None else np.empty(0)
        if model is None or not place.size:
            return ()
        z = direction(history, model.indices, model.weights, model.mean)
        share = z * model.matrix[:, place[0]]
        share[history.counts[model.indices] == 0] = 0.0
        best = np.argsort(-share, kind="stable")[:count]
        return tuple(int(model.indices[i]) for i in best if share[i] > 0)


def _closed(know: Knowledge) -> dict[Source, FloatArray]:
    closed = know.closed
    return {
        Source.HABIT: closed.habit,
        Source.POPULARITY: closed.popularity,
        Source.PAIRING: closed.pairing,
        Source.AFFINITY: closed.affinity,
    }


def _ranked(know: Knowledge, ranker: RankerArtefact) -> dict[Source, FloatArray]:
    """The weighted features, each under its source; the base is shared out over the closed form."""
    addends: dict[Source, FloatArray] = {}
    for feature, weight in zip(ranker.features, ranker.weights.tolist(), strict=True):
        value = weight * know.column(feature)
        if feature is Feature.BASE:
            share = value / np.where(know.closed.total > 0, know.closed.total, 1.0)
            parts = {source: share * part for source, part in _closed(know).items()}
        elif feature in HALF_LIVES:
            crowd = weight * crowd_part(know, feature)
            parts = {Source.POPULARITY: crowd, Source.PAIRING: value - crowd}
        else:
            parts = {SOURCES[feature]: value}
        for source, part in parts.items():
            addends[source] = addends[source] + part if source in addends else part
    return addends
