"""Compact sum: each client masks its vector with a·s + e and shares only the short s in pieces.

    body_b = a_b · s + e_b + 2**G · m_b  mod 2**32     for each block b of 2048 coefficients

The a_b are public; s is fresh for each upload. Bodies add up to a · Σs + Σe + 2**G · Σm, so the
sum of the secrets, which the key holders add from their pieces, opens the sum of the vectors and
no other: nothing that a lying coordinator does to the bodies changes which secrets are in Σs. The
sum Σe of the errors stays below the G guard bits and is rounded away.

Guarantee: bodies and any one key holder's envelopes are computationally indistinguishable from
uniform bytes (ring LWE; see parameters for what opening Σs leaves); the decoded sum is exact
unless some coefficient's Σe leaves its guard bits (``parameters.overflow_probability``).
Source: fedcart protocol v1 (docs/protocol.md); Bonawitz et al. 2017 for masks that cancel by
shares; Bell et al. 2022 (ACORN) for ring LWE masks; the combination is ours.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from crypto.dp.gaussian import DiscreteGaussian
from crypto.dp.random import SecureRandom
from crypto.dp.rotation import padded
from crypto.dp.widths import FieldLayout
from crypto.errors import SealError
from crypto.sums.compact_sum.mask import multipliers
from crypto.sums.compact_sum.parameters import (
    MAX_CONTRIBUTORS,
    RING_DEGREE,
    SIGMA,
    blocks,
    body_bytes,
)
from crypto.sums.compact_sum.ring import Factor
from crypto.sums.pieces.envelope import RoundPublicKey
from crypto.sums.pieces.layer import PieceLayer
from crypto.sums.pieces.length import piece_length
from crypto.sums.pieces.packing import below_guard, pack, unpack
from crypto.sums.pieces.split import WordArray
from crypto.sums.schemes import Scheme
from crypto.update import IntArray, NoisedUpdate, PartSum, SealedSum, SealedUpdate

_ERROR: Final = DiscreteGaussian(SIGMA)
_BATCH: Final = 8  # blocks at a time: more would leave the processor's cache


class CompactSum:
    """The compact sum of one round (see ``crypto.sums.interface.SecureSum``).

    Args:
        context: the manifest hash, hex; sealed vectors of another round are refused.
        dimension: length of a contribution before padding.
        layout: how values share a coefficient.
        keys: the three key holders' round keys, in their order.
    """

    scheme = Scheme.COMPACT_SUM

    def __init__(
        self,
        *,
        context: str,
        dimension: int,
        layout: FieldLayout,
        keys: Sequence[RoundPublicKey],
    ) -> None:
        if layout.guard_bits not in MAX_CONTRIBUTORS:
            raise SealError("Compact sum has no such layout; fields and guard bits are fixed.")
        self._context = context
        self._dimension = padded(dimension)
        self._layout = layout
        self._blocks = blocks(self._dimension, layout)
        self._body_bytes = body_bytes(self._dimension, layout)
        length = piece_length(self.scheme, self._dimension, layout)
        self._layer = PieceLayer(scheme=self.scheme, context=context, length=length, keys=keys)

    @property
    def piece_length(self) -> int:
        """How many 32-bit words each piece stands for."""
        return self._layer.length

    def seal(self, update: NoisedUpdate, *, sender: bytes, rng: SecureRandom) -> SealedUpdate:
        """Seal one client's vector; see the interface.

        Secret, errors and transforms are overwritten once used (best effort: copies inside NumPy
        and Python are out of reach).
        """
        if update.values.shape != (self._dimension,):
            raise SealError("This update has another length than the round's.")
        body = np.zeros((self._blocks, RING_DEGREE), dtype="<u4")
        words = pack(update.values, self._layout)
        body.reshape(-1)[: words.size] = words
        words.fill(0)
        secret = _ERROR.sample(RING_DEGREE, rng)
        factor = Factor(secret)
        for first, batch in self._batches(body):
            masked = factor.times(multipliers(self._context, first, len(batch)))
            errors = _ERROR.sample(batch.size, rng).reshape(batch.shape)
            masked += errors.astype(np.uint32)
            np.add(batch, masked, out=batch)
            errors.fill(0)
        factor.erase()
        shared = secret.astype(np.uint32)
        sealed = self._layer.seal(shared, sender=sender, rng=rng, body=body.tobytes())
        secret.fill(0)
        shared.fill(0)
        return sealed

    def check(self, update: SealedUpdate) -> None:
        """Check lengths and commitments; see the interface."""
        self._layer.check(update, body_bytes=self._body_bytes)

    def add(self, updates: Iterable[SealedUpdate]) -> SealedSum:
        """Add bodies; holds one running sum whatever the cohort's size; see the interface.

        Raises:
            SealError: more updates than the guard bits hold errors of, too.
        """
        limit = MAX_CONTRIBUTORS[self._layout.guard_bits]
        total = np.zeros(self._body_bytes // 4, dtype="<u4")
        count = 0
        for update in updates:
            if count == limit:
                raise SealError(f"This layout adds at most {limit} contributors; split the round.")
            self.check(update)
            total += np.frombuffer(update.body, dtype="<u4")
            count += 1
        if not count:
            raise SealError("There is no sealed update to add.")
        return SealedSum(
            scheme=self.scheme,
            context=self._context,
            shares=(),
            count=count,
            body=total.tobytes(),
        )

    def check_part(self, part: PartSum) -> None:
        """See the interface."""
        self._layer.words(part)

    def combine(self, total: SealedSum, parts: Sequence[PartSum]) -> IntArray:
        """The exact integer sum from two or three part sums; see the interface.

        Raises:
            SealError: parts that contradict each other or don't open this sum, too. Where two
                part sums leave a piece to one key holder's word, this catches accidents and
                careless lies; one crafted for the round's multipliers may still spoil the sum.
        """
        self._layer.check_sum(total, body_bytes=self._body_bytes)
        secret = self._layer.recover(parts).view(np.int32).astype(np.int64)
        # A sum of honest secrets is as small as one of honest errors.
        self._refuse(np.abs(secret).max() >= 1 << (self._layout.guard_bits - 1))
        factor = Factor(secret)
        words = np.frombuffer(total.body, dtype="<u4").astype(np.uint32)
        for first, batch in self._batches(words.reshape(self._blocks, RING_DEGREE)):
            mask = factor.times(multipliers(self._context, first, len(batch)))
            np.subtract(batch, mask, out=batch)
        self._refuse(self._is_noise(words))
        used = self._layout.coefficients(self._dimension)
        return unpack(words[:used], self._layout, self._dimension)

    def _is_noise(self, words: WordArray) -> bool:
        """Whether a sum did not open: its remainders are uniform then, instead of small.

        Uniform ones have a mean square of 4**G / 12, the errors of as many honest contributors as
        G allows at most a twentieth of that; the line is drawn at half.
        """
        bits = self._layout.guard_bits
        remainders = below_guard(words, bits).astype(np.float64)
        return float(np.dot(remainders, remainders)) / words.size > 4.0**bits / 24

    @staticmethod
    def _refuse(condition: bool | np.bool_) -> None:
        if condition:
            raise SealError("The part sums do not open this sum; the round is void.")

    @staticmethod
    def _batches(rows: WordArray) -> Iterator[tuple[int, WordArray]]:
        for first in range(0, len(rows), _BATCH):
            yield first, rows[first : first + _BATCH]
