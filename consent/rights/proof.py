"""A device's proof that its shopper asks: signed by the key of the client that stands for her.

A shopper without a login has two things on her device: her token, and the key of her client. The
token alone travels with every call, so a step that hands out or destroys her data asks for the
key as well. The record names her, the step and the hash of exactly what is asked, so that it
proves nothing else; it counts for a minute, and only beside her token.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.participation import MAX_AGE_S
from crypto.errors import WireError
from crypto.wire import (
    SignedRecord,
    b64,
    canonical,
    digest,
    get_int,
    get_str,
    parse_object,
    parse_public_key,
    public_bytes,
    thumbprint,
)

RECORD_TYPE: Final = "rights-proof"
_FIELDS: Final = {"shopper", "step", "asked", "client_key", "issued_at"}


class Step(StrEnum):
    """What is proved: that she opens a request, has one carried out, or fetches her export."""

    OPEN = "open"
    CONFIRM = "confirm"
    FETCH = "fetch"


def asked_hash(asked: dict[str, object]) -> str:
    """The hex hash of what a step asks for: the request's body and key, or the request's id."""
    return digest("rights-asked", canonical(asked)).hex()


@dataclass(frozen=True, kw_only=True)
class Possession:
    """A client's key says that its shopper takes a step. ``issued_at`` is in Unix seconds."""

    shopper: str
    step: Step
    asked: str
    client_key: Ed25519PublicKey
    issued_at: int

    @cached_property
    def client(self) -> str:
        """The thumbprint of the client."""
        return thumbprint(self.client_key)

    def covers(self, shopper: str, step: Step, asked: str, now: float) -> bool:
        """Whether it was made for this, within MAX_AGE_S of ``now`` (Unix seconds) either way."""
        fresh = abs(now - self.issued_at) <= MAX_AGE_S
        return fresh and (self.shopper, self.step, self.asked) == (shopper, step, asked)

    def sign(self, key: Ed25519PrivateKey) -> SignedRecord:
        """Sign the proof with the client's key."""
        body = {
            "shopper": self.shopper,
            "step": self.step,
            "asked": self.asked,
            "client_key": b64(public_bytes(self.client_key)),
            "issued_at": self.issued_at,
        }
        return SignedRecord.sign(RECORD_TYPE, body, key)

    @classmethod
    def parse(cls, record: SignedRecord) -> Self:
        """Read a proof and check that the key it names signed it.

        Raises:
            WireError: malformed, an unknown field or step, or a signature that does not hold.
        """
        claimed = parse_object(record.body, what=RECORD_TYPE)
        key = parse_public_key(get_str(claimed, "client_key"), what="client key")
        body = record.verified(RECORD_TYPE, key)
        if body.keys() != _FIELDS:
            raise WireError(f"A proof has exactly {', '.join(sorted(_FIELDS))}.")
        return cls(
            shopper=get_str(body, "shopper"),
            step=_step(get_str(body, "step")),
            asked=get_str(body, "asked"),
            client_key=key,
            issued_at=get_int(body, "issued_at", low=0, high=2**53),
        )


def _step(name: str) -> Step:
    try:
        return Step(name)
    except ValueError as error:
        raise WireError(f"Unknown step; this version knows {', '.join(Step)}.") from error
