"""The list of a round and the votes on it: which uploads are in the sum, decided once.

The coordinator proposes; a key holder votes only for a list that it has checked upload by upload,
once per round, and answers only when all three voted for the same one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.errors import RoundError, WireError
from crypto.sums.schemes import HOLDERS
from crypto.wire import (
    SignedRecord,
    digest,
    get_hash,
    get_hashes,
    get_int,
    get_str,
    require_fields,
)

LIST_TYPE: Final = "upload-list"
VOTE_TYPE: Final = "vote"
MAX_LISTED: Final = 100_000
# The first vote of an identity follows no other.
NO_VOTE: Final = "0" * 64


@dataclass(frozen=True, kw_only=True)
class UploadList:
    """The hashes of all uploads that make up a round's sum, key holders' entries included."""

    context: str
    uploads: tuple[str, ...]

    def __post_init__(self) -> None:
        if list(self.uploads) != sorted(set(self.uploads)):
            raise WireError("The uploads of a list are sorted by hash, each named once.")

    @property
    def hash(self) -> str:
        """Hex ``H("list", context, hash...)``: what votes are about."""
        return digest("list", self.context.encode(), *map(str.encode, self.uploads)).hex()

    def sign(self, key: Ed25519PrivateKey) -> SignedRecord:
        """Sign with the coordinator's key."""
        body = {"context": self.context, "uploads": list(self.uploads)}
        return SignedRecord.sign(LIST_TYPE, body, key)

    @classmethod
    def verify(cls, record: SignedRecord, key: Ed25519PublicKey) -> Self:
        """Parse a list that the coordinator signed.

        Raises:
            WireError: not signed by ``key``, malformed, unsorted, or an upload twice.
        """
        body = record.verified(LIST_TYPE, key)
        require_fields(body, "context", "uploads")
        return cls(
            context=get_str(body, "context"),
            uploads=get_hashes(body, "uploads", max_count=MAX_LISTED),
        )


@dataclass(frozen=True, kw_only=True)
class Vote:
    """A key holder's only vote in a round.

    Attributes:
        list_hash: ``UploadList.hash`` of what it voted for.
        sequence: how many votes this identity has cast, this one included.
        previous: hash of the record of the vote before, or ``NO_VOTE``. A key holder whose disk
            was set back can't vote again: its peers hold a later one.
    """

    holder: int
    context: str
    list_hash: str
    sequence: int
    previous: str

    def sign(self, key: Ed25519PrivateKey) -> SignedRecord:
        """Sign with the key holder's identity."""
        body = {
            "holder": self.holder,
            "context": self.context,
            "list": self.list_hash,
            "sequence": self.sequence,
            "previous": self.previous,
        }
        return SignedRecord.sign(VOTE_TYPE, body, key)

    @classmethod
    def verify(cls, record: SignedRecord, identity: Ed25519PublicKey) -> Self:
        """Parse a vote that a pinned key holder signed.

        Raises:
            WireError: not signed by ``identity``, or malformed.
        """
        body = record.verified(VOTE_TYPE, identity)
        require_fields(body, "holder", "context", "list", "sequence", "previous")
        return cls(
            holder=get_int(body, "holder", low=1, high=HOLDERS),
            context=get_str(body, "context"),
            list_hash=get_hash(body, "list"),
            sequence=get_int(body, "sequence", low=1, high=2**53),
            previous=get_hash(body, "previous"),
        )


def check_votes(
    records: Sequence[SignedRecord], identities: Sequence[Ed25519PublicKey], context: str
) -> tuple[Vote, ...]:
    """The votes of all key holders, in their order, if they agree.

    Raises:
        WireError: one is missing, not signed by its key holder, or for another round.
        RoundError: they are for different lists; nothing may be opened.
    """
    if len(records) != HOLDERS or len(identities) != HOLDERS:
        raise WireError(f"A release needs the votes of all {HOLDERS} key holders.")
    pairs = zip(records, identities, strict=True)
    votes = tuple(Vote.verify(record, identity) for record, identity in pairs)
    for number, vote in enumerate(votes, start=1):
        if (vote.holder, vote.context) != (number, context):
            raise WireError("A vote is another key holder's, or for another round.")
    if len({vote.list_hash for vote in votes}) != 1:
        raise RoundError("The key holders voted for different lists; nothing is opened.")
    return votes


def release_hash(votes: Sequence[SignedRecord]) -> str:
    """Hex hash of a release request: the three votes."""
    return digest("release", *(bytes.fromhex(vote.hash) for vote in votes)).hex()
