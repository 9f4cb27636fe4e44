"""The list of the erased, beside the database: a restored backup does not roll it back.

An entry is an opaque id, when it was erased, and the tier: nothing else. It is on disk before the
erasure is committed, so that none can be lost. Where the commit then failed, a second entry takes
it back; only where the process died between the two is somebody listed who was not erased. She had
proved who she is and confirmed, so erasing her then is what she asked for.

There is one file a month, which is only ever appended to, and which goes as a whole when the last
backup that could bring back anybody in it is gone. Entries are written within a transaction that
holds the database's write lock, each by one write, so processes that share the folder don't mix
them up.
"""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from consent.retention import DAY_MS
from consent.service.context import Context
from consent.service.database import DatabaseLostError, after_commit
from consent.service.erasure.schemas import Tier
from crypto.durable import flush
from crypto.errors import InvalidInputError
from crypto.wire import canonical, get_int, get_str, parse_object

_TAKEN_BACK: Final = "none"
_LATEST: Final = 2**53
_FIELDS: Final = {"shopper", "time", "tier"}


@dataclass(frozen=True)
class Erased:
    """An entry: who was erased, when (Unix milliseconds), and in which tier.

    ``tier`` is ``records``, or ``exact`` where models are rebuilt too; None takes back an entry
    whose erasure was not committed.
    """

    shopper: str
    time: int
    tier: Tier | None

    def line(self) -> bytes:
        """As it stands in the file."""
        tier = _TAKEN_BACK if self.tier is None else self.tier.value
        return canonical({"shopper": self.shopper, "time": self.time, "tier": tier}) + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> "Erased":
        """Read a line.

        Raises:
            InvalidInputError: it is no entry.
        """
        value = parse_object(line, what="an entry")
        if value.keys() != _FIELDS:
            raise InvalidInputError(f"An entry has the fields {sorted(_FIELDS)}.")
        tier = get_str(value, "tier")
        if tier not in (_TAKEN_BACK, Tier.RECORDS, Tier.EXACT):
            raise InvalidInputError("An entry's tier is records, exact or none.")
        return cls(
            get_str(value, "shopper"),
            get_int(value, "time", low=0, high=_LATEST),
            None if tier == _TAKEN_BACK else Tier(tier),
        )


class ErasedList:
    """The list in one folder. ``durable``: wait for the disk, as for the database."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self._folder = folder
        self._durable = durable

    def add(self, entry: Erased) -> None:
        """Append an entry; call it within a writing transaction.

        Guarantee: once it returns, the entry is on disk.

        Raises:
            OSError: the folder can't be written to, or the disk is full; the entry may be there.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / f"{_month(entry.time)}.jsonl"
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(file).st_size
            cut_off = size > 0 and os.pread(file, 1, size - 1) != b"\n"
            line = b"\n" * cut_off + entry.line()
            if os.write(file, line) != len(line):
                os.ftruncate(file, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            if self._durable:
                os.fsync(file)
        finally:
            os.close(file)
        if self._durable and size == 0:
            for folder in (self._folder, self._folder.parent):
                flush(folder)

    @contextmanager
    def listing(self, entry: Erased) -> Iterator[None]:
        """Have an entry on the list before the block, and take it back if the block fails.

        After a commit whose outcome nobody knows it stays.
        """
        try:
            self.add(entry)
            yield
        except DatabaseLostError:
            raise
        except Exception:
            with suppress(OSError):  # it stays then, and she confirmed it
                self.add(replace(entry, tier=None))
            raise

    def read(self) -> dict[str, Erased]:
        """The last entry of everybody on the list, those that were taken back left out.

        Raises:
            InvalidInputError: a line that is whole is no entry: the list was damaged.
        """
        found: dict[str, Erased] = {}
        for path in self._files():
            found.update((entry.shopper, entry) for entry in _entries(path))
        return {shopper: entry for shopper, entry in found.items() if entry.tier is not None}

    def over(self, before: int) -> Mapping[Path, int]:
        """The files of months that ended before a time, and how many entries each has."""
        return {
            path: sum(1 for _ in _entries(path))
            for path in self._files()
            if _ended(path.stem) <= before
        }

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9][0-9][0-9][0-9]-[0-9][0-9].jsonl"))


def of(context: Context) -> ErasedList:
    """The list of a service."""
    return ErasedList(context.settings.erased, durable=context.settings.durable)


def purge(context: Context, session: Session, before: int, limit: int) -> int:  # noqa: ARG001
    """Remove what no backup can bring back any more, for retention, whole files at a time."""
    over = of(context).over(before - context.settings.rights.backup_days * DAY_MS)
    for path in over:
        after_commit(session, partial(path.unlink, missing_ok=True))
    return sum(over.values())


def _entries(path: Path) -> Iterator[Erased]:
    """The entries of a file. A line without its end was cut off, and its erasure not committed."""
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.endswith(b"}"):
            continue
        try:
            yield Erased.parse(line)
        except InvalidInputError as error:
            raise InvalidInputError(
                f"{path}, line {number}, is no entry of the list of the erased ({error}) Put the "
                "newest copy of this file in its place."
            ) from error


def _month(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m")


def _ended(month: str) -> int:
    """When a month ended, at the latest."""
    began = datetime.strptime(f"{month}-01", "%Y-%m-%d").replace(tzinfo=UTC)
    return int(began.timestamp() * 1000) + 31 * DAY_MS
