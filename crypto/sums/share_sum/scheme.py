"""Share sum: packed integers, Shamir shares, each under one key holder's own BFV key.

Protects against a curious coordinator allied with one key holder *while all parties follow the
protocol*. It does not protect against a coordinator allied with a client: a client that knows the
coordinator can add a multiple of the modulus to its own ciphertext and read a key holder's key
from the opened sum (docs/threat-model.md). That the opened sum covers the committed list rests
on the coordinator. CKKS is never used: its decryptions leak the key (Li, Micciancio 2021).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tenseal as ts

from crypto.dp.random import SecureRandom
from crypto.dp.rotation import padded
from crypto.errors import SealError
from crypto.sums.schemes import HOLDERS, THRESHOLD, Scheme
from crypto.sums.share_sum import ciphertext, packing, shamir
from crypto.sums.share_sum.context import load_public
from crypto.sums.share_sum.parameters import MAX_ADDITIONS, SLOTS, ciphertexts
from crypto.update import IntArray, NoisedUpdate, PartSum, SealedSum, SealedUpdate


class ShareSum:
    """The share sum of one round (see ``crypto.sums.interface.SecureSum``).

    Args:
        context: the manifest hash, hex; sealed vectors of another round are refused.
        dimension: length of a contribution before padding.
        public_keys: the three key holders' public contexts, in their order.
        key_hashes: their pinned hashes.
    """

    scheme = Scheme.SHARE_SUM

    def __init__(
        self,
        *,
        context: str,
        dimension: int,
        public_keys: Sequence[bytes],
        key_hashes: Sequence[str],
    ) -> None:
        if not len(public_keys) == len(key_hashes) == HOLDERS:
            raise SealError(f"Share sum needs the public keys of {HOLDERS} key holders.")
        if len(set(key_hashes)) != HOLDERS:
            raise SealError("Two key holders show the same key; each needs its own.")
        self._context = context
        self._dimension = padded(dimension)
        self._count = ciphertexts(self._dimension)
        pairs = zip(public_keys, key_hashes, strict=True)
        self._keys: list[ts.Context] = [load_public(data, pin) for data, pin in pairs]

    def seal(self, update: NoisedUpdate, *, sender: bytes, rng: SecureRandom) -> SealedUpdate:
        """Seal one client's vector; see the interface. Nothing in it is bound to the sender."""
        del sender
        if update.values.size != self._dimension:
            raise SealError("This update has another length than the round's.")
        shares = shamir.share(packing.pack(update.values), rng)
        sealed = tuple(
            self._encrypt(share, key) for share, key in zip(shares, self._keys, strict=True)
        )
        return SealedUpdate(scheme=self.scheme, context=self._context, shares=sealed)

    def _encrypt(self, share: IntArray, key: ts.Context) -> bytes:
        chunks = share.reshape(-1, SLOTS)
        return ciphertext.encode([ts.bfv_vector(key, chunk) for chunk in chunks])

    def check(self, update: SealedUpdate) -> None:
        """Parse a sealed vector and forget it; see the interface."""
        self._decode(update)

    def add(self, updates: Iterable[SealedUpdate]) -> SealedSum:
        """Add sealed vectors; holds one running sum whatever the cohort's size."""
        totals: list[list[Any]] = []
        count = 0
        for update in updates:
            if count == MAX_ADDITIONS:
                raise SealError(f"Share sum adds at most {MAX_ADDITIONS} clients; split the round.")
            self._accumulate(totals, self._decode(update))
            count += 1
        if not totals:
            raise SealError("There is no sealed update to add.")
        shares = tuple(ciphertext.encode(vectors) for vectors in totals)
        return SealedSum(scheme=self.scheme, context=self._context, shares=shares, count=count)

    def _decode(self, update: SealedUpdate) -> list[list[Any]]:
        if (update.scheme, update.context) != (self.scheme, self._context):
            raise SealError("A sealed update belongs to another round or scheme.")
        if len(update.shares) != HOLDERS or update.body or update.commitments:
            raise SealError(f"A sealed update has {HOLDERS} shares and nothing else.")
        return [
            ciphertext.decode(share, self._count, key)
            for share, key in zip(update.shares, self._keys, strict=True)
        ]

    @staticmethod
    def _accumulate(totals: list[list[Any]], decoded: list[list[Any]]) -> None:
        if not totals:
            totals.extend(decoded)
            return
        for running, vectors in zip(totals, decoded, strict=True):
            for position, vector in enumerate(vectors):
                running[position] += vector

    def check_part(self, part: PartSum) -> None:
        """See the interface."""
        values = part.values
        if part.context != self._context or values.shape != (packing.slots(self._dimension),):
            raise SealError("A part sum belongs to another round, or has another length.")
        if not 1 <= part.holder <= HOLDERS or values.min() < 0:
            raise SealError("A part sum has values out of range.")

    def combine(self, total: SealedSum, parts: Sequence[PartSum]) -> IntArray:
        """The exact integer sum from two or three part sums; see the interface."""
        if (total.scheme, total.context) != (self.scheme, self._context):
            raise SealError("A sealed sum belongs to another round or scheme.")
        shares = {part.holder: part.values for part in parts}
        if len(shares) != len(parts) or len(parts) < THRESHOLD:
            raise SealError(f"Expected part sums of {THRESHOLD} or {HOLDERS} different holders.")
        for part in parts:
            self.check_part(part)
        residues = shamir.recover({k: np.asarray(v, dtype=np.int64) for k, v in shares.items()})
        return packing.unpack(residues, self._dimension)
