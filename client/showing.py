"""Her list with its discovery zone as this device shows it, and the note that it makes of it.

The zone is drawn by lot, so a page that is loaded again would show another one. Within an hour
(``impressions.SAME_SECONDS``) it stays as it is, unless she has moved the slider or bought
something of it meanwhile.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import httpx

from client.breadth import read_breadth
from client.contributions.history import History
from client.home import ClientHome
from client.impressions import SAME_SECONDS, Showing, read_impressions, remember
from client.outcomes import Outcome, bought_after, outcome
from client.recommender.arrange import arranged_for
from client.recommender.discovery import DEFAULT_ZONE, Shown, Slot
from client.recommender.explanation.explain import explain
from client.recommender.features import Knowledge
from client.recommender.openness import slots
from client.recommender.recommend import explained
from client.shelf import Shelf, Stock, Suggestion, local_now, take_stock
from consent.notice import Language

_IN_ZONE: Final = Slot.DISCOVERY


def show_list(
    home: ClientHome,
    stock: Stock,
    *,
    count: int,
    language: Language = Language.EN,
    at: int | None = None,
    counterfactuals: bool = False,
) -> Shelf:
    """The list and its zone, noted as shown.

    Args:
        home: the device.
        stock: what it is made from; consent stood when that was made.
        count: items of the list; the zone comes on top.
        language: of the reasons.
        at: when it is shown, in seconds as purchases count them; now if None.
        counterfactuals: whether each item of the list gets one.

    Raises:
        InvalidInputError: the note of earlier lists, or the slider, is damaged.
    """
    now, identifier = local_now() if at is None else at, home.shoppers[home.shopper]
    showings = read_impressions(home, identifier)
    last = showings[-1] if showings and 0 <= now - showings[-1].time < SAME_SECONDS else None
    earlier = showings[:-1] if last is not None else showings
    shown = arranged_for(
        stock.model,
        stock.events,
        count=count,
        breadth=read_breadth(home, identifier),
        shown=[_zone(each, stock) for each in earlier],
        bought=bought_after(earlier, stock.events, stock.catalogue),
        moment=stock.moment,
    )
    kept = None if last is None else _kept(home, stock, last, shown)
    if kept is None:
        remember(home, identifier, stock.events, shown, catalogue=stock.catalogue, at=now)
    listed = [each.recommendation for each in shown if each.slot is not _IN_ZONE]
    plain = stock.shelf_of(listed, count=count, language=language, counterfactuals=counterfactuals)
    zone = [each for each in (shown if kept is None else kept) if each.slot is _IN_ZONE]
    return replace(plain, zone=tuple(_drawn(stock, each, language) for each in zone))


def what_came(home: ClientHome, http: httpx.Client) -> Outcome:
    """What came of the zones so far, from her log and her purchases on this device.

    Args:
        home: the device.
        http: to its consent service; it reads her purchases, so consent is asked for as for a list.

    Raises:
        ConsentError: she doesn't agree, or the consent service can't say; nothing is read.
        InvalidInputError: no purchases, or the note of lists is damaged.
    """
    stock = take_stock(home, http, tuple)  # it needs no artefact
    return outcome(
        read_impressions(home, home.shoppers[home.shopper]), stock.events, stock.catalogue
    )


def _kept(
    home: ClientHome, stock: Stock, last: Showing, shown: Sequence[Shown]
) -> tuple[Shown, ...] | None:
    """The zone of a moment ago; None where it does not fit any more."""
    history = History.of(stock.events, stock.catalogue)
    breadth = read_breadth(home, home.shoppers[home.shopper])
    wanted = slots(history, breadth, mean=DEFAULT_ZONE.mean, most=DEFAULT_ZONE.most)
    before = [each for each in last.items if each.slot is _IN_ZONE]
    places = {name: place for place, name in enumerate(stock.catalogue.items)}
    zone = [places.get(each.item, -1) for each in before]
    taken = {each.recommendation.item for each in shown if each.slot is not _IN_ZONE}
    if len(zone) != wanted or any(
        place < 0 or history.counts[place] or place in taken for place in zone
    ):
        return None
    know = Knowledge(shared=stock.model, history=history, moment=stock.moment)
    scores = stock.model.scores_of(know)
    if not all(scores.total[place] for place in zone):
        return None
    return tuple(
        Shown(
            recommendation=explained(stock.model, know, scores, place),
            slot=_IN_ZONE,
            propensity=each.propensity,
            rank=each.rank,
            candidates=each.candidates,
        )
        for place, each in zip(zone, before, strict=True)
    )


def _zone(showing: Showing, stock: Stock) -> frozenset[int]:
    places = {name: place for place, name in enumerate(stock.catalogue.items)}
    return frozenset(
        places[each.item] for each in showing.items if each.slot is _IN_ZONE and each.item in places
    )


def _drawn(stock: Stock, shown: Shown, language: Language) -> Suggestion:
    item = shown.recommendation.item
    return Suggestion(
        item=stock.catalogue.items[item],
        category=stock.catalogue.categories[item],
        explanation=explain(shown.recommendation, stock.catalogue, language),
        chance=shown.propensity,
    )
