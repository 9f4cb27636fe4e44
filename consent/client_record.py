"""What a client says under its own key: records that prove possession of the key they name.

The body of such a record names the client's public key, and that key signed it. So it proves
possession of the key and nothing else: whether the client may do what it asks for is for the
consent service to judge. ``crypto.wire`` keeps a record of one type from passing for another.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.errors import WireError
from crypto.wire import (
    SignedRecord,
    b64,
    get_int,
    get_str,
    parse_object,
    parse_public_key,
    public_bytes,
    thumbprint,
)

MAX_AGE_S: Final = 60
_LATEST_S: Final = 2**53


@dataclass(frozen=True, kw_only=True)
class ClientRecord(ABC):
    """A record of one client, signed as its class's ``RECORD_TYPE``."""

    RECORD_TYPE: ClassVar[str]
    client_key: Ed25519PublicKey

    @cached_property
    def client(self) -> str:
        """The thumbprint of the client's key."""
        return thumbprint(self.client_key)

    @abstractmethod
    def stated(self) -> dict[str, Any]:
        """The fields of the body, but for those that say who signs and when."""

    def sign(self, key: Ed25519PrivateKey) -> SignedRecord:
        """Sign the record with the client's key."""
        return SignedRecord.sign(self.RECORD_TYPE, self._body(), key)

    def _body(self) -> dict[str, Any]:
        return {**self.stated(), "client_key": b64(public_bytes(self.client_key))}


@dataclass(frozen=True, kw_only=True)
class ClientRequest(ClientRecord):
    """A record that counts only for a while. ``issued_at`` is in Unix seconds."""

    issued_at: int

    def is_fresh(self, now: float) -> bool:
        """Whether the request was made within MAX_AGE_S of ``now`` (Unix seconds), either way."""
        return abs(now - self.issued_at) <= MAX_AGE_S

    def _body(self) -> dict[str, Any]:
        return {**super()._body(), "issued_at": self.issued_at}


def own_body(
    record: SignedRecord, record_type: str, fields: set[str], *, what: str
) -> tuple[dict[str, Any], Ed25519PublicKey]:
    """The body of a record, and the key that it names and that signed it.

    ``what`` names such a record in the error.

    Raises:
        WireError: another type, malformed, a signature that does not hold, or other fields than
            exactly ``fields``.
    """
    claimed = parse_object(record.body, what=record_type)
    key = parse_public_key(get_str(claimed, "client_key"), what="client key")
    body = record.verified(record_type, key)
    if body.keys() != fields:
        raise WireError(f"{what} has exactly {', '.join(sorted(fields))}.")
    return body, key


def get_issued_at(body: dict[str, Any]) -> int:
    """Read when a request was made, Unix seconds."""
    return get_int(body, "issued_at", low=0, high=_LATEST_S)
