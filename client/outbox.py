"""What a client sealed for a round that is still open, byte for byte as it was sent.

A message may be asked for again: after a crash, or when its answer got lost. The client then sends
the same bytes instead of sealing anew, so that one round never holds two vectors of one history.
Only sealed bytes lie here, which nobody but two key holders together can open; they go when the
round is over, and with the purchases that they were made of.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crypto.durable import flush
from crypto.errors import RoundError, WireError
from crypto.sums.schemes import HOLDERS
from crypto.update import SealedUpdate
from crypto.wire import SignedRecord, pack_frames, unpack_frames

_MAX_PART: Final = 1 << 28
# Names of what is being written begin with this; a crash leaves one behind.
_DRAFT: Final = "."
# Nobody writes one for longer.
_DRAFT_S: Final = 3600


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
        """Keep a contribution until its round closes; on disk before it is sent.

        Raises:
            RoundError: the disk says no; what can't be sent again is not sent.
        """
        place, draft = self._folder / context, self._folder / f"{_DRAFT}{context}"
        sealed = contribution.sealed
        frames = [contribution.header.to_bytes(), contribution.grants, sealed.body, *sealed.shares]
        about = {
            "closes": closes,
            "token_ids": list(contribution.token_ids),
            "scheme": sealed.scheme,
            "commitments": list(sealed.commitments),
        }
        with _disk(self._folder):
            self._make()
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(mode=0o700)
            (draft / "sealed").write_bytes(pack_frames(frames))
            (draft / "about.json").write_text(json.dumps(about))
            for path in (draft / "sealed", draft / "about.json", draft):
                flush(path)
            shutil.rmtree(place, ignore_errors=True)
            draft.rename(place)
            flush(self._folder)

    def _make(self) -> None:
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700)
            flush(self._folder.parent)

    def find(self, context: str) -> Contribution | None:
        """What was sealed for a round, if anything was.

        Raises:
            RoundError: it can't be read any more.
        """
        place = self._folder / context
        if not place.is_dir():
            return None
        with _disk(place):
            about = _about(place)
            data = (place / "sealed").read_bytes()
            header, grants, body, *shares = unpack_frames(
                data, count=3 + HOLDERS, max_frame=_MAX_PART
            )
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
        """Remove what belongs to rounds that are over, and what a crash left half written."""
        if not self._folder.is_dir():
            return
        for place in self._folder.iterdir():
            if _over(place, now=now):
                shutil.rmtree(place, ignore_errors=True)


def _about(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place / "about.json").read_text())
    return found


def _over(place: Path, *, now: float) -> bool:
    try:
        if place.name.startswith(_DRAFT):
            return place.stat().st_mtime < now - _DRAFT_S
        return bool(_about(place)["closes"] < now)
    except (OSError, ValueError, KeyError, TypeError):
        return True  # of no use to anybody


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Whatever a disk says that can't be written, or has changed what was."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, WireError) as error:
        raise RoundError(f"{path} can't be written or read ({error}); nothing is sent.") from error


def waiting_bytes(folder: Path, context: str) -> int | None:
    """How many sealed bytes wait in an outbox for a round that is open; None where none do."""
    try:
        return (folder / context / "sealed").stat().st_size
    except OSError:
        return None
