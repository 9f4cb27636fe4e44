"""The terms that a privacy plan is written in."""

from enum import StrEnum
from typing import Final

# A larger δ would allow one shopper in a thousand to be published outright.
MAX_DELTA: Final = 1e-3
SCALES: Final = (1024, 512, 256, 128)
# Set B has no rounding to drown, but fields of 8 to 10 bits.
FINE_SCALES: Final = (
    *(512, 448, 384, 320, 256, 224, 192, 160, 128, 112, 96, 80, 64, 56, 48, 40),
    *(32, 28, 24, 20, 16, 14, 12, 10, 8, 7, 6, 5, 4, 3, 2, 1),
)
# Key holders that may leave their noise out, or tell it.
CORRUPT_HOLDERS: Final = 1
# Set B: the least variance of one client's centred noise, 1.6² (see crypto.dp.noise).
CENTRED_VARIANCE: Final = 2.56
MAX_CLIENT_NOISE: Final = 100.0


class PrivacyUnit(StrEnum):
    """What one unit of privacy covers. A store is a client, its unit is still one shopper."""

    SHOPPER = "shopper"


class Adjacency(StrEnum):
    """Which releases must look alike: one shopper's vector replaced by zero.

    That she took part is not hidden by it.
    """

    ZERO_OUT = "zero-out"


class Sampling(StrEnum):
    """How a cohort is chosen.

    ``ALL``: everyone with a standing grant; no amplification. ``HIDDEN_POISSON``: everyone sends in
    every round, and each client flips a private coin per shopper to send her vector or zero.
    """

    ALL = "all"
    HIDDEN_POISSON = "hidden-poisson"
