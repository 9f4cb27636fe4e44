"""The bytes of ingest: the coordinator hands uploads to a key holder, which signs what it took.

A batch is frames: manifest hash, then header, grants and this key holder's share of each upload,
in turn. The answer is one signed receipt: what was acknowledged, what was excluded and why, and
whether the sender is to blame (its own commitment failed). Nothing that was decrypted is ever
returned.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.errors import WireError
from crypto.sums.schemes import HOLDERS
from crypto.wire import (
    SignedRecord,
    get_hash,
    get_hashes,
    get_int,
    get_str,
    pack_frames,
    require_fields,
    unpack_frames,
)

RECEIPT_TYPE: Final = "ingest-receipt"
MAX_BATCH: Final = 256
MAX_BATCH_BYTES: Final = 1 << 28
_PER_UPLOAD: Final = 3


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One upload as a key holder gets it: ``share`` is its own one, ``grants`` the packed list."""

    header: SignedRecord
    grants: bytes
    share: bytes


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Uploads of one round, in order."""

    context: str
    submissions: tuple[Submission, ...]

    def to_bytes(self) -> bytes:
        """Frame the batch."""
        frames = [self.context.encode()]
        for each in self.submissions:
            frames += [each.header.to_bytes(), each.grants, each.share]
        return pack_frames(frames)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse a batch; a malformed header spoils the batch, a false one only itself.

        Raises:
            WireError: malformed, or too large.
        """
        count = int.from_bytes(data[4:8], "little")
        if not 1 <= count <= 1 + _PER_UPLOAD * MAX_BATCH or count % _PER_UPLOAD != 1:
            raise WireError(f"A batch has at most {MAX_BATCH} uploads, three frames each.")
        context, *rest = unpack_frames(data, count=count, max_frame=MAX_BATCH_BYTES)
        if len(context) > 128 or not context.isascii():
            raise WireError("A batch names the round's context.")
        triples = zip(rest[::3], rest[1::3], rest[2::3], strict=True)
        return cls(
            context=context.decode(),
            submissions=tuple(
                Submission(header=SignedRecord.from_bytes(header), grants=grants, share=share)
                for header, grants, share in triples
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Exclusion:
    """An upload that a key holder leaves out. ``blamed``: its sender lied about its pieces."""

    upload: str
    reason: str
    blamed: bool


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What a key holder took of a batch and what not."""

    holder: int
    context: str
    acknowledged: tuple[str, ...]
    excluded: tuple[Exclusion, ...]

    def sign(self, key: Ed25519PrivateKey) -> SignedRecord:
        """Sign with the key holder's identity."""
        body = {
            "holder": self.holder,
            "context": self.context,
            "acknowledged": list(self.acknowledged),
            "excluded": [[e.upload, e.reason, e.blamed] for e in self.excluded],
        }
        return SignedRecord.sign(RECEIPT_TYPE, body, key)

    @classmethod
    def verify(cls, record: SignedRecord, identity: Ed25519PublicKey) -> Self:
        """Parse a receipt that a pinned key holder signed.

        Raises:
            WireError: not signed by ``identity``, or malformed.
        """
        body = record.verified(RECEIPT_TYPE, identity)
        require_fields(body, "holder", "context", "acknowledged", "excluded")
        excluded = body["excluded"]
        if not isinstance(excluded, list) or len(excluded) > MAX_BATCH:
            raise WireError(f"A receipt excludes at most {MAX_BATCH} uploads.")
        return cls(
            holder=get_int(body, "holder", low=1, high=HOLDERS),
            context=get_str(body, "context"),
            acknowledged=get_hashes(body, "acknowledged", max_count=MAX_BATCH),
            excluded=tuple(_exclusion(entry) for entry in excluded),
        )


def _exclusion(entry: Any) -> Exclusion:
    if not isinstance(entry, list) or len(entry) != 3 or not isinstance(entry[2], bool):
        raise WireError("An exclusion is [upload, reason, blamed].")
    fields = {"upload": entry[0], "reason": entry[1]}
    return Exclusion(
        upload=get_hash(fields, "upload"), reason=get_str(fields, "reason"), blamed=entry[2]
    )
