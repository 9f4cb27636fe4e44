"""Her list with its reasons, and why one item is on it."""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Request, Response

from client.breadth import breadth_named, read_breadth, set_breadth
from client.home import ClientHome
from client.impressions import read_impressions
from client.outcomes import LEAST_LISTS, WINDOW_DAYS, outcome
from client.page.desk import Desk, DeskDep
from client.page.form import FormDep
from client.page.language import language_of
from client.page.render import redirect, render, say
from client.readiness import Readiness, readiness
from client.recommender.openness import Breadth
from client.recommender.recommend import PartKind
from client.shelf import DEFAULT_COUNT, Stock
from client.showing import show_list
from consent.panel.language import mark
from consent.problem import Problem
from crypto.errors import InvalidInputError

router = APIRouter(include_in_schema=False)
# What stands in the way, and what to do about it; {folder} and {panel} are put in.
OBSTACLES: Final[Mapping[Readiness, tuple[str, str]]] = {
    Readiness.FORGOTTEN: (
        mark("This device was forgotten"),
        mark(
            "It holds no purchases of yours and no access any more. To use it again, pair it with "
            "a code from your panel: fedcart device pair --home {folder} --code CODE"
        ),
    ),
    Readiness.HELD: (
        mark("You asked for a stop"),
        mark(
            "Nothing of yours is used on this device, as you asked in your panel. Lift it there, "
            "under My rights, if you want recommendations again."
        ),
    ),
    Readiness.REFUSED: (
        mark("The consent service does not know this device any more"),
        mark(
            "Pair it again with a code from your panel: "
            "fedcart device pair --home {folder} --code CODE"
        ),
    ),
    Readiness.AWAY: (
        mark("The consent service gives no answer"),
        mark(
            "Whether you agree is asked anew each time. Without an answer nothing of yours is "
            "read or recommended. Try again in a moment."
        ),
    ),
    Readiness.NOT_GIVEN: (
        mark("You have not agreed to recommendations"),
        mark(
            "Your purchases are not read for it. To agree, choose “Recommend on my device” for "
            "your purchases in your panel, or type: fedcart device choose personalise-on-device "
            "purchases given --home {folder}"
        ),
    ),
    Readiness.NO_PURCHASES: (
        mark("There are no purchases on this device"),
        mark("Take some in with: fedcart device import FILE --home {folder}"),
    ),
}
_NO_RELEASE: Final = (
    mark("There is nothing to recommend from yet"),
    mark("No released model lies in the folder that this page was started with: {releases}"),
)
_NOT_RECOMMENDED: Final = (
    mark("This item is not recommended"),
    mark("The retailer’s list has no such item, or nothing speaks for it any more."),
)


def _stock(request: Request, desk: Desk, home: ClientHome) -> Stock | Response:
    """What a list is made from, or the page that says what stands in its way."""
    state = readiness(home, desk.http(home))
    if state is not Readiness.READY:
        return obstacle(request, desk, home, *OBSTACLES[state])
    try:
        return desk.stock(home)
    except InvalidInputError:
        return obstacle(request, desk, home, *_NO_RELEASE)


@router.get("/")
def show(request: Request, desk: DeskDep) -> Response:
    """The list, or what stands in its way."""
    home = desk.home
    stock = _stock(request, desk, home)
    if isinstance(stock, Response):
        return stock
    with desk.showing:
        shelf = show_list(home, stock, count=DEFAULT_COUNT, language=language_of(request))
    identifier = home.shoppers[home.shopper]
    return render(
        request,
        "shelf.html",
        shelf=shelf,
        breadth=read_breadth(home, identifier),
        breadths=list(Breadth),
        came=outcome(read_impressions(home, identifier), stock.events, stock.catalogue),
        window=WINDOW_DAYS,
        least=LEAST_LISTS,
    )


@router.post("/discovery")
def move_slider(request: Request, desk: DeskDep, form: FormDep) -> Response:
    """Move her slider; the zone follows at once."""
    home = desk.home
    try:
        breadth = breadth_named(form.text("breadth"))
    except InvalidInputError as error:
        raise Problem(422, "The slider has no such place.") from error
    set_breadth(home, home.shoppers[home.shopper], breadth)
    return redirect(
        request, "/#discovery", flash=say(request, "Your slider was moved; the zone has followed.")
    )


@router.get("/why")
def why(request: Request, desk: DeskDep, item: str) -> Response:
    """Every part of one item's score, and its counterfactual."""
    home = desk.home
    stock = _stock(request, desk, home)
    if isinstance(stock, Response):
        return stock
    try:
        shelf = stock.explained(item, count=DEFAULT_COUNT, language=language_of(request))
    except InvalidInputError:
        title, sentence = _NOT_RECOMMENDED
        return render(request, "error.html", status=404, title=title, sentence=sentence)
    (found,) = shelf.suggestions
    counterfactual = found.counterfactual
    return render(
        request,
        "why.html",
        found=found,
        bought=any(each.kind == PartKind.HABIT for each in found.explanation.reasons),
        instead=counterfactual and counterfactual.sentence(shelf.catalogue, shelf.language),
    )


def obstacle(request: Request, desk: Desk, home: ClientHome, title: str, sentence: str) -> Response:
    """The page in place of a list; 503 only where nobody could say whether she agrees."""
    away = title == OBSTACLES[Readiness.AWAY][0]
    return render(
        request,
        "obstacle.html",
        status=503 if away else 200,
        title=title,
        sentence=sentence,
        values={"folder": str(desk.folder), "releases": str(desk.releases)},
        panel=home.trust.consent_url,
    )
