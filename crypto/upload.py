"""The signed header of an upload: who sends which sealed bytes, under which grants.

The header names everything that the coordinator must check before the commit; its hash is the
upload's name in the signed list. Lengths of the sealed shares depend on the plan alone.
"""

from dataclasses import dataclass
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.errors import WireError
from crypto.update import SealedUpdate
from crypto.wire import (
    SignedRecord,
    b64,
    digest,
    get_str,
    get_strings,
    parse_object,
    parse_public_key,
    public_bytes,
    thumbprint,
)

RECORD_TYPE: Final = "upload"
MAX_GRANTS: Final = 100_000


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A parsed header. ``grants`` are the tokens, one a shopper; ``shares`` hex hashes."""

    context: str
    client: str
    scheme: str
    grants: tuple[str, ...]
    shares: tuple[str, ...]
    hash: str

    @classmethod
    def verify(cls, record: SignedRecord, sealed: SealedUpdate) -> Self:
        """Check that the client's key signed this header for these sealed bytes.

        Raises:
            WireError: malformed, unsigned, or other bytes than the signed ones.
        """
        claimed = parse_object(record.body, what=RECORD_TYPE)
        key = parse_public_key(get_str(claimed, "client_key"), what="client key")
        body = record.verified(RECORD_TYPE, key)
        shares = get_strings(body, "shares", max_count=16)
        if shares != tuple(_share_hash(share) for share in sealed.shares):
            raise WireError("These sealed bytes are not the ones that the upload's header signs.")
        if get_str(body, "context") != sealed.context or get_str(body, "scheme") != sealed.scheme:
            raise WireError("The upload's header is for another round or scheme.")
        grants = body.get("grants")
        if not isinstance(grants, list) or not 0 < len(grants) <= MAX_GRANTS:
            raise WireError(f"An upload carries 1 to {MAX_GRANTS} grants.")
        if not all(isinstance(token, str) and len(token) <= 8192 for token in grants):
            raise WireError("The grants of an upload are tokens of at most 8192 characters.")
        return cls(
            context=sealed.context,
            client=thumbprint(key),
            scheme=sealed.scheme,
            grants=tuple(grants),
            shares=shares,
            hash=record.hash,
        )


def sign_upload(
    sealed: SealedUpdate, grants: tuple[str, ...], key: Ed25519PrivateKey
) -> SignedRecord:
    """The signed header of a sealed update."""
    body = {
        "context": sealed.context,
        "scheme": sealed.scheme,
        "client_key": b64(public_bytes(key.public_key())),
        "grants": list(grants),
        "shares": [_share_hash(share) for share in sealed.shares],
    }
    return SignedRecord.sign(RECORD_TYPE, body, key)


def _share_hash(share: bytes) -> str:
    return digest("share", share).hex()
