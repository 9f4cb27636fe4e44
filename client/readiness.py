"""Whether a list may be made at this moment, and what stands in its way.

A reason for people, before anything is read; whoever makes the list asks for consent again
(``client/shelf.py``), so nothing hangs on this answer alone.
"""

from enum import StrEnum

import httpx

from client.choices import read_choices
from client.holds import Holds
from client.home import ClientHome
from consent.purpose import Category, Purpose
from consent.transport import RefusalError
from crypto.errors import ConsentError


class Readiness(StrEnum):
    """READY, or the first thing that is missing."""

    READY = "ready"
    FORGOTTEN = "forgotten"
    HELD = "held"
    REFUSED = "refused"
    AWAY = "away"
    NOT_GIVEN = "not-given"
    NO_PURCHASES = "no-purchases"


def readiness(home: ClientHome, http: httpx.Client) -> Readiness:
    """Where things stand; never fails for want of consent.

    FORGOTTEN: the device has no token. HELD: it was told to use nothing. REFUSED: the consent
    service does not take its token. AWAY: the service gives no answer. NOT_GIVEN: she does not let
    her purchases be used for recommending.
    """
    if not home.token_file.exists():
        return Readiness.FORGOTTEN
    try:
        holds = Holds.load(home)
        if holds.refusal(home.shopper) is not None:
            return Readiness.HELD
        given = read_choices(home, http).categories(Purpose.PERSONALISE)
    except RefusalError as error:
        return Readiness.AWAY if error.status >= 500 else Readiness.REFUSED
    except ConsentError:
        return Readiness.AWAY
    if Category.PURCHASES not in holds.usable(home.shopper, Purpose.PERSONALISE, given):
        return Readiness.NOT_GIVEN
    return Readiness.READY if home.events.exists() else Readiness.NO_PURCHASES
