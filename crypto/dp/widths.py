"""Field widths: how many bits of a value each secure sum carries, and how far a sum may reach.

A plan is refused if a field could wrap with more than ``WRAP_PROBABILITY`` over a whole vector.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from crypto.errors import PlanError
from crypto.sums.schemes import Scheme
from crypto.sums.share_sum.parameters import MAX_ADDITIONS

# Share sum packs two signed fields of this many bits into a slot.
FIELD_BITS: Final = 20
WRAP_PROBABILITY: Final = 2.0**-40
MODULUS_BITS: Final = 32
# Compact sum: the summed errors of this many clients and three key holders stay below half a unit
# of the message with a margin of 12.6, 8.1 and 10.2 standard deviations (error σ = 8).
GUARD_BITS: Final = {100: 11, 1_000: 12, 10_000: 14}


class NoiseSet(StrEnum):
    """How integers are made and noised.

    ``SKELLAM`` (set A): conditional rounding, Skellam noise; a published bound.
    ``CENTRED_GAUSSIAN`` (set B): discrete Gaussians centred at the real values, no rounding
    inflation, half the bits; the argument is our own and not reviewed from outside.
    """

    SKELLAM = "set-a"
    CENTRED_GAUSSIAN = "set-b"


@dataclass(frozen=True, kw_only=True)
class FieldLayout:
    """How values lie in the integers that a scheme adds.

    A coefficient is Σ_i field_i · 2**(i · field_bits), two's complement modulo
    2**(fields · field_bits); field i of coefficient j is value j + i · coefficients. The guard bits
    below it hold compact sum's error.
    """

    fields: int
    field_bits: int
    guard_bits: int

    @property
    def limit(self) -> int:
        """The largest magnitude of a sum in a field."""
        return (1 << (self.field_bits - 1)) - 1

    def coefficients(self, padded_dimension: int) -> int:
        """How many coefficients a vector takes."""
        return -(-padded_dimension // self.fields)


def layout_of(scheme: Scheme, noise: NoiseSet, max_clients: int) -> FieldLayout:
    """The layout of a scheme's integers; set B has two fields a coefficient where set A has one.

    Raises:
        PlanError: more clients than compact sum's guard bits or a share sum's noise budget allow,
            or set B in a share sum.
    """
    fields = 2 if noise is NoiseSet.CENTRED_GAUSSIAN else 1
    if scheme is Scheme.SHARE_SUM:
        if noise is not NoiseSet.SKELLAM:
            raise PlanError(f"Share sum carries {NoiseSet.SKELLAM.value} alone, got {noise.value}.")
        if max_clients > MAX_ADDITIONS:
            raise PlanError(
                f"Expected max_clients={max_clients} <= {MAX_ADDITIONS} in a share sum: let stores "
                "stand for many shoppers, or take another scheme."
            )
        return FieldLayout(fields=2, field_bits=FIELD_BITS, guard_bits=0)
    if scheme is Scheme.PIECE_SUM:
        return FieldLayout(fields=fields, field_bits=MODULUS_BITS // fields, guard_bits=0)
    for clients, guard in GUARD_BITS.items():
        if max_clients <= clients:
            bits = (MODULUS_BITS - guard) // fields
            return FieldLayout(fields=fields, field_bits=bits, guard_bits=guard)
    raise PlanError(
        f"Expected max_clients={max_clients} <= {max(GUARD_BITS)} in a compact sum: take several "
        "rounds, or piece sum."
    )


def wrap_nats(dimension: int) -> float:
    """ln(4d / p): two events of equal probability (data, noise), two sides, d coordinates."""
    return math.log(4 * dimension / WRAP_PROBABILITY)


def alignment_tail(*, shoppers: int, scale: float, dimension: int, rounded: bool) -> float:
    """What no coordinate of the rotated sum passes, all shoppers having the same vector.

    After random signs a coordinate is sub-Gaussian with variance proxy (n s)² / d; its rounding
    error, where there is rounding, with n/4 (Hoeffding).
    """
    proxy = (shoppers * scale) ** 2 / dimension + (shoppers / 4 if rounded else 0.0)
    return math.sqrt(2 * wrap_nats(dimension) * proxy)


def skellam_tail(variance: float, dimension: int) -> float:
    """What no coordinate of Skellam noise passes: Bernstein's bound t² / 2(μ + t/3).

    Also a bound for discrete Gaussian noise of this variance, which is sub-Gaussian.
    """
    nats = wrap_nats(dimension)
    if not variance:
        return 0.0
    return nats / 3 + math.sqrt((nats / 3) ** 2 + 2 * nats * variance)
