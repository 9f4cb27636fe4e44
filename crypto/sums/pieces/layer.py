"""The layer that piece sum and compact sum share: vectors in pieces, sealed, checked, recovered."""

from collections.abc import Sequence

import numpy as np

from crypto.dp.random import SecureRandom
from crypto.errors import SealError
from crypto.sums.pieces.commitment import commitment
from crypto.sums.pieces.envelope import RoundPublicKey, envelope_bytes, hash_bytes, seal_envelope
from crypto.sums.pieces.split import PIECES, WordArray, held, split
from crypto.sums.schemes import HOLDERS, THRESHOLD, Scheme
from crypto.update import PartSum, SealedSum, SealedUpdate


class PieceLayer:
    """Shares vectors of one length with the three key holders of one round.

    Args:
        scheme: whose vectors they are.
        context: the manifest hash, hex.
        length: of each vector, in 32-bit words.
        keys: the three key holders' round keys, in their order.

    Raises:
        SealError: not three different keys.
    """

    def __init__(
        self, *, scheme: Scheme, context: str, length: int, keys: Sequence[RoundPublicKey]
    ) -> None:
        if len(keys) != HOLDERS:
            raise SealError(f"A round has the round keys of {HOLDERS} key holders.")
        different = {key.raw for key in keys}, {key.record_hash for key in keys}
        if any(len(each) != HOLDERS for each in different):
            raise SealError("Two key holders show the same key; each needs its own.")
        self.scheme = scheme
        self.context = context
        self.length = length
        self._keys = tuple(keys)

    def seal(
        self, vector: WordArray, *, sender: bytes, rng: SecureRandom, body: bytes = b""
    ) -> SealedUpdate:
        """Split a vector, commit to its pieces and seal each key holder its two."""
        pieces = split(vector, rng)
        commitments = tuple(
            commitment(self.context, number, sender, piece)
            for number, piece in enumerate(pieces, start=1)
        )
        shares = tuple(
            seal_envelope(pieces, holder=holder, context=self.context, key=key, sender=sender)
            for holder, key in enumerate(self._keys, start=1)
        )
        return SealedUpdate(
            scheme=self.scheme,
            context=self.context,
            shares=shares,
            body=body,
            commitments=commitments,
        )

    def check(self, update: SealedUpdate, *, body_bytes: int) -> None:
        """Refuse what is not a sealed vector of this round, as far as one can see from outside.

        Raises:
            SealError: another round or scheme, another length, or commitments that are none.
        """
        if (update.scheme, update.context) != (self.scheme, self.context):
            raise SealError("A sealed update belongs to another round or scheme.")
        lengths = [len(update.body), *map(len, update.shares)]
        holders = range(1, HOLDERS + 1)
        if lengths != [body_bytes, *(envelope_bytes(holder, self.length) for holder in holders)]:
            raise SealError("A sealed update has another length than this round's.")
        if len(update.commitments) != PIECES or len(set(update.commitments)) != PIECES:
            raise SealError(f"A sealed update has {PIECES} different commitments.")
        for text in update.commitments:
            hash_bytes(text)

    def check_sum(self, total: SealedSum, *, body_bytes: int) -> None:
        """Refuse what is not a sum of this round.

        Raises:
            SealError: another round or scheme, or another length.
        """
        if (total.scheme, total.context) != (self.scheme, self.context):
            raise SealError("A sealed sum belongs to another round or scheme.")
        if len(total.body) != body_bytes or total.shares or total.count < 1:
            raise SealError("A sealed sum has another shape than this round's.")

    def recover(self, parts: Sequence[PartSum]) -> WordArray:
        """The sum of the shared vectors mod 2**32 from two or three part sums; shape (length,).

        Raises:
            SealError: too few or repeated key holders, parts of another round, or two that give
                different sums for the piece that both hold.
        """
        holders = {part.holder for part in parts}
        if len(holders) != len(parts) or len(parts) < THRESHOLD:
            raise SealError(f"Expected part sums of {THRESHOLD} or {HOLDERS} different holders.")
        sums: dict[int, WordArray] = {}
        told: dict[int, int] = {}
        pairs = []
        for part in parts:
            both = self.words(part)
            for number, words in zip(held(part.holder), both, strict=True):
                if not np.array_equal(sums.setdefault(number, words), words):
                    pairs.append(f"{told[number]} and {part.holder}")
                told.setdefault(number, part.holder)
        if pairs:
            raise SealError(
                f"The part sums of key holders {', '.join(pairs)} contradict each other; the round "
                "is void. One who is in every pair, of three that answered, is who lied."
            )
        return sums[1] + sums[2] + sums[3]

    def words(self, part: PartSum) -> WordArray:
        """The two sums of a part, shape (2, length).

        Raises:
            SealError: another round's, another length, or values out of range.
        """
        values = part.values
        if not 1 <= part.holder <= HOLDERS or part.context != self.context:
            raise SealError("A part sum belongs to another round.")
        if values.shape != (2 * self.length,) or values.dtype != np.int64:
            raise SealError("A part sum has another length than this round's.")
        if values.min() < 0 or values.max() >= 1 << 32:
            raise SealError("A part sum has values out of range.")
        return values.astype(np.uint32).reshape(2, self.length)
