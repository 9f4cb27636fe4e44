"""The secure sum: what every scheme offers, and the registry of schemes.

A scheme turns one client's noised integers into shares for the key holders, adds sealed vectors
without reading them, and combines what enough key holders opened into the exact integer sum.
Opening is not part of this interface: it needs a key holder's secret key and lives in the
scheme's ``open`` module, which only ``crypto.keyholder`` imports.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy.typing as npt
from numpy import int64

from crypto.dp.random import SecureRandom
from crypto.sums.schemes import Scheme
from crypto.update import NoisedUpdate, PartSum, SealedSum, SealedUpdate


class SecureSum(Protocol):
    """One round's secure sum: bound to a context (manifest hash), a length and public keys.

    Guarantee of every scheme: with ``total = add(seal(u) for u in updates)``, ``combine(total,
    parts)`` equals the integer sum of the updates bit for bit, whichever ``THRESHOLD`` of the key
    holders opened their parts.
    """

    scheme: Scheme

    def seal(self, update: NoisedUpdate, *, sender: bytes, rng: SecureRandom) -> SealedUpdate:
        """Seal one client's vector, in as many bytes as any other of this round.

        ``sender``: the 32 raw bytes of the Ed25519 key that will sign the upload's header.
        """
        ...

    def check(self, update: SealedUpdate) -> None:
        """Refuse what ``add`` would refuse, so that one bad upload never spoils a frozen list.

        Raises:
            SealError: bytes that are not a sealed vector of this round.
        """
        ...

    def add(self, updates: Iterable[SealedUpdate]) -> SealedSum:
        """Add sealed vectors, one at a time, without opening any.

        Raises:
            SealError: bytes that are not a sealed vector of this round, or none at all.
        """
        ...

    def check_part(self, part: PartSum) -> None:
        """Refuse what can't be a part of this round's sum, so that its signer counts as away.

        A part that could be one and is false contradicts the others: ``combine`` tells that.

        Raises:
            SealError: another round's, another length, or values out of range.
        """
        ...

    def combine(self, total: SealedSum, parts: Sequence[PartSum]) -> npt.NDArray[int64]:
        """The exact integer sum, int64, shape (padded dim,), from ``THRESHOLD`` or more parts.

        Raises:
            SealError: too few or repeated key holders, or parts that contradict each other.
        """
        ...
