"""Why an item is on the list, in words, from the parts of its score and nothing else.

What enters is the shopper's own recommendation and the public item list: no event of anybody else
can reach a sentence. Reasons keep the order of the parts, so their values, added in that order, are
the score to the last bit.

Items of sensitive classes are explained without naming anything: neither their category nor what
they go with, and where one of them speaks for another item it is not named either.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from client.recommender.explanation.chinese import Chinese
from client.recommender.explanation.english import English
from client.recommender.explanation.wording import Wording
from client.recommender.recommend import Part, PartKind, Recommendation
from consent.notice import Language
from consent.tasks.catalogue import Catalogue

# A second part is told in the headline as well when it makes up at least this share of the score.
WORTH_TELLING: Final = 0.2
WORDINGS: Final[Mapping[Language, Wording]] = {Language.EN: English(), Language.ZH: Chinese()}
_HEADLINE: Final = 2


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One part of a score in words.

    Attributes:
        kind: the part's.
        value: exactly the part's.
        share: of the score's size; negative for what speaks against the item.
        sentence: what the part says.
    """

    kind: str
    value: float
    share: float
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why an item is listed: the headline, and every part of its score in their order."""

    item: int
    score: float
    headline: str
    reasons: tuple[Reason, ...]

    @property
    def strongest(self) -> tuple[Reason, ...]:
        """The reasons, those that weigh most first."""
        return tuple(sorted(self.reasons, key=lambda each: -abs(each.value)))

    def to_json(self) -> dict[str, Any]:
        """Headline and parts."""
        return {
            "score": self.score,
            "headline": self.headline,
            "parts": [vars(each) for each in self.reasons],
        }


def explain(
    recommendation: Recommendation, catalogue: Catalogue, language: Language = Language.EN
) -> Explanation:
    """Put a recommendation's parts into words."""
    said = WORDINGS[language]
    reasons = tuple(
        Reason(
            kind=str(part.kind),
            value=part.value,
            share=part.value / abs(recommendation.score),
            sentence=said.sentence([_clause(part, recommendation, catalogue, said)]),
        )
        for part in recommendation.parts
    )
    return Explanation(
        item=recommendation.item,
        score=recommendation.score,
        headline=reason(recommendation, catalogue, language),
        reasons=reasons,
    )


def reason(
    recommendation: Recommendation, catalogue: Catalogue, language: Language = Language.EN
) -> str:
    """One sentence that names the largest part, and the next where it weighs enough."""
    said = WORDINGS[language]
    told = sorted((p for p in recommendation.parts if p.value > 0), key=lambda part: -part.value)
    clauses = [
        _clause(part, recommendation, catalogue, said)
        for place, part in enumerate(told[:_HEADLINE])
        if place == 0 or part.value >= WORTH_TELLING * recommendation.score
    ]
    return said.sentence(list(dict.fromkeys(clauses)) or [said.fits()])


def names_of(items: Sequence[int], catalogue: Catalogue, said: Wording) -> tuple[str, ...]:
    """The items' names; those of sensitive classes together as one that is not named."""
    open_ones = [catalogue.items[item] for item in items if not catalogue.sensitive[item]]
    hidden = [said.unnamed()] * (len(open_ones) < len(items))
    return (*open_ones, *hidden)


@dataclass(frozen=True, kw_only=True)
class _Told:
    """A part, and what it may be told with."""

    part: Part
    whole: Recommendation
    catalogue: Catalogue
    said: Wording

    @property
    def speaks_for(self) -> bool:
        return self.part.value > 0

    @property
    def names(self) -> tuple[str, ...]:
        return names_of(self.part.evidence, self.catalogue, self.said)

    @property
    def category(self) -> str:
        return self.catalogue.categories[self.whole.item]

    @property
    def bought(self) -> bool:
        return any(part.kind is PartKind.HABIT for part in self.whole.parts)


def _habit(told: _Told) -> str:
    clause = told.said.habit(*told.part.evidence)
    return clause if told.speaks_for else told.said.against(clause)


def _rhythm(told: _Told) -> str:
    if not told.part.evidence:  # no days are known
        return told.said.due(speaks_for=told.speaks_for)
    return told.said.rhythm(*told.part.evidence, speaks_for=told.speaks_for)


def _popular(told: _Told) -> str:
    clause = told.said.popular(bought=told.bought)
    return clause if told.speaks_for else told.said.against(clause)


def _liked(told: _Told) -> str:
    return told.said.liked(told.category, bought=told.bought, speaks_for=told.speaks_for)


_CLAUSES: Final[Mapping[PartKind, Callable[[_Told], str]]] = {
    PartKind.HABIT: _habit,
    PartKind.RHYTHM: _rhythm,
    PartKind.POPULAR: _popular,
    PartKind.PAIRED: lambda told: told.said.paired(told.names, speaks_for=told.speaks_for),
    PartKind.LIKED: _liked,
    PartKind.CONTENT: lambda told: told.said.content(told.names, speaks_for=told.speaks_for),
    PartKind.CONTEXT: lambda told: told.said.context(
        *told.part.evidence, speaks_for=told.speaks_for
    ),
}


def _clause(part: Part, whole: Recommendation, catalogue: Catalogue, said: Wording) -> str:
    told = _Told(part=part, whole=whole, catalogue=catalogue, said=said)
    if catalogue.sensitive[whole.item]:
        return said.gentle(speaks_for=told.speaks_for)
    return _CLAUSES[part.kind](told)
