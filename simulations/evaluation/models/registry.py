"""The rivals: models that see everyone's data in one place, and what of each is tuned.

Every space begins where its authors' experiments point. Nothing here knows the data set; what a
run chose is in its record.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from simulations.evaluation.evaluate import Recommender
from simulations.evaluation.models.factors import ials
from simulations.evaluation.models.linear import Profile, ease
from simulations.evaluation.models.neighbours import tifu_knn, up_cf
from simulations.evaluation.models.trees import lambda_rank


class RivalName(StrEnum):
    """Which there are."""

    TIFU_KNN = "TIFU-KNN"
    UP_CF = "UP-CF"
    EASE = "EASE"
    IALS = "iALS"
    LAMBDA_RANK = "LightGBM LambdaRank"


@dataclass(frozen=True, kw_only=True)
class Rival:
    """A model with its settings.

    Attributes:
        build: settings to a model.
        start: where tuning begins.
        space: what is tried, in the order in which settings are tuned.
        source: who published it.
    """

    build: Callable[..., Recommender]
    start: Mapping[str, Any]
    space: Mapping[str, tuple[Any, ...]]
    source: str


NEXT_BASKET: Mapping[RivalName, Rival] = {
    RivalName.TIFU_KNN: Rival(
        build=tifu_knn,
        start={"neighbours": 300, "group": 7, "within": 0.9, "across": 0.7, "own": 0.7},
        space={
            "across": (0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
            "group": (3, 7, 14),
            "own": (0.1, 0.3, 0.5, 0.7, 0.9),
            "within": (0.8, 0.9, 0.95, 1.0),
            "neighbours": (30, 100, 300, 900),
        },
        source="Hu et al. 2020",
    ),
    RivalName.UP_CF: Rival(
        build=up_cf,
        start={"recent": 25, "asymmetry": 0.5, "locality": 5.0},
        space={
            "locality": (1.0, 5.0, 10.0, 20.0, 50.0, 100.0),
            "recent": (1, 5, 10, 25, 50, 100, 0),
            "asymmetry": (0.0, 0.25, 0.5, 0.75, 1.0),
        },
        source="Faggioli et al. 2020",
    ),
    RivalName.EASE: Rival(
        build=ease,
        start={"ridge": 300.0, "profile": Profile.ROOTS.value, "own": 1.0},
        space={
            "ridge": (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0),
            "own": (0.0, 0.3, 1.0, 3.0),
        },
        source="Steck 2019",
    ),
    RivalName.IALS: Rival(
        build=ials,
        start={"factors": 64, "regularisation": 1.0, "confidence": 1.0},
        space={
            "confidence": (0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
            "regularisation": (0.1, 1.0, 3.0, 10.0, 30.0, 100.0),
            "factors": (32, 64, 128, 256),
        },
        source="Hu et al. 2008",
    ),
    RivalName.LAMBDA_RANK: Rival(
        build=lambda_rank,
        start={"trees": 100, "leaves": 15, "rate": 0.05},
        space={"trees": (50, 100, 200), "leaves": (7, 15, 31)},
        source="Ke et al. 2017",
    ),
}

LEAVE_ONE_OUT: Mapping[RivalName, Rival] = {
    RivalName.EASE: Rival(
        build=ease,
        start={"ridge": 1000.0, "profile": Profile.BINARY.value, "popularity_power": 0.0},
        space={
            "ridge": (30.0, 100.0, 300.0, 1000.0, 3000.0),
            "popularity_power": (0.0, 0.1, 0.2, 0.3),
        },
        source="Steck 2019",
    ),
    RivalName.IALS: Rival(
        build=ials,
        start={"factors": 64, "regularisation": 10.0, "confidence": 3.0},
        space={
            "confidence": (0.3, 1.0, 3.0, 10.0),
            "regularisation": (1.0, 10.0, 30.0, 100.0),
            "factors": (32, 64, 128),
        },
        source="Hu et al. 2008",
    ),
}
