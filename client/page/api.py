"""The local API for a store's till or an app on this machine: JSON under ``/api/v1``.

An app has a token that the shopper made (``fedcart device token``). It sees lists and reasons, the
level of discovery, and how much left and stayed; never the purchases themselves. Consent is asked
for as on the page, and cookies count for nothing here.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from client.app_tokens import whose_token
from client.breadth import read_breadth, set_breadth
from client.departures import departures
from client.home import ClientHome
from client.own_data import kept
from client.page.desk import Desk, DeskDep
from client.page.door import API
from client.page.rate import Bucket
from client.readiness import Readiness, readiness
from client.recommender.openness import Breadth
from client.register import spent_by
from client.shelf import Stock
from client.showing import show_list
from consent.notice import Language
from consent.problem import Problem, answers
from crypto.errors import InvalidInputError

PREFIX: Final = f"{API}v1"
MAX_COUNT: Final = 100
AT_ONCE: Final = 60
PER_MINUTE: Final = 120
_MAX_NAME: Final = 256
_SCHEME: Final = "bearer"
# What each obstacle is to an app; the last part of the problem's type.
_OBSTACLES: Final = {
    Readiness.FORGOTTEN: (403, "This device was forgotten."),
    Readiness.HELD: (403, "The shopper asked for a stop: nothing of hers is used."),
    Readiness.REFUSED: (403, "The consent service does not take this device's token."),
    Readiness.AWAY: (503, "The consent service gives no answer; without it nothing is used."),
    Readiness.NOT_GIVEN: (403, "The shopper has not agreed to recommendations."),
    Readiness.NO_PURCHASES: (409, "There are no purchases on this device."),
}


class Part(BaseModel):
    """One addend of a score: added in order, the parts are the score to the last bit."""

    kind: str
    value: float
    share: float = Field(description="Of the score; negative for what speaks against the item.")
    sentence: str


class Instead(BaseModel):
    """What would have to be missing for the item not to be listed."""

    now: int | None = Field(description="Its place with all of her purchases.")
    without: list[str]
    place: int | None = Field(description="Its place then; null where it would be nowhere.")
    listed: bool
    sentence: str


class Recommended(BaseModel):
    """One item of a list, with the reason for it."""

    item: str
    category: str
    score: float
    reason: str
    parts: list[Part]


class Drawn(Recommended):
    """One item of the discovery zone."""

    chance: float = Field(description="With which it was drawn at its place.")


class Discovery(BaseModel):
    """Her slider: how much that is new to her she wants to see."""

    breadth: Breadth


class Explained(Recommended):
    """One item with its counterfactual."""

    counterfactual: Instead


class Recommendations(BaseModel):
    """A list, best first, and which of her data it was made from."""

    recommendations: list[Recommended]
    discovery: list[Drawn] = Field(description="The discovery zone, beside the list.")
    used: list[str]
    artefacts: list[str]


class Round(BaseModel):
    """One round that the device joined; null for what is not known on it."""

    task: str
    round: str
    sent: bool = Field(description="Whether anything left the device for it.")
    epsilon: float | None
    opened: int | None
    values: int | None
    sealed_bytes: int | None
    others: int | None
    released: bool
    waiting: bool


class Left(BaseModel):
    """What left the device; ``spent`` is null where a round had no noise."""

    rounds: list[Round]
    spent: float | None
    cap: float | None
    delta: float


class Stayed(BaseModel):
    """How much stays on the device, and of which time (Unix seconds)."""

    lines: int
    baskets: int
    items: int
    first: int | None
    last: int | None


def _app(request: Request, desk: DeskDep) -> ClientHome:
    """The device, for an app with a token that counts, within its rate.

    Raises:
        Problem: 401 without one, 429 beyond the rate.
    """
    home, bucket = desk.home, request.app.state.bucket
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    name = whose_token(home, token.strip()) if scheme.lower() == _SCHEME else None
    admitted: Bucket = bucket
    if not admitted.admits("" if name is None else f"app {name}"):
        raise Problem(429, f"At most {PER_MINUTE} requests a minute; wait a little.")
    if name is None:
        raise Problem(
            401, "Send a token: Authorization: Bearer TOKEN. Make one with: fedcart device token."
        )
    return home


@dataclass(frozen=True)
class Place:
    """When and where a list is for; it counts as far as she granted time and places."""

    time: Annotated[
        datetime | None,
        Query(description="ISO 8601, the shop's local time; now where it is left out."),
    ] = None
    store: Annotated[
        str | None, Query(max_length=_MAX_NAME, description="As her purchases name it.")
    ] = None

    @property
    def seconds(self) -> float | None:
        """The shop's wall clock read as UTC, as purchases have it; Unix seconds."""
        return None if self.time is None else self.time.replace(tzinfo=UTC).timestamp()


