"""A round on plain integers: the very clipping, rotation, rounding and noise of clients, unsealed.

Attacks that need hundreds of rounds use it in place of sealed ones. ``sealed_equals_plain`` first
proves, in the same audit, that sealing changes nothing: an exact sum stays the exact sum.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crypto.dp.clipping import clip
from crypto.dp.noise import add_noise
from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.dp.rotation import Rotation
from crypto.dp.rounding import round_update
from crypto.sums.interface import SecureSum
from crypto.update import (
    FloatArray,
    IntArray,
    NoisedUpdate,
    PartSum,
    RawUpdate,
    RoundedUpdate,
    SealedSum,
)

CONTEXT = "a0" * 32


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """One round's way from shoppers' raw vectors to the released sum, without sealing."""

    plan: PrivacyPlan
    context: str
    rng: SecureRandom

    @property
    def rotation(self) -> Rotation:
        """The round's public rotation."""
        return Rotation(self.context, self.plan.dimension)

    def rounded(self, values: FloatArray) -> RoundedUpdate:
        """One shopper's vector, bounded as her client bounds it."""
        clipped = clip(RawUpdate(values), clipping_norm=self.plan.clipping_norm)
        return round_update(clipped, rotation=self.rotation, scale=self.plan.scale, rng=self.rng)

    def client(self, shoppers: Iterable[FloatArray]) -> NoisedUpdate:
        """One client's noised sum over its shoppers."""
        return add_noise(
            (self.rounded(values) for values in shoppers), plan=self.plan, rng=self.rng
        )

    def released(self, integers: IntArray) -> FloatArray:
        """The sum as it is released: unscaled and unrotated, shape (dimension,)."""
        scaled = integers.astype(np.float64) * (self.plan.clipping_norm / self.plan.scale)
        return self.rotation.backward(scaled)

    def accounted_noise(self) -> IntArray:
        """The noise of the parties that the accounting calls honest, and of nobody else.

        In share sum ``n_min - c`` clients; each draws its own share, as its code would.
        """
        honest = self.plan.min_clients - self.plan.max_colluders
        total = np.zeros(self.plan.padded_dimension, dtype=np.int64)
        for _ in range(honest):
            nobody = RoundedUpdate(np.zeros_like(total), 0.0)
            total += add_noise([nobody], plan=self.plan, rng=self.rng).values
        return total


# A key holder's answer: its share of a sealed sum, opened.
Opens = Callable[[SealedSum], Sequence[PartSum]]


@dataclass(frozen=True, kw_only=True)
class Equality:
    """A sealed sum that was compared with the plain one."""

    scheme: str
    clients: int
    dimension: int
    equal: bool

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return dict(vars(self))


def sealed_equals_plain(
    pipeline: Pipeline, scheme: SecureSum, opens: Opens, cohort: Sequence[FloatArray]
) -> Equality:
    """Seal, add and open one client a vector; compare with the plain integer sum, bit for bit."""
    noised = [pipeline.client([values]) for values in cohort]
    plain = np.sum([update.values for update in noised], axis=0)
    sealed = [scheme.seal(each, sender=bytes(32), rng=pipeline.rng) for each in noised]
    total = scheme.add(sealed)
    opened = scheme.combine(total, opens(total))
    return Equality(
        scheme=str(scheme.scheme),
        clients=len(cohort),
        dimension=plain.size,
        equal=bool(np.array_equal(opened, plain)),
    )
