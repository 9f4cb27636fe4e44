"""A key holder's public card: one file that everybody else pins it by.

It holds the key holder's number, its identity key, and the public BFV context that share sum seals
to; signed by the identity, so that the parts belong together. A card is handed over when parties
are set up and never taken from the coordinator.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.errors import InvalidInputError, WireError
from crypto.sums.schemes import HOLDERS
from crypto.sums.share_sum.parameters import PUBLIC_CONTEXT_MAX_BYTES, context_hash
from crypto.wire import (
    SignedRecord,
    b64,
    get_int,
    get_str,
    pack_frames,
    parse_object,
    parse_public_key,
    public_bytes,
    require_fields,
    unpack_frames,
)

CARD_TYPE: Final = "key-holder"


@dataclass(frozen=True, kw_only=True)
class HolderCard:
    """What is public of a key holder. ``context`` is its public BFV context as first written."""

    number: int
    identity: Ed25519PublicKey
    context: bytes
    record: SignedRecord

    @classmethod
    def sign(cls, number: int, context: bytes, identity: Ed25519PrivateKey) -> Self:
        """The card of a key holder, by its own identity."""
        body = {
            "holder": number,
            "context_hash": context_hash(context),
            "identity": b64(public_bytes(identity.public_key())),
        }
        record = SignedRecord.sign(CARD_TYPE, body, identity)
        return cls(number=number, identity=identity.public_key(), context=context, record=record)

    @property
    def context_hash(self) -> str:
        """Hex hash of the public BFV context."""
        return context_hash(self.context)

    def to_bytes(self) -> bytes:
        """The card as a file: signed record and context, framed."""
        return pack_frames([self.record.to_bytes(), self.context])

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse a card and check that its parts belong together.

        Raises:
            WireError: malformed, not signed by the identity in it, unknown fields, or another
                context.
        """
        record_bytes, context = unpack_frames(data, count=2, max_frame=PUBLIC_CONTEXT_MAX_BYTES)
        record = SignedRecord.from_bytes(record_bytes)
        claimed = parse_object(record.body, what=CARD_TYPE)
        identity = parse_public_key(get_str(claimed, "identity"), what="key holder identity")
        body = record.verified(CARD_TYPE, identity)
        require_fields(body, "holder", "context_hash", "identity")
        if get_str(body, "context_hash") != context_hash(context):
            raise WireError("The public context of this card is not the one that it signs.")
        return cls(
            number=get_int(body, "holder", low=1, high=HOLDERS),
            identity=identity,
            context=context,
            record=record,
        )


def in_order(cards: Sequence[HolderCard]) -> tuple[HolderCard, ...]:
    """The cards of the three key holders by number, whatever order they are given in.

    Raises:
        InvalidInputError: not exactly one of each, or two share a key.
    """
    found = {card.number: card for card in cards}
    if len(cards) != HOLDERS or len(found) != HOLDERS:
        raise InvalidInputError(
            f"Expected the cards of key holders 1 to {HOLDERS}, got "
            f"{', '.join(str(card.number) for card in cards) or 'none'}."
        )
    ordered = tuple(found[number] for number in range(1, HOLDERS + 1))
    keys = {public_bytes(card.identity) for card in ordered}
    if len(keys) != HOLDERS or len({card.context_hash for card in ordered}) != HOLDERS:
        raise InvalidInputError("Two key holders show the same key; each needs its own.")
    return ordered


def parse_card(data: bytes, *, what: str) -> HolderCard:
    """Parse a card file that somebody named.

    Raises:
        InvalidInputError: it is none; the message names the file (``what``).
    """
    try:
        return HolderCard.from_bytes(data)
    except WireError as error:
        raise InvalidInputError(f"{what} is no key holder's public.card: {error}") from error
