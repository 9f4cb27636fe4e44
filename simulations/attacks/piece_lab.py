"""A piece sum or compact sum with round keys of this audit's own, and readings of what it shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.sealing import pieced_sum
from crypto.sums.interface import SecureSum
from crypto.sums.pieces.envelope import RoundPublicKey
from crypto.sums.pieces.length import piece_length
from crypto.sums.pieces.open import HeldPieces, RoundSecret, open_envelope, sum_pieces
from crypto.sums.pieces.packing import unpack
from crypto.sums.pieces.split import WordArray
from crypto.sums.schemes import HOLDERS, Scheme
from crypto.update import IntArray, PartSum, SealedSum, SealedUpdate
from simulations.attacks.pipeline import CONTEXT, SENDER


@dataclass(frozen=True, kw_only=True)
class PieceLab:
    """One round of a scheme that shares in pieces: three key holders, their keys, a plan."""

    plan: PrivacyPlan
    rng: SecureRandom
    context: str = CONTEXT

    @cached_property
    def secrets(self) -> tuple[RoundSecret, ...]:
        """The key holders' round secrets; adversaries read at most one."""
        return tuple(RoundSecret.generate() for _ in range(HOLDERS))

    @cached_property
    def keys(self) -> tuple[RoundPublicKey, ...]:
        """Their public parts."""
        return tuple(
            RoundPublicKey(raw=secret.public, record_hash=f"{number:064x}")
            for number, secret in enumerate(self.secrets, start=1)
        )

    @cached_property
    def scheme(self) -> SecureSum:
        """The scheme under these keys."""
        return pieced_sum(self.plan, self.context, self.keys)

    @property
    def length(self) -> int:
        """Words in a piece."""
        return piece_length(self.plan.scheme, self.plan.padded_dimension, self.plan.layout)

    def open(self, sealed: Sequence[SealedUpdate], _total: SealedSum) -> list[PartSum]:
        """Every key holder opens its envelopes and adds its pieces."""
        return [
            sum_pieces(
                [self.held(each, holder) for each in sealed],
                holder=holder,
                context=self.context,
                length=self.length,
            )
            for holder in range(1, HOLDERS + 1)
        ]

    def held(self, sealed: SealedUpdate, holder: int, *, sender: bytes = SENDER) -> HeldPieces:
        """One upload's pieces at one key holder.

        Raises:
            SealError: the envelope does not open, or not to what was committed to.
        """
        first, second, third = sealed.commitments
        return open_envelope(
            sealed.shares[holder - 1],
            holder=holder,
            context=self.context,
            secret=self.secrets[holder - 1],
            record_hash=self.keys[holder - 1].record_hash,
            sender=sender,
            length=self.length,
            commitments=(first, second, third),
        )

    def blind(self, sealed: SealedUpdate) -> IntArray:
        """The body as if its mask were zero; in piece sum, an envelope's bytes. See ``Lab``."""
        compact = self.plan.scheme is Scheme.COMPACT_SUM
        data = sealed.body if compact else sealed.shares[0]
        return self.values(np.frombuffer(data[: len(data) // 4 * 4], dtype="<u4"))

    def values(self, words: WordArray) -> IntArray:
        """Words of an opened body as the integers that they would carry."""
        used = self.plan.layout.coefficients(self.plan.padded_dimension)
        wide = np.resize(words.astype(np.uint32), used)
        return unpack(wide, self.plan.layout, self.plan.padded_dimension)
