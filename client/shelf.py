"""A shopper's list, made on her device from released artefacts and her own purchases."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from client.contributions.history import FloatArray, History
from client.events import EventStore
from client.gateway import Gateway
from client.holds import Holds
from client.home import ClientHome
from client.recommender.explanation.counterfactual import Counterfactual, Reranking
from client.recommender.explanation.explain import Explanation, explain
from client.recommender.features import Knowledge
from client.recommender.moment import Moment
from client.recommender.recommend import Recommendation, explained, recommend
from client.recommender.scores import Model
from consent.admit import ConsentedEvents
from consent.client import ConsentClient
from consent.notice import Language
from consent.purpose import Category
from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.names import TaskName
from crypto.errors import ConsentError, InvalidInputError

# Where the released artefacts come from; whoever serves many requests keeps them in memory.
Artefacts = Callable[[], tuple[Artefact, ...]]
DEFAULT_COUNT: Final = 10


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """One item of the list, and why it is there.

    Attributes:
        counterfactual: None where it was not asked for.
        chance: with which probability it was drawn for the discovery zone; None in the list.
    """

    item: str
    category: str
    explanation: Explanation
    counterfactual: Counterfactual | None = None
    chance: float | None = None

    @property
    def reason(self) -> str:
        """The headline of its explanation."""
        return self.explanation.headline


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """The list, best first.

    Attributes:
        zone: the discovery zone: what is new to her, beside the list.
        used: the categories of her data that it was made from, as she granted them.
        artefacts: the released artefacts that went in.
        language: of its sentences.
    """

    suggestions: tuple[Suggestion, ...]
    used: tuple[Category, ...]
    artefacts: tuple[TaskName, ...]
    catalogue: Catalogue
    language: Language
    zone: tuple[Suggestion, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "recommendations": [self.suggestion_json(each) for each in self.suggestions],
            "discovery": [self.suggestion_json(each) for each in self.zone],
            "used": list(self.used),
            "artefacts": list(self.artefacts),
        }

    def suggestion_json(self, suggestion: Suggestion) -> dict[str, Any]:
        """One item with its parts, and its counterfactual where there is one."""
        why = suggestion.explanation.to_json()
        line = {
            "item": suggestion.item,
            "category": suggestion.category,
            "score": why["score"],
            "reason": why["headline"],
            "parts": why["parts"],
        }
        if suggestion.chance is not None:
            line["chance"] = suggestion.chance
        if suggestion.counterfactual is not None:
            told = suggestion.counterfactual.to_json(self.catalogue, self.language)
            line["counterfactual"] = told
        return line


@dataclass(frozen=True, kw_only=True)
class Stock:
    """What a list is made from: her consented purchases and the artefacts. Made by ``take_stock``.

    Guarantee: consent stood when it was made; use it for one answer and let it go.
    """

    events: ConsentedEvents
    model: Model
    moment: Moment
    artefacts: tuple[TaskName, ...]

    @property
    def catalogue(self) -> Catalogue:
        """The public item list."""
        return self.model.catalogue

    def shelf(
        self, *, count: int, language: Language = Language.EN, counterfactuals: bool = False
    ) -> Shelf:
        """The list, with a counterfactual for each item where they are asked for; no zone."""
        return self.shelf_of(
            recommend(self.model, self.events, count=count, moment=self.moment),
            count=count,
            language=language,
            counterfactuals=counterfactuals,
        )

    def shelf_of(
        self,
        ranked: Sequence[Recommendation],
        *,
        count: int,
        language: Language,
        counterfactuals: bool,
    ) -> Shelf:
        """A shelf of these recommendations, of a list of ``count`` items."""
        reranking = self._reranking(count) if counterfactuals else None
        return Shelf(
            suggestions=tuple(self._suggestion(each, language, reranking) for each in ranked),
            used=tuple(sorted(self.events.categories)),
            artefacts=self.artefacts,
            catalogue=self.catalogue,
            language=language,
        )

    def explained(self, item: str, *, count: int, language: Language = Language.EN) -> Shelf:
        """The shelf with one item alone, with its counterfactual.

        Raises:
            InvalidInputError: the item list has no such item, or it is not recommended.
        """
        place = self.catalogue.items.index(item) if item in self.catalogue.items else -1
        if place < 0:
            raise InvalidInputError(f"The retailer's list has no item {item!r}.")
        history = History.of(self.events, self.catalogue)
        know = Knowledge(shared=self.model, history=history, moment=self.moment)
        scores = self.model.scores_of(know)
        if not scores.total[place]:
            raise InvalidInputError(f"{item!r} is not recommended at all: nothing speaks for it.")
        found = explained(self.model, know, scores, place)
        return self.shelf_of([found], count=count, language=language, counterfactuals=True)

    def _suggestion(
        self, recommendation: Recommendation, language: Language, reranking: Reranking | None
    ) -> Suggestion:
        return Suggestion(
            item=self.catalogue.items[recommendation.item],
            category=self.catalogue.categories[recommendation.item],
            explanation=explain(recommendation, self.catalogue, language),
            counterfactual=None if reranking is None else reranking.counterfactual(recommendation),
        )

    def _reranking(self, count: int) -> Reranking:
        return Reranking(
            events=self.events, catalogue=self.catalogue, score=self._score, count=count
        )

    def _score(self, history: History) -> FloatArray:
        return self.model.scores(history, self.moment).total


def take_stock(
    home: ClientHome,
    http: httpx.Client,
    artefacts: Artefacts,
    *,
    at: float | None = None,
    store: str | None = None,
) -> Stock:
    """What lists are made from, if she agrees to it at this moment.

    Args:
        home: the device.
        http: to its consent service.
        artefacts: the released ones.
        at: when the list is for, Unix seconds (the shop's local time read as UTC); now if None.
        store: where; it counts only if she granted places, and the hour only if she granted that.

    Raises:
        ConsentError: she doesn't, or the consent service can't say; her purchases are not read.
        InvalidInputError: no usable artefact, or no purchases on this device.
    """
    events = _personal_events(home, http)
    released = artefacts()
    return Stock(
        events=events,
        model=Model.of(home.trust.load_catalogue(), released),
        moment=Moment.granted(
            events.categories, time=local_now() if at is None else int(at), store=store
        ),
        artefacts=tuple(artefact.task for artefact in released),
    )


def local_now() -> int:
    """This machine's wall clock as purchases have it: local time read as UTC, Unix seconds."""
    return int(datetime.now().astimezone().replace(tzinfo=UTC).timestamp())


def _personal_events(home: ClientHome, http: httpx.Client) -> ConsentedEvents:
    shopper, token = home.shopper, home.token
    if not home.events.exists():
        raise InvalidInputError(
            f"There are no purchases in {home.path}; import some: fedcart device import."
        )
    consent = ConsentClient(http, service_key=home.trust.consent_key)
    try:
        with EventStore.open(home.events) as store:
            return Gateway(store, consent, home.trust.load_catalogue(), Holds.load(home)).personal(
                shopper, identifier=home.shoppers[shopper], token=token
            )
    except ConsentError as error:
        raise ConsentError(f"Nothing is recommended without consent. {error}") from error
