"""The inbox: received uploads of one round wait on disk for the commit.

Nothing is added before the commit says which uploads stand, so uploads must wait somewhere; on
disk a cohort of any size needs memory for one upload at a time. Files are removed with the round.
"""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from crypto.update import SealedUpdate
from crypto.upload import Upload
from crypto.wire import pack_frames, unpack_frames


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A checked header and the ids of its grants."""

    upload: Upload
    token_ids: tuple[str, ...]


class Inbox:
    """The waiting uploads of one round, by client; a later one of a client replaces its earlier."""

    def __init__(self, folder: Path, *, max_share: int) -> None:
        self._folder = folder
        self._max_share = max_share
        self._waiting: dict[str, Waiting] = {}
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def put(self, upload: Upload, token_ids: tuple[str, ...], sealed: SealedUpdate) -> None:
        """Store an upload whose header was checked."""
        previous = self._waiting.get(upload.client)
        (self._folder / upload.hash).write_bytes(pack_frames(list(sealed.shares)))
        self._waiting[upload.client] = Waiting(upload=upload, token_ids=token_ids)
        if previous is not None and previous.upload.hash != upload.hash:
            (self._folder / previous.upload.hash).unlink()

    @property
    def waiting(self) -> list[Waiting]:
        """Headers of all waiting uploads."""
        return list(self._waiting.values())

    def read(self, hashes: Iterable[str]) -> Iterator[SealedUpdate]:
        """The named uploads, one at a time."""
        known = {item.upload.hash: item.upload for item in self._waiting.values()}
        for name in hashes:
            upload = known[name]
            data = (self._folder / name).read_bytes()
            shares = unpack_frames(data, count=len(upload.shares), max_frame=self._max_share)
            yield SealedUpdate(scheme=upload.scheme, context=upload.context, shares=tuple(shares))

    def clear(self) -> None:
        """Remove everything."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._waiting.clear()
