"""Piece sum: a client's whole vector in three pieces, two of them with each key holder.

No mask and no lattice assumption: what one key holder sees is uniform, what the coordinator sees
is sealed. Costs 4 bytes a coefficient to each of two key holders, whose work grows with clients
times length; compact sum, a mask on top of the same pieces, is for long vectors.
Source: fedcart protocol v1 (docs/protocol.md), "Piece sum".
"""

from collections.abc import Iterable, Sequence

from crypto.dp.random import SecureRandom
from crypto.dp.rotation import padded
from crypto.dp.widths import FieldLayout
from crypto.errors import SealError
from crypto.sums.pieces.envelope import RoundPublicKey
from crypto.sums.pieces.layer import PieceLayer
from crypto.sums.pieces.length import piece_length
from crypto.sums.pieces.packing import pack, unpack
from crypto.sums.schemes import Scheme
from crypto.update import IntArray, NoisedUpdate, PartSum, SealedSum, SealedUpdate


class PieceSum:
    """The piece sum of one round (see ``crypto.sums.interface.SecureSum``).

    Args:
        context: the manifest hash, hex; sealed vectors of another round are refused.
        dimension: length of a contribution before padding.
        layout: how values share a coefficient.
        keys: the three key holders' round keys, in their order.
    """

    scheme = Scheme.PIECE_SUM

    def __init__(
        self,
        *,
        context: str,
        dimension: int,
        layout: FieldLayout,
        keys: Sequence[RoundPublicKey],
    ) -> None:
        if layout.guard_bits:
            raise SealError("Piece sum has no error to guard against; the layout is another's.")
        self._dimension = padded(dimension)
        self._layout = layout
        length = piece_length(self.scheme, self._dimension, layout)
        self._layer = PieceLayer(scheme=self.scheme, context=context, length=length, keys=keys)

    @property
    def piece_length(self) -> int:
        """How many 32-bit words each piece stands for."""
        return self._layer.length

    def seal(self, update: NoisedUpdate, *, sender: bytes, rng: SecureRandom) -> SealedUpdate:
        """Seal one client's vector; see the interface."""
        if update.values.shape != (self._dimension,):
            raise SealError("This update has another length than the round's.")
        words = pack(update.values, self._layout)
        sealed = self._layer.seal(words, sender=sender, rng=rng)
        words.fill(0)  # best effort; see crypto.sums.pieces.split
        return sealed

    def check(self, update: SealedUpdate) -> None:
        """Check lengths and commitments; see the interface."""
        self._layer.check(update, body_bytes=0)

    def add(self, updates: Iterable[SealedUpdate]) -> SealedSum:
        """Check and count: the key holders add the pieces themselves; see the interface."""
        count = 0
        for update in updates:
            self.check(update)
            count += 1
        if not count:
            raise SealError("There is no sealed update to add.")
        return SealedSum(scheme=self.scheme, context=self._layer.context, shares=(), count=count)

    def check_part(self, part: PartSum) -> None:
        """See the interface."""
        self._layer.words(part)

    def combine(self, total: SealedSum, parts: Sequence[PartSum]) -> IntArray:
        """The exact integer sum from two or three part sums; see the interface.

        Two part sums leave two of the three pieces to one key holder each: a lie about one of
        those yields a wrong sum (never a private one). Three part sums are compared piece by piece.
        """
        self._layer.check_sum(total, body_bytes=0)
        return unpack(self._layer.recover(parts), self._layout, self._dimension)
