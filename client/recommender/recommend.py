"""A shopper's list: the best items, each with the exact parts of its score."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from client.contributions.history import History
from client.recommender.scores import Model, Scores
from consent.admit import ConsentedEvents
from consent.purpose import Purpose
from crypto.errors import ConsentError, InvalidInputError


class PartKind(StrEnum):
    """What a part of a score says, and what its evidence holds.

    HABIT: (baskets with the item among the last few, how many those were).
    POPULAR: (rank among all items, 1 the most popular).
    PAIRED: the shopper's own items that it is often bought with, strongest first.
    LIKED: (different items of the same category that the shopper has bought).
    """

    HABIT = "habit"
    POPULAR = "popular"
    PAIRED = "paired"
    LIKED = "liked"


@dataclass(frozen=True)
class Part:
    """One addend of a score; it may be negative (paired, liked)."""

    kind: PartKind
    value: float
    evidence: tuple[int, ...]


@dataclass(frozen=True)
class Recommendation:
    """One item of a list; its parts, added in their order, are the score to the last bit."""

    item: int
    score: float
    parts: tuple[Part, ...]


def recommend(
    model: Model,
    events: ConsentedEvents,
    *,
    count: int = 10,
    exclude: AbstractSet[int] = frozenset(),
) -> tuple[Recommendation, ...]:
    """The shopper's best items, best first, from events granted for personalising.

    Raises:
        ConsentError: the events were admitted for another purpose.
        InvalidInputError: ``count`` is below 1.
    """
    if events.purpose is not Purpose.PERSONALISE:
        raise ConsentError(
            f"Recommending needs events for {Purpose.PERSONALISE}; these were granted for "
            f"{events.purpose}."
        )
    return rank(model, History.of(events, model.catalogue), count=count, exclude=exclude)


def rank(
    model: Model, history: History, *, count: int = 10, exclude: AbstractSet[int] = frozenset()
) -> tuple[Recommendation, ...]:
    """``recommend`` for a history at hand.

    Ties go to the item listed first. Items that score nothing are left out, so the list may be
    shorter than ``count``: without artefacts only what she has bought can be recommended.
    """
    if count < 1:
        raise InvalidInputError(f"Expected count={count} >= 1.")
    scores = model.scores(history)
    order = np.argsort(-scores.total, kind="stable")[: count + len(exclude)]
    able = model.may_list(history) & (scores.total > 0)
    chosen = [int(i) for i in order if able[i] and int(i) not in exclude][:count]
    return tuple(
        Recommendation(
            item=item, score=float(scores.total[item]), parts=_parts(model, history, scores, item)
        )
        for item in chosen
    )


def _parts(model: Model, history: History, scores: Scores, item: int) -> tuple[Part, ...]:
    """The non-zero addends in the order in which ``Scores.total`` adds them."""
    habit, popularity = float(scores.habit[item]), float(scores.popularity[item])
    pairing, affinity = float(scores.pairing[item]), float(scores.affinity[item])
    parts = []
    if habit:
        parts.append(Part(PartKind.HABIT, habit, _habit(model, history, item)))
    if popularity:
        parts.append(Part(PartKind.POPULAR, popularity, _rank(model, history, item)))
    if pairing:
        parts.append(Part(PartKind.PAIRED, pairing, model.companions(history, item)))
    if affinity:
        parts.append(Part(PartKind.LIKED, affinity, _liked(model, history, item)))
    return tuple(parts)


def _habit(model: Model, history: History, item: int) -> tuple[int, int]:
    window = min(model.settings.window, history.baskets)
    return int(np.sum((history.item == item) & (history.age < window))), window


def _rank(model: Model, history: History, item: int) -> tuple[int]:
    bought = history.counts[item] > 0
    first, second = (model.recent, model.popularity) if bought else (model.popularity, model.recent)
    artefact = first or second
    return (0 if artefact is None else 1 + int(np.sum(artefact.scores > artefact.scores[item])),)


def _liked(model: Model, history: History, item: int) -> tuple[int]:
    categories = model.catalogue.categories
    own = np.flatnonzero(history.counts > 0)
    return (sum(categories[i] == categories[item] for i in own),)
