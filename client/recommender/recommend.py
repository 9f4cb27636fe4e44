"""A shopper's list: the best items, each with the exact parts of its score."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from client.contributions.history import History
from client.recommender.features import Knowledge
from client.recommender.moment import UNKNOWN, Moment, Setting
from client.recommender.scores import Model, Scores, Source
from consent.admit import ConsentedEvents
from consent.purpose import Purpose
from crypto.errors import ConsentError, InvalidInputError


class PartKind(StrEnum):
    """What a part of a score says, and what its evidence holds.

    HABIT: (baskets with the item among the last few, how many those were).
    POPULAR: (rank among all items, 1 the most popular).
    PAIRED: the shopper's own items that it is often bought with, strongest first.
    LIKED: (different items of the same category that the shopper has bought).
    RHYTHM: (mean days between her purchases of it, days since the last one); nothing where no
        times are known.
    CONTENT: the shopper's own items that it resembles, strongest first.
    CONTEXT: (code of the weekday, part of the day, season or store, see ``moment.CODES``; times
        she bought it then).
    """

    HABIT = "habit"
    POPULAR = "popular"
    PAIRED = "paired"
    LIKED = "liked"
    RHYTHM = "rhythm"
    CONTENT = "content"
    CONTEXT = "context"


@dataclass(frozen=True)
class Part:
    """One addend of a score; any but popular may be negative, and with a ranker that too."""

    kind: PartKind
    value: float
    evidence: tuple[int, ...]


@dataclass(frozen=True)
class Recommendation:
    """One item of a list; its parts, added in their order, are the score to the last bit."""

    item: int
    score: float
    parts: tuple[Part, ...]


KINDS: Mapping[Source, PartKind] = {
    Source.HABIT: PartKind.HABIT,
    Source.POPULARITY: PartKind.POPULAR,
    Source.PAIRING: PartKind.PAIRED,
    Source.AFFINITY: PartKind.LIKED,
    Source.RHYTHM: PartKind.RHYTHM,
    Source.CONTENT: PartKind.CONTENT,
    Source.WEEKDAY: PartKind.CONTEXT,
    Source.DAYPART: PartKind.CONTEXT,
    Source.SEASON: PartKind.CONTEXT,
    Source.STORE: PartKind.CONTEXT,
}


def recommend(
    model: Model,
    events: ConsentedEvents,
    *,
    count: int = 10,
    exclude: AbstractSet[int] = frozenset(),
    moment: Moment = UNKNOWN,
) -> tuple[Recommendation, ...]:
    """The shopper's best items, best first, from events granted for personalising.

    ``moment`` is when and where the list is for, reduced to what she granted (``Moment.granted``).

    Raises:
        ConsentError: the events were admitted for another purpose.
        InvalidInputError: ``count`` is below 1.
    """
    if events.purpose is not Purpose.PERSONALISE:
        raise ConsentError(
            f"Recommending needs events for {Purpose.PERSONALISE}; these were granted for "
            f"{events.purpose}."
        )
    history = History.of(events, model.catalogue)
    return rank(model, history, count=count, exclude=exclude, moment=moment)


def rank(
    model: Model,
    history: History,
    *,
    count: int = 10,
    exclude: AbstractSet[int] = frozenset(),
    moment: Moment = UNKNOWN,
) -> tuple[Recommendation, ...]:
    """``recommend`` for a history at hand.

    Ties go to the item listed first. Items that score nothing are left out, so the list may be
    shorter than ``count``: without artefacts only what she has bought can be recommended.
    """
    if count < 1:
        raise InvalidInputError(f"Expected count={count} >= 1.")
    know = Knowledge(shared=model, history=history, moment=moment)
    scores = model.scores_of(know)
    order = np.argsort(-scores.total, kind="stable")[: count + len(exclude)]
    able = model.may_list(history) & (scores.total > 0)
    chosen = [int(i) for i in order if able[i] and int(i) not in exclude][:count]
    return tuple(explained(model, know, scores, item) for item in chosen)


def explained(model: Model, know: Knowledge, scores: Scores, item: int) -> Recommendation:
    """One item with the parts of its score, whatever its place."""
    return Recommendation(
        item=item, score=float(scores.total[item]), parts=_parts(model, know, scores, item)
    )


def _parts(model: Model, know: Knowledge, scores: Scores, item: int) -> tuple[Part, ...]:
    """The non-zero addends in the order in which ``Scores.total`` adds them."""
    return tuple(
        Part(KINDS[source], float(addend[item]), _evidence(model, know, source, item))
        for source, addend in scores.addends.items()
        if addend[item]
    )


def _evidence(model: Model, know: Knowledge, source: Source, item: int) -> tuple[int, ...]:
    kind, history = KINDS[source], know.history
    if kind is PartKind.CONTEXT:
        match = know.matches[Setting(source)]
        return match.code, int(match.times[item])
    found: Mapping[PartKind, Callable[[], tuple[int, ...]]] = {
        PartKind.HABIT: lambda: _habit(model, history, item),
        PartKind.POPULAR: lambda: _rank(model, history, item),
        PartKind.PAIRED: lambda: model.companions(history, item),
        PartKind.LIKED: lambda: _liked(model, history, item),
        PartKind.RHYTHM: lambda: _rhythm(know, item),
        PartKind.CONTENT: lambda: model.content.speakers(history, item),
    }
    return found[kind]()


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


def _rhythm(know: Knowledge, item: int) -> tuple[int, ...]:
    if know.history.time is None:
        return ()
    found = know.rhythm
    return round(float(found.gap[item])), round(float(found.since[item]))
