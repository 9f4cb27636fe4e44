"""Her list and her discovery zone together, as they are shown."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np

from client.contributions.history import History
from client.recommender.discovery import DEFAULT_ZONE, Shown, Slot, Zone, discover
from client.recommender.fatigue import weary
from client.recommender.moment import UNKNOWN, Moment
from client.recommender.openness import Breadth
from client.recommender.recommend import Recommendation, rank
from client.recommender.scores import Model
from consent.admit import ConsentedEvents
from consent.purpose import Purpose
from crypto.dp.random import SecureRandom
from crypto.errors import ConsentError


def arrange(
    model: Model,
    history: History,
    *,
    count: int = 10,
    breadth: Breadth = Breadth.AS_I_SHOP,
    zone: Zone = DEFAULT_ZONE,
    tired: AbstractSet[int] = frozenset(),
    moment: Moment = UNKNOWN,
    rng: SecureRandom | np.random.Generator | None = None,
) -> tuple[Shown, ...]:
    """The ``count`` best items, then the discovery zone.

    Args:
        model: shared artefacts.
        history: hers.
        count: items of the list; the zone comes on top.
        breadth: her slider.
        zone: how the zone is filled.
        tired: items that stay out of the zone (``fatigue.weary``); the list has them all the same.
        moment: when and where it is for.
        rng: draws the zone; the operating system's if None.

    Guarantee: the list is the one without a zone, item by item; with the slider at ``NONE`` there
    is nothing else. No item is shown twice.
    """
    best = rank(model, history, count=count, moment=moment)
    listed = frozenset(each.item for each in best)
    return (
        *map(_listed, best),
        *discover(
            model,
            history,
            breadth=breadth,
            zone=zone,
            exclude=listed | tired,
            moment=moment,
            rng=rng,
        ),
    )


def arranged_for(
    model: Model,
    events: ConsentedEvents,
    *,
    count: int = 10,
    breadth: Breadth = Breadth.AS_I_SHOP,
    shown: Sequence[frozenset[int]] = (),
    bought: Sequence[frozenset[int]] = (),
    moment: Moment = UNKNOWN,
) -> tuple[Shown, ...]:
    """``arrange`` from events granted for personalising, with what was shown before.

    Args:
        model: shared artefacts.
        events: hers.
        count: items of the list.
        breadth: her slider.
        shown: what the zones of earlier lists held, oldest first.
        bought: one a list: what she bought after it.
        moment: when and where it is for.

    Raises:
        ConsentError: the events were admitted for another purpose.
    """
    if events.purpose is not Purpose.PERSONALISE:
        raise ConsentError(
            f"Recommending needs events for {Purpose.PERSONALISE}; these were granted for "
            f"{events.purpose}."
        )
    return arrange(
        model,
        History.of(events, model.catalogue),
        count=count,
        breadth=breadth,
        tired=weary(shown, bought, model.category),
        moment=moment,
    )


def _listed(recommendation: Recommendation) -> Shown:
    return Shown(recommendation=recommendation, slot=Slot.FOR_YOU, propensity=1.0)
