"""Writing an export: one zip whose files are written row by row and hashed on the way.

The archive lies in memory up to a bound and on the disk beyond; nothing of it is left behind.
"""

import csv
import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, Final, cast

from consent.rights.archive import MANIFEST, guarded
from consent.service.problems import Problem
from crypto.wire import b64

MAX_BYTES: Final = 512 * 1024 * 1024
_IN_MEMORY: Final = 4 * 1024 * 1024
_PIECE: Final = 64 * 1024
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)  # the same data gives the same bytes
Row = Mapping[str, Any]
Rows = Callable[[], Iterator[Row]]


class Archive:
    """A zip that is being written, with the hash and size of each file so far."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        self._file = file
        self._left = MAX_BYTES
        self.files: dict[str, tuple[str, int]] = {}

    def text(self, name: str, text: str) -> None:
        """Add a text."""
        self.add(name, text.encode())

    def add(self, name: str, data: bytes) -> None:
        """Add a file of these bytes."""
        with self._writing(name) as write:
            write(data)

    def rows(self, name: str, columns: Sequence[str], rows: Rows) -> None:
        """Add rows twice, as JSON and as CSV; they are read once for each."""
        with self._writing(f"{name}.json") as write:
            write(b"[")
            for number, row in enumerate(rows()):
                shown = {column: _plain(row[column]) for column in columns}
                text = json.dumps(shown, ensure_ascii=False)
                write(f"{',' if number else ''}\n {text}".encode())
            write(b"\n]\n")
        with self._writing(f"{name}.csv") as write:
            write(_csv_line(columns))
            for row in rows():
                write(_csv_line([_cell(row[column]) for column in columns]))

    def close(self, manifest: bytes) -> IO[bytes]:
        """Add the manifest, which is not in itself, and give the file from its start."""
        self.add(MANIFEST, manifest)
        self._zip.close()
        self._file.seek(0)
        return self._file

    def abandon(self) -> None:
        """Close what can't be finished; its file, in memory or on the disk, is gone with it."""
        self._zip.close()
        self._file.close()

    @contextmanager
    def _writing(self, name: str) -> Iterator[Callable[[bytes], None]]:
        state, size = hashlib.sha256(), 0
        entry = zipfile.ZipInfo(name, _EARLIEST)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = 0o600 << 16
        with self._zip.open(entry, "w") as target:

            def write(data: bytes) -> None:
                nonlocal size
                self._left -= len(data)
                if self._left < 0:
                    raise Problem(503, "This export is larger than one file may be; ask us for it.")
                target.write(data)
                state.update(data)
                size += len(data)

            yield write
        if name != MANIFEST:
            self.files[name] = (state.hexdigest(), size)


@contextmanager
def archive() -> Iterator[Archive]:
    """A new archive; its file is closed, and so gone, if it can't be finished."""
    file = cast("IO[bytes]", tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115
    made = Archive(file)
    try:
        yield made
    except BaseException:
        made.abandon()
        raise


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a finished archive, a piece at a time; its file is gone afterwards."""
    with file:
        while piece := file.read(_PIECE):
            yield piece


def _csv_line(cells: Iterable[object]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().encode()


def _cell(value: Any) -> object:
    """Numbers as they are, nothing as an empty cell, all else as guarded text."""
    plain = _plain(value)
    if isinstance(plain, bool):
        return str(plain).lower()
    return guarded(plain) if isinstance(plain, str) else plain


def _plain(value: Any) -> Any:
    return b64(value) if isinstance(value, bytes) else value
