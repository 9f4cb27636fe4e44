"""Sealed vectors whose every ingredient is told: secrets, errors, pieces, envelopes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crypto.errors import SealError
from crypto.sums.interface import SecureSum
from crypto.sums.pieces.envelope import RoundPublicKey, envelope_info
from crypto.sums.pieces.open import HeldPieces, open_envelope
from crypto.sums.pieces.split import held
from crypto.sums.schemes import HOLDERS
from crypto.update import IntArray, SealedUpdate
from crypto.wire import digest, unb64
from tests.unit.crypto.samples import noised
from tests.vectors.document import Document, packed
from tests.vectors.keys import round_secret, sender, stream


@dataclass(frozen=True)
class Place:
    """Where a vector is sealed: a context, three round keys by record hash, and a piece length."""

    context: str
    key_hashes: tuple[str, ...]
    length: int

    @property
    def keys(self) -> tuple[RoundPublicKey, ...]:
        """The three round keys."""
        return tuple(
            RoundPublicKey(round_secret(holder).public, name)
            for holder, name in enumerate(self.key_hashes, start=1)
        )

    def opened(self, sealed: SealedUpdate, holder: int, name: str) -> HeldPieces:
        """What a key holder opens of a party's sealed vector."""
        first, second, third = sealed.commitments
        return open_envelope(
            sealed.shares[holder - 1],
            holder=holder,
            context=self.context,
            secret=round_secret(holder),
            record_hash=self.key_hashes[holder - 1],
            sender=sender(name),
            length=self.length,
            commitments=(first, second, third),
        )


def invented(label: str, length: int) -> Place:
    """A place whose round keys were never signed: for vectors of sealing alone."""
    context = digest("manifest", label.encode()).hex()
    hashes = tuple(digest("record/round-key", bytes([k])).hex() for k in range(1, HOLDERS + 1))
    return Place(context, hashes, length)


def seal(
    scheme: SecureSum, values: IntArray, name: str, place: Place, stored: Sequence[str]
) -> SealedUpdate:
    """A party's sealed vector, from a stream that repeats.

    HPKE draws its own randomness, so envelopes would be others every time: the ``stored`` ones are
    kept as long as they open to the same pieces.
    """
    rng = stream(f"seal {name} {place.context}")
    sealed = scheme.seal(noised(values), sender=sender(name), rng=rng)
    if len(stored) != HOLDERS:
        return sealed
    shares = tuple(unb64(text, what="envelope") for text in stored)
    kept = replace(sealed, shares=shares)
    try:
        for holder in range(1, HOLDERS + 1):
            place.opened(kept, holder, name)
    except SealError:
        return sealed
    return kept


def pieces_of(sealed: SealedUpdate, name: str, place: Place) -> tuple[bytes, bytes, bytes]:
    """The three pieces, as key holders 1 and 2 see them."""
    _, third = place.opened(sealed, 1, name).pieces
    first, _ = place.opened(sealed, 2, name).pieces
    second, _ = place.opened(sealed, 1, name).pieces
    return first, second, third


def shared(sealed: SealedUpdate, name: str, place: Place) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """The vector that was shared in pieces; uint32, shape (length,)."""
    one = place.opened(sealed, 1, name).expanded(place.length)
    other = place.opened(sealed, 2, name).expanded(place.length)
    return one[: place.length] + one[place.length :] + other[: place.length]


def in_pieces(sealed: SealedUpdate, name: str, place: Place) -> Document:
    """Pieces, commitments and envelopes of one sealed vector."""
    pieces = pieces_of(sealed, name, place)
    return {
        "sender": name,
        "pieces_b64": [packed(piece) for piece in pieces],
        "commitments": list(sealed.commitments),
        "envelopes": [
            {
                "holder": holder,
                "holds": list(held(holder)),
                "info": envelope_info(
                    holder=holder,
                    context=place.context,
                    record_hash=place.key_hashes[holder - 1],
                    sender=sender(name),
                ).hex(),
            }
            for holder in range(1, HOLDERS + 1)
        ],
        "envelopes_b64": [packed(share) for share in sealed.shares],
    }
