"""The journal of a round: everything on disk that a crash must not lose.

    key-request.json     how the key holders were asked for their keys (not in share sum)
    round-keys           their signed keys of this round (not in share sum)
    manifest.json        the round as it was planned
    accepts              the key holders' accepts of it (not in share sum)
    uploads/HASH         sealed body and shares, waiting for the commit
    uploads/HASH.json    the signed header, its grants and their ids
    commit.json          the frozen list, signed by the consent service
    list.json            the list that key holders vote on (not in share sum)
    votes                their votes for it: from here on two of them are enough
    sum-0 ... sum-3      the sealed sum: body, and what each key holder is asked to open

Nothing is added before the commit says which uploads stand, so uploads wait on disk, where a
cohort of any size needs memory for one at a time. A coordinator that starts again with the same
run continues from here: it asks only clients whose upload it does not have, commits the same list,
and sends key holders the same bytes, which they answer as before. The folder goes when the
release is published.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crypto.durable import flush
from crypto.errors import WireError
from crypto.grant_list import MAX_GRANTS
from crypto.sums.schemes import HOLDERS
from crypto.update import SealedSum, SealedUpdate
from crypto.upload import Role, Upload
from crypto.wire import (
    SignedRecord,
    b64,
    canonical,
    get_strings,
    pack_frames,
    parse_object,
    unb64,
    unpack_frames,
)
from server.exchange import sealed_of

_MAX_RECORD = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A checked header with its packed grants and their ids; a key holder's entry has none."""

    upload: Upload
    header: SignedRecord
    grants: bytes
    token_ids: tuple[str, ...]


