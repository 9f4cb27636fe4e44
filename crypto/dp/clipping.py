"""Clipping: the one place where a shopper's vector gets its bound."""

from typing import Final

import numpy as np

from crypto.update import ClippedUpdate, RawUpdate

# Beyond these a square or a quotient of the bound leaves float64.
MIN_CLIPPING_NORM: Final = 1e-100
MAX_CLIPPING_NORM: Final = 1e100


def clip(raw: RawUpdate, *, clipping_norm: float) -> ClippedUpdate:
    """Scale a vector down to L2 norm ``clipping_norm`` if it is longer.

    Guarantee: the result is finite and its norm, as float64 computes it, is at most
    ``clipping_norm``, for every input.

    | input | result |
    |---|---|
    | norm <= clipping_norm | unchanged |
    | longer, even where its squares overflow | same direction, norm just below the bound |
    | zero vector | zero vector |
    | any NaN or infinity | zero vector: a broken vector says nothing and may cost nothing |

    Raises:
        ValueError: ``clipping_norm`` is not within 1e-100..1e100.

    Source: McMahan et al. 2018, with the edge cases of jax_privacy's table.
    """
    if not MIN_CLIPPING_NORM <= clipping_norm <= MAX_CLIPPING_NORM:
        raise ValueError(
            f"Expected {MIN_CLIPPING_NORM} <= clipping_norm <= {MAX_CLIPPING_NORM}, "
            f"got {clipping_norm}."
        )
    values = raw.values
    largest = float(np.max(np.abs(values), initial=0.0))
    if not np.isfinite(largest) or largest == 0.0:
        return ClippedUpdate(np.zeros_like(values), clipping_norm)
    # Dividing by the largest entry first keeps squares of huge or tiny entries representable.
    direction = values / largest
    norm = float(np.linalg.norm(direction))
    if norm * largest <= clipping_norm and float(np.linalg.norm(values)) <= clipping_norm:
        return ClippedUpdate(values.copy(), clipping_norm)
    # Rounding may leave the product a few ulps too long; the factor is far below any use of it.
    shrunk = direction * (clipping_norm / norm * (1.0 - 1e-12))
    return ClippedUpdate(shrunk, clipping_norm)
