"""The signed header of an upload: who sends which sealed bytes, under which grants.

The header names everything that is checked before the commit, by hash; its own hash is the upload's
name in the signed lists. A key holder's noise entry is an upload without grants. Every field has a
fixed width, so that all headers of one scheme and role are equally long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.errors import WireError
from crypto.grant_list import MAX_GRANTS, grants_hash, pack_grants, unpack_grants
from crypto.sums.schemes import HOLDERS, Scheme
from crypto.update import SealedUpdate
from crypto.wire import (
    SignedRecord,
    b64,
    digest,
    get_hash,
    get_hashes,
    get_str,
    parse_object,
    parse_public_key,
    public_bytes,
    thumbprint,
)

RECORD_TYPE: Final = "upload"
_COUNT_DIGITS: Final = 8
_LENGTH_DIGITS: Final = 12


class Role(StrEnum):
    """What an upload is: a client's vector, or a key holder's own noise."""

    CLIENT = "client"
    KEY_HOLDER = "key-holder"


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A header whose signature holds. Hashes are hex.

    Attributes:
        client: thumbprint of the sender's key; ``sender`` is that key's 32 raw bytes.
        grants: hash of the packed list of grants; ``grant_count`` how many it holds.
        shares, body: hashes of the sealed bytes; ``length`` their number in all.
        commitments: to the pieces inside the shares.
        hash: the upload's name.
    """

    context: str
    scheme: str
    role: Role
    client: str
    sender: bytes
    grants: str
    grant_count: int
    shares: tuple[str, ...]
    commitments: tuple[str, ...]
    body: str
    length: int
    hash: str

    @classmethod
    def parse(cls, record: SignedRecord) -> Self:
        """Check that the key which the header names signed it.

        Raises:
            WireError: malformed, unsigned, or fields that don't go together.
        """
        claimed = parse_object(record.body, what=RECORD_TYPE)
        key = parse_public_key(get_str(claimed, "client_key"), what="client key")
        body = record.verified(RECORD_TYPE, key)
        role = get_str(body, "role")
        if role not in list(Role):
            raise WireError(f"Field 'role': expected one of {', '.join(Role)}.")
        upload = cls(
            context=get_str(body, "context"),
            scheme=get_str(body, "scheme"),
            role=Role(role),
            client=thumbprint(key),
            sender=public_bytes(key),
            grants=get_hash(body, "grants"),
            grant_count=_number(body, "grant_count", digits=_COUNT_DIGITS, high=MAX_GRANTS),
            shares=get_hashes(body, "shares", max_count=HOLDERS),
            commitments=get_hashes(body, "commitments", max_count=HOLDERS),
            body=get_hash(body, "body"),
            length=_number(body, "length", digits=_LENGTH_DIGITS, high=2**34),
            hash=record.hash,
        )
        if upload._body() != body:
            raise WireError("An upload's header has unknown fields.")
        upload._check()
        return upload

    def _check(self) -> None:
        if (self.role is Role.CLIENT) != (self.grant_count > 0):
            raise WireError("A client's upload carries grants, a key holder's entry none.")
        if self.scheme not in list(Scheme):
            raise WireError(f"Unknown scheme; this version knows {', '.join(Scheme)}.")
        votes = Scheme(self.scheme).votes
        if len(self.shares) != HOLDERS or len(self.commitments) != (HOLDERS if votes else 0):
            raise WireError("An upload's header names other shares or commitments than it must.")
        if self.role is Role.KEY_HOLDER and not votes:
            raise WireError("Key holders add no entries in this scheme.")

    def _body(self) -> dict[str, Any]:
        return {
            "context": self.context,
            "scheme": self.scheme,
            "role": str(self.role),
            "client_key": b64(self.sender),
            "grants": self.grants,
            "grant_count": f"{self.grant_count:0{_COUNT_DIGITS}d}",
            "shares": list(self.shares),
            "commitments": list(self.commitments),
            "body": self.body,
            "length": f"{self.length:0{_LENGTH_DIGITS}d}",
        }

    def check_sealed(self, sealed: SealedUpdate) -> None:
        """Check that these are the sealed bytes which the header signs.

        Raises:
            WireError: other bytes, another round or scheme.
        """
        if (sealed.context, sealed.scheme) != (self.context, self.scheme):
            raise WireError("The upload's header is for another round or scheme.")
        shares = tuple(share_hash(share) for share in sealed.shares)
        found = (shares, sealed.commitments, body_hash(sealed.body), sealed.length)
        if found != (self.shares, self.commitments, self.body, self.length):
            raise WireError("These sealed bytes are not the ones that the upload's header signs.")

    def check_share(self, holder: int, share: bytes) -> None:
        """Check that this is the share for a key holder (1..3) which the header signs.

        Raises:
            WireError: other bytes.
        """
        if share_hash(share) != self.shares[holder - 1]:
            raise WireError("This share is not the one that the upload's header signs.")

    def tokens(self, grants: bytes) -> tuple[str, ...]:
        """The grants of a packed list, if it is the one that the header signs.

        Raises:
            WireError: another list, or malformed.
        """
        if grants_hash(grants) != self.grants:
            raise WireError("These grants are not the ones that the upload's header signs.")
        return unpack_grants(grants, self.grant_count)


def sign_upload(
    sealed: SealedUpdate,
    tokens: Sequence[str],
    key: Ed25519PrivateKey,
    *,
    role: Role = Role.CLIENT,
) -> SignedRecord:
    """The signed header of a sealed update under these grants.

    They travel beside it, packed by ``crypto.grant_list.pack_grants``.
    """
    upload = Upload(
        context=sealed.context,
        scheme=sealed.scheme,
        role=role,
        client=thumbprint(key.public_key()),
        sender=public_bytes(key.public_key()),
        grants=grants_hash(pack_grants(tokens)),
        grant_count=len(tokens),
        shares=tuple(share_hash(share) for share in sealed.shares),
        commitments=sealed.commitments,
        body=body_hash(sealed.body),
        length=sealed.length,
        hash="",
    )
    return SignedRecord.sign(RECORD_TYPE, upload._body(), key)


def sender_key(upload: Upload) -> Ed25519PublicKey:
    """The key that signed an upload's header."""
    return Ed25519PublicKey.from_public_bytes(upload.sender)


def share_hash(share: bytes) -> str:
    """Hex hash of one key holder's share."""
    return digest("share", share).hex()


def body_hash(body: bytes) -> str:
    """Hex hash of a sealed body."""
    return digest("body", body).hex()


def _number(body: dict[str, Any], key: str, *, digits: int, high: int) -> int:
    text = get_str(body, key, max_length=digits)
    if len(text) != digits or not (text.isascii() and text.isdigit()) or int(text) > high:
        raise WireError(f"Field {key!r}: expected {digits} digits, at most {high}.")
    return int(text)
