"""The journal of a round: everything on disk that a crash must not lose.

    manifest.json        the round as it was planned
    uploads/HASH         sealed shares, waiting for the commit
    uploads/HASH.json    the signed header and the ids of its grants
    commit.json          the frozen list, signed by the consent service
    sum-1 sum-2 sum-3    the sealed sum, as each key holder is asked to open it

Nothing is added before the commit says which uploads stand, so uploads wait on disk, where a
cohort of any size needs memory for one at a time. A coordinator that starts again with the same
run continues from here: it asks only clients whose upload it does not have, commits the same list,
and sends key holders the same bytes, which they answer as before. The folder goes when the
release is published.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from crypto.errors import WireError
from crypto.update import SealedSum, SealedUpdate
from crypto.upload import Upload
from crypto.wire import (
    SignedRecord,
    canonical,
    get_strings,
    pack_frames,
    parse_object,
    unpack_frames,
)

_MAX_GRANTS = 100_000


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A checked header and the ids of its grants."""

    upload: Upload
    header: SignedRecord
    token_ids: tuple[str, ...]


class Journal:
    """The journal of one round; a later upload of a client replaces its earlier one.

    Args:
        folder: this round's own.
        holders: how many shares an upload has.
        max_share: the length in bytes that a share has at most.
    """

    def __init__(self, folder: Path, *, holders: int, max_share: int) -> None:
        self._folder, self._holders, self._max_share = folder, holders, max_share
        self._uploads = folder / "uploads"
        self._uploads.mkdir(parents=True, exist_ok=True)
        self._waiting: dict[str, Waiting] = {}
        for path in sorted(self._uploads.glob("*.json"), key=lambda p: p.stat().st_mtime_ns):
            item = self._load(path)
            self._waiting[item.upload.client] = item

    def _load(self, path: Path) -> Waiting:
        body = parse_object(path.read_bytes(), what=str(path))
        header = SignedRecord.from_json(body.get("header"))
        upload = Upload.verify(header, self._sealed(path.stem, header))
        token_ids = get_strings(body, "token_ids", max_count=_MAX_GRANTS)
        return Waiting(upload=upload, header=header, token_ids=token_ids)

    def _sealed(self, name: str, header: SignedRecord) -> SealedUpdate:
        claimed = parse_object(header.body, what="upload")
        data = (self._uploads / name).read_bytes()
        shares = unpack_frames(data, count=self._holders, max_frame=self._max_share)
        return SealedUpdate(
            scheme=str(claimed.get("scheme")),
            context=str(claimed.get("context")),
            shares=tuple(shares),
        )

    def put(self, item: Waiting, sealed: SealedUpdate) -> None:
        """Store a checked upload, durably, then forget the client's earlier one."""
        name, previous = item.upload.hash, self._waiting.get(item.upload.client)
        body = {"header": item.header.to_json(), "token_ids": list(item.token_ids)}
        _write(self._uploads / name, pack_frames(list(sealed.shares)))
        _write(self._uploads / f"{name}.json", canonical(body))
        self._waiting[item.upload.client] = item
        if previous is not None and previous.upload.hash != name:
            (self._uploads / f"{previous.upload.hash}.json").unlink()
            (self._uploads / previous.upload.hash).unlink()

    @property
    def waiting(self) -> list[Waiting]:
        """All waiting uploads, without their sealed bytes."""
        return list(self._waiting.values())

    def read(self, hashes: Iterable[str]) -> Iterator[SealedUpdate]:
        """The sealed bytes of the named uploads, one at a time."""
        known = {item.upload.hash: item.header for item in self._waiting.values()}
        for name in hashes:
            yield self._sealed(name, known[name])

    @property
    def manifest(self) -> SignedRecord | None:
        """The round's manifest, if it was planned before."""
        return _record(self._folder / "manifest.json")

    def start(self, manifest: SignedRecord) -> None:
        """Write the manifest before anyone is asked."""
        _write(self._folder / "manifest.json", manifest.to_bytes())

    @property
    def commit(self) -> SignedRecord | None:
        """The signed list, if the round was committed."""
        return _record(self._folder / "commit.json")

    def committed(self, commit: SignedRecord) -> None:
        """Write the signed list."""
        _write(self._folder / "commit.json", commit.to_bytes())

    def total(self, *, scheme: str, context: str, count: int) -> SealedSum | None:
        """The sealed sum, if it was added before."""
        paths = [self._folder / f"sum-{k}" for k in range(1, self._holders + 1)]
        if not all(path.is_file() for path in paths):
            return None
        shares = tuple(path.read_bytes() for path in paths)
        return SealedSum(scheme=scheme, context=context, shares=shares, count=count)

    def added(self, total: SealedSum) -> None:
        """Write the sealed sum: key holders must be asked with the same bytes again."""
        for number, share in enumerate(total.shares, start=1):
            _write(self._folder / f"sum-{number}", share)

    def clear(self) -> None:
        """Remove everything: the release is published."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._waiting.clear()


def _record(path: Path) -> SignedRecord | None:
    if not path.is_file():
        return None
    try:
        return SignedRecord.from_bytes(path.read_bytes())
    except WireError as error:
        raise WireError(f"{path} is damaged; start a new run under another id.") from error


def _write(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
