"""The signed commit: the frozen list of uploads whose every grant stood at one instant.

The consent service writes it in the one transaction in which it froze the grants; key holders act
on nothing else. A withdrawal therefore lands wholly before a commit (its upload is not listed) or
wholly after (the past stays lawful).
"""

from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.errors import WireError
from crypto.wire import SignedRecord, get_int, get_str, require_fields

RECORD_TYPE: Final = "commit"


@dataclass(frozen=True, kw_only=True, order=True)
class CommittedUpload:
    """One upload of the list: its hash, its client's thumbprint, and how many shoppers it sums."""

    upload: str
    client: str
    shoppers: int


@dataclass(frozen=True, kw_only=True)
class Commit:
    """The frozen list of one round. ``committed_at`` is in Unix milliseconds."""

    task: str
    round_id: str
    context: str
    uploads: tuple[CommittedUpload, ...]
    committed_at: int

    def __post_init__(self) -> None:
        if list(self.uploads) != sorted(self.uploads):
            raise WireError("The uploads of a commit are sorted by hash.")
        if len({entry.upload for entry in self.uploads}) != len(self.uploads):
            raise WireError("An upload stands twice in this commit.")
        if len({entry.client for entry in self.uploads}) != len(self.uploads):
            raise WireError("A client stands twice in this commit.")

    @property
    def clients(self) -> int:
        """Number of distinct participants."""
        return len(self.uploads)

    @property
    def shoppers(self) -> int:
        """Number of shoppers whose vectors are in the sum."""
        return sum(entry.shoppers for entry in self.uploads)

    def sign(self, key: Ed25519PrivateKey) -> SignedRecord:
        """Sign the list with the consent service's key."""
        body = {
            "task": self.task,
            "round": self.round_id,
            "context": self.context,
            "committed_at": self.committed_at,
            "uploads": [[e.upload, e.client, e.shoppers] for e in self.uploads],
        }
        return SignedRecord.sign(RECORD_TYPE, body, key)

    @classmethod
    def verify(cls, record: SignedRecord, key: Ed25519PublicKey) -> Self:
        """Parse a commit that ``key`` signed.

        Raises:
            WireError: not signed by ``key``, malformed, unsorted, or with a repeated participant.
        """
        body = record.verified(RECORD_TYPE, key)
        require_fields(body, "task", "round", "context", "committed_at", "uploads")
        entries = body["uploads"]
        if not isinstance(entries, list) or len(entries) > 1_000_000:
            raise WireError("Field 'uploads': expected a list of at most 1,000,000 entries.")
        return cls(
            task=get_str(body, "task"),
            round_id=get_str(body, "round"),
            context=get_str(body, "context"),
            committed_at=get_int(body, "committed_at", low=0, high=2**53),
            uploads=tuple(_entry(entry) for entry in entries),
        )


def _entry(entry: Any) -> CommittedUpload:
    if not isinstance(entry, list) or len(entry) != 3:
        raise WireError("Field 'uploads': an entry is [hash, client, shoppers].")
    fields = dict(zip(("upload", "client", "shoppers"), entry, strict=True))
    return CommittedUpload(
        upload=get_str(fields, "upload"),
        client=get_str(fields, "client"),
        shoppers=get_int(fields, "shoppers", low=1, high=10_000_000),
    )
