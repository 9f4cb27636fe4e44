"""Released artefacts: what a finished task publishes, in the form that devices read.

An artefact is post-processing of a noisy sum, so it may be stored, copied and served freely.
Each is one JSON document with its privacy record beside the numbers.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from consent.tasks.task import TaskName
from crypto.errors import WireError
from crypto.wire import b64, canonical, get_int, get_str, parse_object, unb64

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PopularityArtefact:
    """Non-negative popularity of every catalogue item, largest 1; shape (items,).

    ``task`` says over which baskets (``POPULARITY`` or ``RECENT_POPULARITY``).
    """

    task: TaskName
    catalogue: str
    scores: FloatArray


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


Artefact = PopularityArtefact | ItemItemArtefact


def encode_artefact(artefact: Artefact) -> bytes:
    """Write an artefact as canonical JSON (numbers as little-endian float32 in base64url)."""
    body: dict[str, Any] = {"task": artefact.task, "catalogue": artefact.catalogue}
    if isinstance(artefact, PopularityArtefact):
        body["scores"] = _pack(artefact.scores)
    else:
        body |= {
            "indices": [int(i) for i in artefact.indices],
            "matrix": _pack(artefact.matrix),
            "weights": _pack(artefact.weights),
            "mean": _pack(artefact.mean),
            "directions": artefact.directions,
        }
    return canonical(body)


def decode_artefact(data: bytes) -> Artefact:
    """Parse what ``encode_artefact`` wrote.

    Raises:
        WireError: an unknown task, wrong lengths, or numbers that are not finite.
    """
    body = parse_object(data, what="artefact")
    task, catalogue = get_str(body, "task"), get_str(body, "catalogue")
    if task in (TaskName.POPULARITY, TaskName.RECENT_POPULARITY):
        scores = _unpack(body, "scores")
        return PopularityArtefact(task=TaskName(task), catalogue=catalogue, scores=scores)
    if task != TaskName.ITEM_ITEM:
        raise WireError(f"Unknown artefact {task!r}; this version knows {', '.join(TaskName)}.")
    indices = _indices(body.get("indices"))
    size = indices.size
    return ItemItemArtefact(
        catalogue=catalogue,
        indices=indices,
        matrix=_unpack(body, "matrix", size * size).reshape(size, size),
        weights=_unpack(body, "weights", size),
        mean=_unpack(body, "mean", size),
        directions=get_int(body, "directions", low=0, high=size),
    )


def _indices(value: object) -> npt.NDArray[np.int64]:
    if not isinstance(value, list) or not all(type(i) is int and 0 <= i < 2**31 for i in value):
        raise WireError("Artefact field 'indices': expected a list of item indices.")
    return np.array(value, dtype=np.int64)


def _pack(values: FloatArray) -> str:
    return b64(np.ascontiguousarray(values, dtype="<f4").tobytes())


def _unpack(body: dict[str, Any], key: str, size: int | None = None) -> FloatArray:
    length = None if size is None else 4 * size
    raw = unb64(get_str(body, key, max_length=2**31), what=f"artefact field {key!r}", length=length)
    if len(raw) % 4:
        raise WireError(f"Artefact field {key!r}: not a list of float32.")
    values = np.frombuffer(raw, dtype="<f4").astype(np.float64)
    if not np.isfinite(values).all():
        raise WireError(f"Artefact field {key!r}: expected finite numbers.")
    return values
