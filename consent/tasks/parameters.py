"""Reading the parameters of tasks and the numbers of artefacts, which come from outside."""

from typing import Any

import numpy as np
import numpy.typing as npt

from crypto.errors import WireError
from crypto.wire import b64, get_str, unb64

FloatArray = npt.NDArray[np.float64]

MAX_ITEMS = 10_000_000
MAX_NUMBERS = 100_000
# Of a shopper's last lists that a ranker may foretell.
MAX_LISTS = 10


def get_numbers(parameters: dict[str, Any], key: str, size: int) -> tuple[float, ...]:
    """A list of ``size`` finite numbers.

    Raises:
        WireError: anything else.
    """
    values = parameters.get(key)
    if not isinstance(values, list) or len(values) != size or size > MAX_NUMBERS:
        raise WireError(f"Field {key!r}: expected a list of {size} numbers.")
    if not all(type(v) in (int, float) and abs(v) < 1e12 for v in values):
        raise WireError(f"Field {key!r}: expected finite numbers.")
    return tuple(values)


def get_indices(value: object, *, what: str) -> npt.NDArray[np.int64]:
    """A list of item indices, shape (n,).

    Raises:
        WireError: anything else.
    """
    if not isinstance(value, list) or not all(type(i) is int and 0 <= i < 2**31 for i in value):
        raise WireError(f"{what}: expected a list of item indices.")
    return np.array(value, dtype=np.int64)


def pack(values: FloatArray) -> str:
    """Numbers of an artefact: little-endian float32 in base64url."""
    return b64(np.ascontiguousarray(values, dtype="<f4").tobytes())


def unpack(body: dict[str, Any], key: str, size: int | None = None) -> FloatArray:
    """Read what ``pack`` wrote, as float64, shape (size,); of any size where it is None.

    Raises:
        WireError: another length, or numbers that are not finite.
    """
    length = None if size is None else 4 * size
    raw = unb64(get_str(body, key, max_length=2**31), what=f"artefact field {key!r}", length=length)
    if len(raw) % 4:
        raise WireError(f"Artefact field {key!r}: not a list of float32.")
    values = np.frombuffer(raw, dtype="<f4").astype(np.float64)
    if not np.isfinite(values).all():
        raise WireError(f"Artefact field {key!r}: expected finite numbers.")
    return values
