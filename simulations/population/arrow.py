"""Arrow columns as the arrays of ``Events``."""

from typing import Any

import numpy as np
import numpy.typing as npt

from consent.events import StringArray


def texts(column: Any) -> StringArray:
    """A chunked column's values as text, shape (n,); equal ones share one string object.

    A million lines with a few thousand distinct ids stay small that way.
    """
    codes, values = _encoded(column)
    return np.array(values, dtype=object)[codes]


def ranks(column: Any) -> npt.NDArray[np.int64]:
    """Position of each value among the distinct values in text order, shape (n,)."""
    codes, values = _encoded(column)
    rank = np.empty(len(values), dtype=np.int64)
    rank[sorted(range(len(values)), key=values.__getitem__)] = np.arange(len(values))
    return rank[codes]


def _encoded(column: Any) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Positions into the distinct values, shape (n,), and those values as text."""
    coded = column.combine_chunks().dictionary_encode()
    return coded.indices.to_numpy(), [str(value) for value in coded.dictionary.to_pylist()]
