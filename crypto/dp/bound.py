"""A bound as people read it: never below what it is."""

import math
from typing import Final

_DIGITS: Final = 3
# A value that is a hair above its digits only by floating point is not rounded up.
_HAIR: Final = 1e-9


def rounded_up(epsilon: float) -> float:
    """An ε with three digits after the point, rounded up: what is shown is a bound too.

    An infinite one stays as it is.
    """
    if not math.isfinite(epsilon):
        return epsilon
    scale = 10**_DIGITS
    return math.ceil(epsilon * scale - _HAIR) / scale


def told(epsilon: float) -> str:
    """``rounded_up`` as text: "0.552", "1.000"."""
    return f"{rounded_up(epsilon):,.{_DIGITS}f}"
