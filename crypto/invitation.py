"""What a client is sent when it is asked to take part: the manifest and what vouches for it.

Frames: the manifest, then the three signed round keys and the three accepts, in the key holders'
order; share sum has neither.
"""

from dataclasses import dataclass
from typing import Final, Self

from crypto.errors import WireError
from crypto.sums.schemes import HOLDERS
from crypto.wire import SignedRecord, pack_frames, unpack_frames

_MAX_FRAME: Final = 1 << 22
_FULL: Final = 1 + 2 * HOLDERS


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """A round as a client is told of it."""

    manifest: SignedRecord
    round_keys: tuple[SignedRecord, ...] = ()
    accepts: tuple[SignedRecord, ...] = ()

    def to_bytes(self) -> bytes:
        """Frame it."""
        records = (self.manifest, *self.round_keys, *self.accepts)
        return pack_frames([record.to_bytes() for record in records])

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse it; nothing of it is checked yet.

        Raises:
            WireError: malformed, or another number of records.
        """
        count = int.from_bytes(data[4:8], "little")
        if count not in (1, _FULL):
            raise WireError(f"An invitation has 1 or {_FULL} records.")
        records = [
            SignedRecord.from_bytes(frame)
            for frame in unpack_frames(data, count=count, max_frame=_MAX_FRAME)
        ]
        keys, accepts = records[1 : 1 + HOLDERS], records[1 + HOLDERS :]
        return cls(manifest=records[0], round_keys=tuple(keys), accepts=tuple(accepts))
