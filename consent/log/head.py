"""Signed tree heads: what the service commits to at one instant."""

from dataclasses import dataclass
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.errors import WireError
from crypto.wire import SignedRecord, b64, get_int, get_str, get_time, unb64

RECORD_TYPE: Final = "tree-head"
MAX_SIZE: Final = 2**53


@dataclass(frozen=True, kw_only=True)
class TreeHead:
    """The log at one instant: ``time`` in Unix milliseconds, its size and its root."""

    time: int
    size: int
    root: bytes

    def sign(self, key: Ed25519PrivateKey) -> SignedRecord:
        """Sign the head with the service's key."""
        body = {"time": self.time, "size": self.size, "root": b64(self.root)}
        return SignedRecord.sign(RECORD_TYPE, body, key)

    @classmethod
    def verify(cls, record: SignedRecord, key: Ed25519PublicKey) -> Self:
        """Read a head that ``key`` signed.

        Raises:
            WireError: another type, another key, altered bytes, missing or unknown fields.
        """
        body = record.verified(RECORD_TYPE, key)
        if body.keys() != {"time", "size", "root"}:
            raise WireError("A tree head has exactly the fields time, size and root.")
        return cls(
            time=get_time(body, "time"),
            size=get_int(body, "size", low=0, high=MAX_SIZE),
            root=unb64(get_str(body, "root"), what="root", length=32),
        )
