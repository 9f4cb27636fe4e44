"""A round on plain integers: the very clipping, rotation, rounding and noise of clients, unsealed.

Attacks that need hundreds of rounds use it in place of sealed ones. ``sealed_equals_plain`` first
proves, in the same audit, that sealing changes nothing: an exact sum stays the exact sum.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from crypto.dp.clipping import clip
from crypto.dp.noise import add_centred_noise, add_noise, holder_noise
from crypto.dp.plan import PrivacyPlan
from crypto.dp.plan_terms import CORRUPT_HOLDERS
from crypto.dp.random import SecureRandom
from crypto.dp.rotation import Rotation
from crypto.dp.rounding import round_update
from crypto.dp.widths import NoiseSet
from crypto.sums.interface import SecureSum
from crypto.sums.schemes import HOLDERS
from crypto.update import (
    ClippedUpdate,
    FloatArray,
    IntArray,
    NoisedUpdate,
    PartSum,
    RawUpdate,
    RoundedUpdate,
    SealedSum,
    SealedUpdate,
)

CONTEXT = "a0" * 32
# Whose key signs the uploads of a lab; any 32 bytes.
SENDER = bytes(range(32))


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

    @property
    def rounds_vectors(self) -> bool:
        """Whether each shopper's vector is rounded by itself (set A)."""
        return self.plan.noise is NoiseSet.SKELLAM

    def bounded(self, values: FloatArray) -> FloatArray | IntArray:
        """One shopper's vector as it enters a client's sum: rounded in set A, real in set B."""
        if self.rounds_vectors:
            return self._rounded(values).values
        scaled: FloatArray = self.rotation.forward(self._clipped(values).values)
        return scaled * (self.plan.scale / self.plan.clipping_norm)

    def client(self, shoppers: Iterable[FloatArray]) -> NoisedUpdate:
        """One client's noised sum over its shoppers."""
        return self._noised(self.plan, shoppers)

    def shoppers_alone(self, shoppers: Sequence[FloatArray]) -> IntArray:
        """The integer sum over shoppers whose clients keep their share of the noise to themselves.

        In set B a client can't round without its least noise, so one client stands for all.
        """
        if not shoppers:
            return np.zeros(self.plan.padded_dimension, dtype=np.int64)
        if self.rounds_vectors:
            total: IntArray = np.sum([self._rounded(each).values for each in shoppers], axis=0)
            return total
        return self._noised(replace(self.plan, client_noise=0.0), shoppers).values

    def accounted_noise(self) -> IntArray:
        """The noise of the parties that the accounting calls honest, and of nobody else.

        Two key holders' entries; in share sum the shares of ``n_min - c`` clients. Each is drawn
        by the code that draws it in a round.
        """
        if self.plan.scheme.votes:
            honest = HOLDERS - CORRUPT_HOLDERS
            entries = [holder_noise(plan=self.plan, rng=self.rng).values for _ in range(honest)]
            total: IntArray = np.sum(entries, axis=0)
            return total
        return self.client_noise(self.plan.min_clients - self.plan.max_colluders)

    def client_noise(self, clients: int) -> IntArray:
        """The shares of noise that so many clients add."""
        total = np.zeros(self.plan.padded_dimension, dtype=np.int64)
        nobody = RoundedUpdate(np.zeros_like(total), 0.0)
        for _ in range(clients):
            if self.rounds_vectors:
                total += add_noise([nobody], plan=self.plan, rng=self.rng).values
            else:
                total += self.client([np.zeros(self.plan.dimension)]).values
        return total

    def released(self, integers: IntArray) -> FloatArray:
        """The sum as it is released: unscaled and unrotated, shape (dimension,)."""
        scaled = integers.astype(np.float64) * (self.plan.clipping_norm / self.plan.scale)
        return self.rotation.backward(scaled)

    def _clipped(self, values: FloatArray) -> ClippedUpdate:
        return clip(RawUpdate(values), clipping_norm=self.plan.clipping_norm)

    def _rounded(self, values: FloatArray) -> RoundedUpdate:
        return round_update(
            self._clipped(values), rotation=self.rotation, scale=self.plan.scale, rng=self.rng
        )

    def _noised(self, plan: PrivacyPlan, shoppers: Iterable[FloatArray]) -> NoisedUpdate:
        if self.rounds_vectors:
            return add_noise((self._rounded(each) for each in shoppers), plan=plan, rng=self.rng)
        clipped = (self._clipped(each) for each in shoppers)
        return add_centred_noise(clipped, plan=plan, rotation=self.rotation, rng=self.rng)


class Lab(Protocol):
    """A secure sum with keys of this audit's own."""

    @property
    def plan(self) -> PrivacyPlan:
        """The round's plan."""
        ...

    @property
    def scheme(self) -> SecureSum:
        """The scheme under the public keys."""
        ...

    def open(self, sealed: Sequence[SealedUpdate], total: SealedSum) -> list[PartSum]:
        """What the key holders answer about a sum."""
        ...

    def blind(self, sealed: SealedUpdate) -> IntArray:
        """What the coordinator reads in a sealed vector if it takes every key to be zero."""
        ...


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


def sealed_equals_plain(lab: Lab, pipeline: Pipeline, cohort: Sequence[FloatArray]) -> Equality:
    """Seal, add and open one client a vector; compare with the plain integer sum, bit for bit."""
    scheme = lab.scheme
    noised = [pipeline.client([values]) for values in cohort]
    plain = np.sum([update.values for update in noised], axis=0)
    sealed = [scheme.seal(each, sender=SENDER, rng=pipeline.rng) for each in noised]
    total = scheme.add(sealed)
    opened = scheme.combine(total, lab.open(sealed, total))
    return Equality(
        scheme=str(scheme.scheme),
        clients=len(cohort),
        dimension=plain.size,
        equal=bool(np.array_equal(opened, plain)),
    )
