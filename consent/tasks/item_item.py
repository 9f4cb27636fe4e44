"""Item-item: what is summed, and what is released."""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from consent.tasks.names import TaskName
from consent.tasks.parameters import MAX_LISTS, FloatArray, get_indices, get_numbers, pack, unpack
from crypto.errors import WireError
from crypto.wire import get_int, get_str

# An artefact holds a float32 for each pair of items, which base64 makes 16/3 bytes; with its list,
# weights and mean one of so many items has 62.4 of the 64 MiB that are read of any. It is written
# when the sum was opened and its ε is spent, so what is longer is refused before the round.
MOST_LISTED: Final = 3_500


@dataclass(frozen=True, kw_only=True)
class ItemItemTask:
    """Off-diagonal z zᵀ over a public list of items; √2 · upper triangle, so its norm is <= 1.

    Attributes:
        indices: catalogue indices of the M listed items.
        weights: one per listed item, from released artefacts only: z = x · weight, minus the
            public direction, normalised.
        mean: the public direction that is removed, shape (M,), unit norm or all zero.
        withheld: how many of a shopper's last lists are left out, for the ranker to foretell.
    """

    indices: tuple[int, ...]
    weights: tuple[float, ...]
    mean: tuple[float, ...]
    withheld: int = 0
    name: TaskName = TaskName.ITEM_ITEM

    @property
    def dimension(self) -> int:
        """Length of the contribution: M (M - 1) / 2, row by row above the diagonal."""
        return len(self.indices) * (len(self.indices) - 1) // 2

    def to_json(self) -> dict[str, Any]:
        """The parameters as JSON."""
        return {
            "indices": list(self.indices),
            "weights": list(self.weights),
            "mean": list(self.mean),
            "withheld": self.withheld,
        }

    @classmethod
    def parse(cls, parameters: dict[str, Any]) -> Self:
        """Read the parameters of a manifest; WireError where they are out of bounds."""
        listed = parameters.get("indices")
        size = len(listed) if isinstance(listed, list) else 0
        if not 2 <= size <= MOST_LISTED:
            raise WireError(
                f"Field 'indices': expected 2 to {MOST_LISTED} different item indices, not {size}."
            )
        indices = get_numbers(parameters, "indices", size)
        if len(set(indices)) != size or any(i < 0 or i != int(i) for i in indices):
            raise WireError("Field 'indices': expected different item indices.")
        return cls(
            indices=tuple(int(i) for i in indices),
            weights=get_numbers(parameters, "weights", size),
            mean=get_numbers(parameters, "mean", size),
            withheld=get_int(parameters, "withheld", low=0, high=MAX_LISTS),
        )


@dataclass(frozen=True, kw_only=True)
class ItemItemArtefact:
    """A closed-form item-item model over listed items.

    Attributes:
        catalogue: hash of the item list.
        indices: int64, shape (M,): catalogue indices of the listed items.
        matrix: float64, shape (M, M), zero diagonal: a shopper's lift is z @ matrix, z being her
            direction as ``ItemItemTask`` defines it.
        weights: float64, shape (M,), of that task.
        mean: float64, shape (M,), of that task.
        directions: how many spectral directions cleared the noise edge.
    """

    catalogue: str
    indices: npt.NDArray[np.int64]
    matrix: FloatArray
    weights: FloatArray
    mean: FloatArray
    directions: int
    task: TaskName = TaskName.ITEM_ITEM

    def to_json(self) -> dict[str, Any]:
        """The body beside task and catalogue."""
        return {
            "indices": [int(i) for i in self.indices],
            "matrix": pack(self.matrix),
            "weights": pack(self.weights),
            "mean": pack(self.mean),
            "directions": self.directions,
        }

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Self:
        """Read an artefact; WireError where a field is wrong."""
        indices = get_indices(body.get("indices"), what="Artefact field 'indices'")
        size = indices.size
        return cls(
            catalogue=get_str(body, "catalogue"),
            indices=indices,
            matrix=unpack(body, "matrix", size * size).reshape(size, size),
            weights=unpack(body, "weights", size),
            mean=unpack(body, "mean", size),
            directions=get_int(body, "directions", low=0, high=size),
        )
