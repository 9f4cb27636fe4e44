"""A key holder's key for one round: asked for by the coordinator, made fresh, erased at its end.

Clients seal to round keys that a pinned identity signed for exactly this population, task and
round; the manifest names their hashes. One round key opens one round, so what it opened is gone
with it, whatever happens to the key holder later.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.errors import WireError
from crypto.sums.schemes import HOLDERS
from crypto.wire import SignedRecord, b64, get_int, get_str, require_fields, unb64

REQUEST_TYPE: Final = "round-key-request"
KEY_TYPE: Final = "round-key"
VERSION: Final = 1
# ML-KEM-768 (1184 bytes) and X25519 (32 bytes), one after the other.
PUBLIC_BYTES: Final = 1216
_WIDE: Final = 2**53


@dataclass(frozen=True, kw_only=True)
class RoundKeyRequest:
    """The coordinator asks for a key of one round. Times are Unix seconds."""

    population: str
    task: str
    round_id: str
    opens: int
    closes: int

    def sign(self, key: Ed25519PrivateKey) -> SignedRecord:
        """Sign with the coordinator's key."""
        body = {"version": VERSION, **_place(self), "opens": self.opens, "closes": self.closes}
        return SignedRecord.sign(REQUEST_TYPE, body, key)

    @classmethod
    def verify(cls, record: SignedRecord, key: Ed25519PublicKey) -> Self:
        """Parse a request that the coordinator signed.

        Raises:
            WireError: not signed by ``key``, another version, unknown fields.
        """
        body = record.verified(REQUEST_TYPE, key)
        _exactly(body, "version", "population", "task", "round", "opens", "closes")
        request = cls(
            population=get_str(body, "population"),
            task=get_str(body, "task"),
            round_id=get_str(body, "round"),
            opens=get_int(body, "opens", low=0, high=_WIDE),
            closes=get_int(body, "closes", low=0, high=_WIDE),
        )
        if not request.opens < request.closes:
            raise WireError("A round closes after it opens.")
        return request


@dataclass(frozen=True, kw_only=True)
class RoundKey:
    """A key holder's public key for one round.

    ``public`` is the raw HPKE public key (``PUBLIC_BYTES``); it holds from ``not_before`` to
    ``not_after``, Unix seconds. The hash of the signed record names it in manifests.
    """

    holder: int
    population: str
    task: str
    round_id: str
    public: bytes
    not_before: int
    not_after: int

    def sign(self, key: Ed25519PrivateKey) -> SignedRecord:
        """Sign with the key holder's identity."""
        body = {
            "version": VERSION,
            "holder": self.holder,
            **_place(self),
            "key": b64(self.public),
            "not_before": self.not_before,
            "not_after": self.not_after,
        }
        return SignedRecord.sign(KEY_TYPE, body, key)

    @classmethod
    def verify(cls, record: SignedRecord, identity: Ed25519PublicKey) -> Self:
        """Parse a round key that a pinned key holder signed.

        Raises:
            WireError: not signed by ``identity``, another version, unknown fields, or times that
                contradict each other.
        """
        body = record.verified(KEY_TYPE, identity)
        names = ("version", "holder", "population", "task", "round", "key")
        _exactly(body, *names, "not_before", "not_after")
        key = cls(
            holder=get_int(body, "holder", low=1, high=HOLDERS),
            population=get_str(body, "population"),
            task=get_str(body, "task"),
            round_id=get_str(body, "round"),
            public=unb64(
                get_str(body, "key", max_length=2048), what="round key", length=PUBLIC_BYTES
            ),
            not_before=get_int(body, "not_before", low=0, high=_WIDE),
            not_after=get_int(body, "not_after", low=0, high=_WIDE),
        )
        if not key.not_before < key.not_after:
            raise WireError("A round key ends after it begins.")
        return key


def _place(record: RoundKeyRequest | RoundKey) -> dict[str, str]:
    return {"population": record.population, "task": record.task, "round": record.round_id}


def _exactly(body: dict[str, Any], *names: str) -> None:
    require_fields(body, *names)
    get_int(body, "version", low=VERSION, high=VERSION)
