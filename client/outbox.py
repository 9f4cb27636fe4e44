"""What a client sealed for a round that is still open, byte for byte as it was sent.

A message may be asked for again: after a crash, or when its answer got lost. The client then sends
the same bytes instead of sealing anew, so that one round never holds two vectors of one history.
Only sealed bytes lie here, which nobody but two key holders together can open; they go when the
round is over.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from crypto.durable import flush
from crypto.sums.schemes import HOLDERS
from crypto.update import SealedUpdate
from crypto.wire import SignedRecord, pack_frames, unpack_frames

_MAX_PART = 1 << 28


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """What a client sends: the signed header, the packed grants, and the sealed bytes it names.

    ``token_ids``: of the grants, for the client's own use.
    """

    header: SignedRecord
    grants: bytes
    sealed: SealedUpdate
    token_ids: tuple[str, ...]


class Outbox:
    """The outbox in a client's home; one folder a round."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, context: str, contribution: Contribution, *, closes: int) -> None:
        """Keep a contribution until its round closes; on disk before it is sent."""
        place = self._folder / context
        draft = self._folder / f".{context}.draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True, mode=0o700)
        sealed = contribution.sealed
        frames = [contribution.header.to_bytes(), contribution.grants, sealed.body, *sealed.shares]
        (draft / "sealed").write_bytes(pack_frames(frames))
        about = {
            "closes": closes,
            "token_ids": list(contribution.token_ids),
            "scheme": sealed.scheme,
            "commitments": list(sealed.commitments),
        }
        (draft / "about.json").write_text(json.dumps(about))
        for name in ("sealed", "about.json"):
            flush(draft / name)
        shutil.rmtree(place, ignore_errors=True)
        draft.rename(place)
        flush(self._folder)

    def find(self, context: str) -> Contribution | None:
        """What was sealed for a round, if anything was."""
        place = self._folder / context
        if not (place / "about.json").is_file():
            return None
        about = json.loads((place / "about.json").read_text())
        data = (place / "sealed").read_bytes()
        header, grants, body, *shares = unpack_frames(data, count=3 + HOLDERS, max_frame=_MAX_PART)
        return Contribution(
            header=SignedRecord.from_bytes(header),
            grants=grants,
            sealed=SealedUpdate(
                scheme=about["scheme"],
                context=context,
                shares=tuple(shares),
                body=body,
                commitments=tuple(about["commitments"]),
            ),
            token_ids=tuple(about["token_ids"]),
        )

    def sweep(self, *, now: float) -> None:
        """Remove what belongs to rounds that are over."""
        if not self._folder.is_dir():
            return
        for place in self._folder.iterdir():
            about = place / "about.json"
            if not about.is_file() or json.loads(about.read_text())["closes"] < now:
                shutil.rmtree(place, ignore_errors=True)