AppDep = Annotated[ClientHome, Depends(_app)]
router = APIRouter(prefix=PREFIX, tags=["device"], responses=answers(401, 403, 421, 422, 429))
LanguageQuery = Annotated[Language, Query(description="Of the sentences.")]
CountQuery = Annotated[int, Query(ge=1, le=MAX_COUNT, description="How many items.")]


@router.get("/recommendations", response_model=Recommendations, responses=answers(409, 503))
def recommendations(
    desk: DeskDep,
    home: AppDep,
    place: Annotated[Place, Depends()],
    count: CountQuery = 10,
    language: LanguageQuery = Language.EN,
) -> dict[str, Any]:
    """Her list, made now, if she agrees to it now."""
    stock = _stock(desk, home, place)
    with desk.showing:
        return show_list(home, stock, count=count, language=language).to_json()


@router.get("/explanation", response_model=Explained, responses=answers(404, 409, 503))
def explanation(  # one parameter a query field
    desk: DeskDep,
    home: AppDep,
    place: Annotated[Place, Depends()],
    item: Annotated[str, Query(min_length=1, max_length=_MAX_NAME)],
    count: CountQuery = 10,
    language: LanguageQuery = Language.EN,
) -> dict[str, Any]:
    """Every part of one item's score, and without which purchases it would leave the list."""
    stock = _stock(desk, home, place)
    try:
        shelf = stock.explained(item, count=count, language=language)
    except InvalidInputError as error:
        raise Problem(
            404, "This item is not recommended, or not of the retailer's list."
        ) from error
    return shelf.suggestion_json(shelf.suggestions[0])


@router.get("/discovery")
def discovery(home: AppDep) -> Discovery:
    """Her slider."""
    return Discovery(breadth=read_breadth(home, home.shoppers[home.shopper]))


@router.put("/discovery")
def move_slider(home: AppDep, wanted: Discovery) -> Discovery:
    """Move her slider, as she asked the app to; the zone of the next list follows."""
    set_breadth(home, home.shoppers[home.shopper], wanted.breadth)
    return wanted


@router.get("/left", response_model=Left)
def left(desk: DeskDep, home: AppDep) -> dict[str, Any]:
    """What left the device: rounds, and ε spent against her cap."""
    spent = spent_by(home.register, home.shopper, delta=home.trust.delta)
    return {
        "rounds": [each.to_json() for each in departures(home, desk.releases)],
        "spent": spent if math.isfinite(spent) else None,
        "cap": home.trust.epsilon_cap,
        "delta": home.trust.delta,
    }


@router.get("/stayed", response_model=Stayed)
def stayed(home: AppDep) -> dict[str, Any]:
    """How much stays on the device."""
    return kept(home).to_json()


def _stock(desk: Desk, home: ClientHome, place: Place) -> Stock:
    state = readiness(home, desk.http(home))
    if state is not Readiness.READY:
        status, detail = _OBSTACLES[state]
        raise Problem(status, detail, kind=f"urn:fedcart:device:{state}")
    try:
        return desk.stock(home, at=place.seconds, store=place.store)
    except InvalidInputError as error:
        raise Problem(409, "There is no released model to recommend from.") from error
