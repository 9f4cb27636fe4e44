"""What would have to be missing for an item not to be listed, found by ranking again without it.

Guarantee: true as stated. Each answer was computed by the recommender itself from the shopper's
events without the purchases that are named; nothing is estimated from the parts of the score.

Each of ``TRIED`` candidates is left out alone. The ``MOST`` that set the item back furthest are
then left out by twos, and then all together, until it leaves the list. Fewer come first, so none
that is named is there without need, and an item costs at most ``RANKINGS`` rankings; items of one
list share those that they have in common.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, Final

import numpy as np

from client.contributions.history import FloatArray, History
from client.recommender.explanation.explain import WORDINGS, names_of
from client.recommender.recommend import PartKind, Recommendation
from consent.admit import ConsentedEvents, admit
from consent.notice import Language
from consent.tasks.catalogue import Catalogue

MOST: Final = 3
TRIED: Final = 12
# As she shopped, each candidate alone, and every two or more of the most telling ones.
RANKINGS: Final = 1 + TRIED + 2**MOST - 1 - MOST
# Rankings that are kept while a list is explained: 8 bytes an item each.
_KEPT: Final = 32
# The kinds of parts whose evidence is items of hers.
_NAMES_ITEMS: Final = frozenset({PartKind.PAIRED, PartKind.CONTENT})

# A shopper's history to the scores of all items; an item that may not be listed has none above 0.
Scorer = Callable[[History], FloatArray]


@dataclass(frozen=True, kw_only=True)
class Counterfactual:
    """Where an item would stand without some of her purchases.

    Attributes:
        item: which one.
        now: its place with all of her purchases.
        removed: her own items whose purchases were left out; none where it is not listed anyway,
            or none of those that were tried sets it back.
        place: its place then, 1 the best; None where it would not be recommended at all.
        listed: whether it would still be on a list of this length.
    """

    item: int
    now: int | None
    removed: tuple[int, ...]
    place: int | None
    listed: bool

    def to_json(self, catalogue: Catalogue, language: Language = Language.EN) -> dict[str, Any]:
        """In words, with what was removed by name."""
        return {
            "without": list(names_of(self.removed, catalogue, WORDINGS[language])),
            "now": self.now,
            "place": self.place,
            "listed": self.listed,
            "sentence": self.sentence(catalogue, language),
        }

    def sentence(self, catalogue: Catalogue, language: Language = Language.EN) -> str:
        """The answer in one sentence."""
        said = WORDINGS[language]
        if not self.removed:
            if self.now is None:
                return said.sentence([said.nowhere()])
            if self.listed:
                return said.sentence([said.undecided()])
            return said.sentence([said.stands(self.now)])
        own = self.removed == (self.item,)
        condition = said.without(names_of(self.removed, catalogue, said), own=own)
        if self.place is None:
            outcome = said.would_be_gone()
        else:
            outcome = said.would_stand(self.place, listed=self.listed)
        return said.conditional(condition, outcome)


@dataclass(frozen=True, kw_only=True)
class Reranking:
    """One shopper's list, which can be made again without some of her purchases."""

    events: ConsentedEvents
    catalogue: Catalogue
    score: Scorer
    count: int

    def counterfactual(self, recommendation: Recommendation) -> Counterfactual:
        """The few purchases of hers without which an item would not be listed."""
        item = recommendation.item
        now = self.place(item, ())
        removed, place = tuple[int, ...](), now
        if self.listed(now):  # what moves it within the list is told too
            removed, place = self._furthest(item, now, self._candidates(recommendation))
        return Counterfactual(
            item=item, now=now, removed=removed, place=place, listed=self.listed(place)
        )

    def _furthest(
        self, item: int, now: int | None, candidates: Sequence[int]
    ) -> tuple[tuple[int, ...], int | None]:
        """The fewest candidates that set it back, and to where: off the list if any do."""
        removed, place = tuple[int, ...](), now
        telling: Sequence[int] = candidates
        for size in range(1, MOST + 1):
            tried = {each: self.place(item, each) for each in combinations(telling, size)}
            ranked = sorted(tried, key=lambda each: -_depth(tried[each]))
            if ranked and _depth(tried[ranked[0]]) > _depth(place):
                removed, place = ranked[0], tried[ranked[0]]
            if not (removed and self.listed(place)):
                break
            if size == 1:
                telling = [alone for (alone, *_) in ranked[:MOST]]
        return removed, place

    def place(self, item: int, removed: Iterable[int]) -> int | None:
        """An item's place without some purchases, 1 the best; None where it is not recommended.

        Ties go to the item listed first, as on the list.
        """
        scores = self._scores(frozenset(removed))
        own = scores[item]
        if not own > 0:
            return None
        return 1 + int(np.sum(scores > own)) + int(np.sum(scores[:item] == own))

    def listed(self, place: int | None) -> bool:
        """Whether a place is on the list."""
        return place is not None and place <= self.count

    def without(self, removed: Iterable[int]) -> History:
        """Her history as if she had never bought some items."""
        keep = ~np.isin(self._index, list(removed))
        events = admit(
            self.events.events.take(keep),
            purpose=self.events.purpose,
            categories=self.events.categories,
            sensitive_items=self.catalogue.sensitive_products,
        )
        return History.of(events, self.catalogue)

    def _scores(self, removed: frozenset[int]) -> FloatArray:
        kept = self._kept
        if removed not in kept:
            kept[removed] = self.score(self.without(removed))
            if len(kept) > _KEPT:
                kept.popitem(last=False)
        kept.move_to_end(removed)
        return kept[removed]

    @cached_property
    def _kept(self) -> OrderedDict[frozenset[int], FloatArray]:
        return OrderedDict()

    @cached_property
    def _index(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        return self.catalogue.indices(self.events.events.item)

    def _candidates(self, recommendation: Recommendation) -> list[int]:
        """Her own items that may matter: the item, what speaks for it, its category, the rest."""
        item = recommendation.item
        counts = np.bincount(self._index[self._index >= 0], minlength=len(self.catalogue))
        own = [int(each) for each in np.argsort(-counts, kind="stable") if counts[each] > 0]
        if item in own:
            return [item]  # without its own purchases it is another question
        category = self.catalogue.categories[item]
        named = [
            each
            for part in recommendation.parts
            if part.kind in _NAMES_ITEMS
            for each in part.evidence
        ]
        alike = [each for each in own if category and self.catalogue.categories[each] == category]
        return list(dict.fromkeys([*named, *alike, *own]))[:TRIED]


def _depth(place: int | None) -> float:
    return float("inf") if place is None else place
