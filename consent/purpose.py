"""What a shopper can agree to: purposes and data categories, and the cells of her matrix.

Source: W3C DPV terms where there are any; DPV has no term for federated learning, so fedcart mints
``fedcart:TrainSharedModels``.
"""

from enum import StrEnum
from typing import NamedTuple


class Purpose(StrEnum):
    """Why data may be used."""

    PERSONALISE = "personalise-on-device"
    TRAIN = "train-shared-models"
    FAIRNESS = "fairness-audit"
    MEASUREMENT = "measurement"
    STOCK = "stock-planning"
    VALUE_SHARING = "value-sharing"
    RESEARCH = "research"


class Category(StrEnum):
    """Which data may be used.

    ``PURCHASES`` covers item, basket, quantity, price and *day*; the hour belongs to
    ``TIME_CONTEXT`` and the store to ``LOCATION``.
    """

    PURCHASES = "purchases"
    BROWSING = "browsing"
    LOCATION = "location"
    TIME_CONTEXT = "time-and-context"
    DEVICE = "device"
    DEMOGRAPHICS = "demographics"
    SENSITIVE = "sensitive-product-classes"


class ConsentState(StrEnum):
    """Where one cell of a shopper's matrix stands: the consent states of W3C DPV 2.

    ``UNKNOWN`` is the state of every cell that was never decided; it permits nothing.
    """

    UNKNOWN = "unknown"
    REQUESTED = "requested"
    REQUEST_DEFERRED = "request-deferred"
    GIVEN = "given"
    RENEWED = "renewed-consent-given"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    INVALIDATED = "invalidated"


# The states that permit use, and those that say that it must end.
LIVE_STATES = frozenset({ConsentState.GIVEN, ConsentState.RENEWED})
ENDED_STATES = frozenset(
    {
        ConsentState.REFUSED,
        ConsentState.EXPIRED,
        ConsentState.WITHDRAWN,
        ConsentState.REVOKED,
        ConsentState.INVALIDATED,
    }
)


class Decision(StrEnum):
    """What a shopper can say about a cell."""

    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Cell(NamedTuple):
    """One cell of the matrix: may this category be used for this purpose?"""

    purpose: Purpose
    category: Category


CELLS = tuple(Cell(purpose, category) for purpose in Purpose for category in Category)
