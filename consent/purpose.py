"""What a shopper can agree to: purposes and data categories, and the cells of her matrix.

Source: W3C DPV terms where there are any; DPV has no term for federated learning, so fedcart mints
``fedcart:TrainSharedModels``.
"""

from enum import StrEnum


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
