"""The ranker: what is summed, and what is released.

A shopper gives the gradient and the curvature of how well the weights at hand foretell her last
baskets, worked out on her device from what lay before them. From the sum of both the server takes
one Newton step.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from consent.tasks.names import TaskName
from consent.tasks.parameters import MAX_LISTS, FloatArray, get_numbers, pack, unpack
from crypto.errors import WireError
from crypto.wire import get_int, get_str

MAX_FEATURES = 25
MAX_WEIGHT = 100.0
MAX_CANDIDATES = 10_000


class Feature(StrEnum):
    """What a ranker can weigh; the devices' definitions are in ``client/recommender/features``."""

    BASE = "base"
    BOUGHT = "bought"
    SHORT_HABIT = "short-habit"
    LONG_HABIT = "long-habit"
    LAST_BASKET = "last-basket"
    SEASON_BOUGHT = "season-bought"
    SEASON_NEW = "season-new"
    POPULAR_NEW = "popular-new"
    LIFT_BOUGHT = "lift-bought"
    LIFT_NEW = "lift-new"
    LIFT_LATELY = "lift-lately"
    CATEGORY = "category"
    CONTENT = "content"
    CONTENT_LATELY = "content-lately"
    DUE = "due"
    LATE = "late"
    WEEKDAY = "weekday"
    DAYPART = "daypart"
    SEASON = "season"
    STORE = "store"


# Where learning begins, every other weight at 0: the order of the closed form.
START: Mapping[Feature, float] = {Feature.BASE: 3.0}


@dataclass(frozen=True, kw_only=True)
class RankerTask:
    """One round of learning the weights.

    Attributes:
        features: what is weighed, each once.
        weights: one a feature, where this round begins.
        candidates: how many items compete in a list, the best by the weights' base.
        baskets: how many of her last baskets are foretold, each from what lay before it.
        moments: whether a list is made for the moment at which the basket was bought; else for a
            moment that is not known.
        inputs: hex SHA-256 of the encoded artefacts that features are made of.
    """

    features: tuple[Feature, ...]
    weights: tuple[float, ...]
    candidates: int
    baskets: int
    moments: bool = False
    inputs: tuple[str, ...] = ()
    name: TaskName = TaskName.RANKER

    @property
    def dimension(self) -> int:
        """Length of the contribution: K for the gradient, K (K + 1) / 2 for the curvature."""
        size = len(self.features)
        return size + size * (size + 1) // 2

    def to_json(self) -> dict[str, Any]:
        """The parameters as JSON."""
        return {
            "features": list(self.features),
            "weights": list(self.weights),
            "candidates": self.candidates,
            "baskets": self.baskets,
            "moments": self.moments,
            "inputs": list(self.inputs),
        }

    @classmethod
    def parse(cls, parameters: dict[str, Any]) -> Self:
        """Read the parameters of a manifest; WireError where they are out of bounds."""
        features = parse_features(parameters.get("features"))
        inputs, moments = parameters.get("inputs"), parameters.get("moments")
        if not isinstance(inputs, list) or not all(_is_hash(each) for each in inputs):
            raise WireError("Field 'inputs': expected a list of hex SHA-256.")
        if not isinstance(moments, bool):
            raise WireError("Field 'moments': expected true or false.")
        return cls(
            features=features,
            weights=bounded(get_numbers(parameters, "weights", len(features))),
            candidates=get_int(parameters, "candidates", low=2, high=MAX_CANDIDATES),
            baskets=get_int(parameters, "baskets", low=1, high=MAX_LISTS),
            moments=moments,
            inputs=tuple(inputs),
        )


@dataclass(frozen=True, kw_only=True)
class RankerArtefact:
    """Learned weights.

    Attributes:
        catalogue: hash of the item list.
        features: what is weighed.
        weights: float64, shape (features,).
    """

    catalogue: str
    features: tuple[Feature, ...]
    weights: FloatArray
    task: TaskName = TaskName.RANKER

    def to_json(self) -> dict[str, Any]:
        """The body beside task and catalogue."""
        return {"features": list(self.features), "weights": pack(self.weights)}

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Self:
        """Read an artefact; WireError where a field is wrong."""
        features = parse_features(body.get("features"))
        weights = unpack(body, "weights", len(features))
        bounded(tuple(weights.tolist()))
        return cls(catalogue=get_str(body, "catalogue"), features=features, weights=weights)


def parse_features(value: object) -> tuple[Feature, ...]:
    """A list of different features, at least one; WireError where it is none."""
    known = {str(feature) for feature in Feature}
    if not isinstance(value, list) or not all(isinstance(v, str) and v in known for v in value):
        raise WireError(f"Field 'features': expected names among {', '.join(Feature)}.")
    if not 0 < len(set(value)) == len(value) <= MAX_FEATURES:
        raise WireError(f"Field 'features': expected 1 to {MAX_FEATURES} different names.")
    return tuple(Feature(name) for name in value)


def bounded(weights: tuple[float, ...]) -> tuple[float, ...]:
    """Weights within ±``MAX_WEIGHT``; WireError where one is not."""
    if not all(abs(weight) <= MAX_WEIGHT for weight in weights):
        raise WireError(f"Field 'weights': expected numbers from -{MAX_WEIGHT} to {MAX_WEIGHT}.")
    return weights


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and not value.strip("0123456789abcdef")