class Journal:
    """The journal of one round; a later upload of a client replaces its earlier one.

    Args:
        folder: this round's own.
        max_part: the length in bytes that a body or a share has at most.
    """

    def __init__(self, folder: Path, *, max_part: int) -> None:
        self._folder, self._max_part = folder, max_part
        self._uploads = folder / "uploads"
        self._uploads.mkdir(parents=True, exist_ok=True)
        for place in (folder, *folder.parents[:3]):  # rounds/TASK/ROUND, by name
            flush(place)
        self._waiting: dict[str, Waiting] = {}
        for path in sorted(self._uploads.glob("*.json"), key=lambda p: p.stat().st_mtime_ns):
            item = self._load(path)
            self._waiting[item.upload.client] = item

    def _load(self, path: Path) -> Waiting:
        body = parse_object(path.read_bytes(), what=str(path))
        header = SignedRecord.from_json(body.get("header"))
        upload = Upload.parse(header)
        upload.check_sealed(self._sealed(path.stem, header))
        grants = unb64(str(body.get("grants")), what=str(path))
        token_ids = get_strings(body, "token_ids", max_count=MAX_GRANTS)
        return Waiting(upload=upload, header=header, grants=grants, token_ids=token_ids)

    def _sealed(self, name: str, header: SignedRecord) -> SealedUpdate:
        data = (self._uploads / name).read_bytes()
        body, *shares = unpack_frames(data, count=1 + HOLDERS, max_frame=self._max_part)
        return sealed_of(header, tuple(shares), body)

    def put(self, item: Waiting, sealed: SealedUpdate) -> None:
        """Store a checked upload, durably, then forget the sender's earlier one."""
        name, previous = item.upload.hash, self._waiting.get(item.upload.client)
        body = {
            "header": item.header.to_json(),
            "grants": b64(item.grants),
            "token_ids": list(item.token_ids),
        }
        write_durably(self._uploads / name, pack_frames([sealed.body, *sealed.shares]))
        write_durably(self._uploads / f"{name}.json", canonical(body))
        self._waiting[item.upload.client] = item
        if previous is not None and previous.upload.hash != name:
            self._remove(previous.upload.hash)

    def drop(self, upload: Upload) -> None:
        """Forget an upload that a key holder left out."""
        self._remove(upload.hash)
        del self._waiting[upload.client]

    def _remove(self, name: str) -> None:
        (self._uploads / f"{name}.json").unlink()
        (self._uploads / name).unlink()

    @property
    def waiting(self) -> list[Waiting]:
        """All waiting uploads of clients, without their sealed bytes."""
        return [item for item in self._waiting.values() if item.upload.role is Role.CLIENT]

    @property
    def entries(self) -> list[Waiting]:
        """The key holders' noise entries that are here."""
        return [item for item in self._waiting.values() if item.upload.role is Role.KEY_HOLDER]

    def share(self, item: Waiting, holder: int) -> bytes:
        """One key holder's (1..3) share of a waiting upload."""
        return self._sealed(item.upload.hash, item.header).shares[holder - 1]

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
        write_durably(self._folder / "manifest.json", manifest.to_bytes())

    @property
    def key_request(self) -> SignedRecord | None:
        """The request for round keys, if it was made before."""
        return _record(self._folder / "key-request.json")

    def asked(self, request: SignedRecord) -> None:
        """Write the request before any key holder gets it: it answers no other for this round."""
        write_durably(self._folder / "key-request.json", request.to_bytes())

    @property
    def round_keys(self) -> tuple[SignedRecord, ...]:
        """The key holders' signed keys of this round, none if they were not written yet."""
        return _records(self._folder / "round-keys")

    def keyed(self, round_keys: Sequence[SignedRecord]) -> None:
        """Write the round keys before a manifest names them."""
        write_durably(self._folder / "round-keys", _framed(round_keys))

    @property
    def accepts(self) -> tuple[SignedRecord, ...]:
        """The key holders' accepts, none if they were not written yet."""
        return _records(self._folder / "accepts")

    def accepted(self, accepts: Sequence[SignedRecord]) -> None:
        """Write the accepts before a client is asked."""
        write_durably(self._folder / "accepts", _framed(accepts))

    @property
    def upload_list(self) -> SignedRecord | None:
        """The list that was proposed to the key holders."""
        return _record(self._folder / "list.json")

    def proposed(self, upload_list: SignedRecord) -> None:
        """Write the list before any key holder votes on it."""
        write_durably(self._folder / "list.json", upload_list.to_bytes())

    @property
    def votes(self) -> tuple[SignedRecord, ...]:
        """The key holders' votes for the list, none if they were not written yet."""
        return _records(self._folder / "votes")

    def voted(self, votes: Sequence[SignedRecord]) -> None:
        """Write the votes: they never change, so no key holder is needed for them again."""
        write_durably(self._folder / "votes", _framed(votes))

    @property
    def commit(self) -> SignedRecord | None:
        """The signed list, if the round was committed."""
        return _record(self._folder / "commit.json")

    def committed(self, commit: SignedRecord) -> None:
        """Write the signed list."""
        write_durably(self._folder / "commit.json", commit.to_bytes())

    def total(self, *, scheme: str, context: str, count: int) -> SealedSum | None:
        """The sealed sum, if it was added before."""
        body = self._folder / "sum-0"
        if not body.is_file():
            return None
        paths = [self._folder / f"sum-{k}" for k in range(1, HOLDERS + 1)]
        return SealedSum(
            scheme=scheme,
            context=context,
            shares=tuple(path.read_bytes() for path in paths if path.is_file()),
            count=count,
            body=body.read_bytes(),
        )

    def added(self, total: SealedSum) -> None:
        """Write the sealed sum: key holders must be asked with the same bytes again."""
        for number, share in enumerate(total.shares, start=1):
            write_durably(self._folder / f"sum-{number}", share)
        write_durably(self._folder / "sum-0", total.body)  # last: it says that all are there

    def clear(self) -> None:
        """Remove everything: the release is published."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._waiting.clear()


def _record(path: Path) -> SignedRecord | None:
    if not path.is_file():
        return None
    with _undamaged(path):
        return SignedRecord.from_bytes(path.read_bytes())


def _framed(records: Sequence[SignedRecord]) -> bytes:
    return pack_frames([record.to_bytes() for record in records])


def _records(path: Path) -> tuple[SignedRecord, ...]:
    if not path.is_file():
        return ()
    with _undamaged(path):
        frames = unpack_frames(path.read_bytes(), count=HOLDERS, max_frame=_MAX_RECORD)
        return tuple(SignedRecord.from_bytes(frame) for frame in frames)


@contextmanager
def _undamaged(path: Path) -> Iterator[None]:
    try:
        yield
    except WireError as error:
        raise WireError(f"{path} is damaged; start a new run under another id.") from error


def write_durably(path: Path, data: bytes) -> None:
    """Write a file whole, let it take the place of an earlier one, and wait for the disk."""
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    flush(path.parent)  # its name, too
