"""Factors: what is summed, and what is released.

Each listed item has a place in a space of a few tastes. A shopper's own place is worked out on her
device and stays there; she gives where the items would have to move to foretell her better.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from consent.tasks.names import TaskName
from consent.tasks.parameters import MAX_LISTS, FloatArray, get_indices, get_numbers, pack, unpack
from crypto.errors import WireError
from crypto.wire import get_float, get_int, get_str

MAX_WIDTH = 64
# Places go into the signed parameters of the round that starts from them.
MAX_PLACES = 262_144
MAX_FACTOR = 100.0
LEAST, MOST = 1e-3, 1e3


@dataclass(frozen=True, kw_only=True)
class FactorsTask:
    """One round of learning where items lie.

    The state is in the parameters and no input by hash: who finishes the sum must know exactly at
    which places it was taken, and so must every device.

    Attributes:
        indices: catalogue indices of the M listed items.
        weights: one per listed item, from released artefacts only, as in ``ItemItemTask``.
        mean: the public direction that is taken out, shape (M,).
        places: the items' places where this round begins, row by row, M · width of them; each a
            float32, so that all parties hold the same.
        width: k, how many tastes there are.
        ridge: how strongly her own place is held at the origin.
        unseen: what an item that she has not bought counts, where one that she has counts 1.
        length: a contribution this long, or longer, counts as one of length 1.
        withheld: how many of a shopper's last lists are left out, for the ranker to foretell.
    """

    indices: tuple[int, ...]
    weights: tuple[float, ...]
    mean: tuple[float, ...]
    places: tuple[float, ...]
    width: int
    ridge: float
    unseen: float
    length: float
    withheld: int = 0
    name: TaskName = TaskName.FACTORS

    @property
    def dimension(self) -> int:
        """Length of the contribution: M k for the gradient, k (k + 1) / 2 for the curvature."""
        return dimension(len(self.indices), self.width)

    @property
    def factors(self) -> FloatArray:
        """The places as a matrix, float64, shape (M, width)."""
        return np.array(self.places, dtype=np.float64).reshape(len(self.indices), self.width)

    def to_json(self) -> dict[str, Any]:
        """The parameters as JSON."""
        return {
            "indices": list(self.indices),
            "weights": list(self.weights),
            "mean": list(self.mean),
            "places": pack(np.array(self.places)),
            "width": self.width,
            "ridge": self.ridge,
            "unseen": self.unseen,
            "length": self.length,
            "withheld": self.withheld,
        }

    @classmethod
    def parse(cls, parameters: dict[str, Any]) -> Self:
        """Read the parameters of a manifest; WireError where they are out of bounds."""
        indices = _listed(parameters, what="Field 'indices'")
        width = get_int(parameters, "width", low=1, high=MAX_WIDTH)
        return cls(
            indices=tuple(indices.tolist()),
            weights=get_numbers(parameters, "weights", indices.size),
            mean=get_numbers(parameters, "mean", indices.size),
            places=tuple(_places(parameters, "places", indices.size, width).ravel().tolist()),
            width=width,
            ridge=get_float(parameters, "ridge", low=LEAST, high=MOST),
            unseen=get_float(parameters, "unseen", low=LEAST, high=1.0),
            length=get_float(parameters, "length", low=LEAST, high=MOST),
            withheld=get_int(parameters, "withheld", low=0, high=MAX_LISTS),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class FactorsArtefact:
    """Where items lie.

    Attributes:
        catalogue: hash of the item list.
        indices: int64, shape (M,): catalogue indices of the listed items.
        factors: float64, shape (M, k): a column of zeros is a taste that noise hides.
        weights, mean: float64, shape (M,), of the task.
        ridge, unseen: of the task: with them a device works out its shopper's place.
    """

    catalogue: str
    indices: npt.NDArray[np.int64]
    factors: FloatArray
    weights: FloatArray
    mean: FloatArray
    ridge: float
    unseen: float
    task: TaskName = TaskName.FACTORS

    def to_json(self) -> dict[str, Any]:
        """The body beside task and catalogue."""
        return {
            "indices": [int(i) for i in self.indices],
            "width": int(self.factors.shape[1]),
            "factors": pack(self.factors),
            "weights": pack(self.weights),
            "mean": pack(self.mean),
            "ridge": self.ridge,
            "unseen": self.unseen,
        }

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Self:
        """Read an artefact; WireError where a field is wrong."""
        indices = _listed(body, what="Artefact field 'indices'")
        width = get_int(body, "width", low=1, high=MAX_WIDTH)
        return cls(
            catalogue=get_str(body, "catalogue"),
            indices=indices,
            factors=_places(body, "factors", indices.size, width),
            weights=unpack(body, "weights", indices.size),
            mean=unpack(body, "mean", indices.size),
            ridge=get_float(body, "ridge", low=LEAST, high=MOST),
            unseen=get_float(body, "unseen", low=LEAST, high=1.0),
        )


def dimension(listed: int, width: int) -> int:
    """Length of a contribution over so many items and tastes."""
    return listed * width + width * (width + 1) // 2


def _listed(record: dict[str, Any], *, what: str) -> npt.NDArray[np.int64]:
    indices = get_indices(record.get("indices"), what=what)
    if indices.size < 2 or np.unique(indices).size != indices.size:
        raise WireError(f"{what}: expected at least two different item indices.")
    return indices


def _places(record: dict[str, Any], key: str, listed: int, width: int) -> FloatArray:
    if width > listed:
        raise WireError(f"Field 'width': expected at most {listed}, one for each listed item.")
    if listed * width > MAX_PLACES:
        raise WireError(f"Field {key!r}: {listed * width} numbers, at most {MAX_PLACES} are read.")
    places = unpack(record, key, listed * width)
    if np.abs(places).max(initial=0.0) > MAX_FACTOR:
        raise WireError(f"Field {key!r}: expected numbers from -{MAX_FACTOR} to {MAX_FACTOR}.")
    return places.reshape(listed, width)
