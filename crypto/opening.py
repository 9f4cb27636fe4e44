"""The bytes between coordinator and key holder, parsed strictly on both sides.

Request: three frames (manifest, commit, share). Answer: two frames, a record signed by the key
holder's identity over the hash of request and values, and the values as little-endian int64.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.errors import WireError
from crypto.sums.schemes import HOLDERS
from crypto.update import PartSum
from crypto.wire import (
    SignedRecord,
    digest,
    get_int,
    get_str,
    pack_frames,
    require_fields,
    unpack_frames,
)

# The longest share: 2**24 values, two to a slot.
MAX_SHARE_BYTES: Final = 1 << 27
PART_TYPE: Final = "part-sum"
MEDIA_TYPE: Final = "application/vnd.fedcart.frames"


@dataclass(frozen=True, kw_only=True)
class OpenRequest:
    """What the coordinator asks: open your share of this sum, for this manifest and list."""

    manifest: SignedRecord
    commit: SignedRecord
    share: bytes

    @property
    def hash(self) -> str:
        """Hex hash of the whole request."""
        return digest("open", self.manifest.body, self.commit.body, self.share).hex()

    def to_bytes(self) -> bytes:
        """Frame the request."""
        return pack_frames([self.manifest.to_bytes(), self.commit.to_bytes(), self.share])

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse a request.

        Raises:
            WireError: malformed.
        """
        manifest, commit, share = unpack_frames(data, count=3, max_frame=MAX_SHARE_BYTES)
        return cls(
            manifest=SignedRecord.from_bytes(manifest),
            commit=SignedRecord.from_bytes(commit),
            share=share,
        )


def encode_part(part: PartSum, request_hash: str, identity: Ed25519PrivateKey) -> bytes:
    """Frame and sign a part sum."""
    values = part.values.astype("<i8").tobytes()
    body = {
        "holder": part.holder,
        "context": part.context,
        "request": request_hash,
        "values": digest("part", values).hex(),
    }
    return pack_frames([SignedRecord.sign(PART_TYPE, body, identity).to_bytes(), values])


def decode_part(data: bytes, *, request_hash: str, identity: Ed25519PublicKey) -> PartSum:
    """Parse a part sum that the pinned identity signed for this request.

    Raises:
        WireError: malformed, another key holder's, or for another request.
    """
    record, values = unpack_frames(data, count=2, max_frame=MAX_SHARE_BYTES)
    body = SignedRecord.from_bytes(record).verified(PART_TYPE, identity)
    require_fields(body, "holder", "context", "request", "values")
    if get_str(body, "values") != digest("part", values).hex() or len(values) % 8:
        raise WireError("The values of this part sum are not the signed ones.")
    if get_str(body, "request") != request_hash:
        raise WireError("This part sum answers another request.")
    return PartSum(
        holder=get_int(body, "holder", low=1, high=HOLDERS),
        context=get_str(body, "context"),
        values=np.frombuffer(values, dtype="<i8").astype(np.int64),
    )
