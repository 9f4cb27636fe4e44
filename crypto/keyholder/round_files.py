"""The files of an open round: its secret, the envelopes as received, the own entry's bytes.

Everything here lives only while the round does. The envelopes and the own entry are sealed to
round keys, so once the secret is erased they are noise to everybody; they go with it all the same.
Erasing overwrites the secret before it unlinks it. That is a best effort: a journalling file
system, a copy-on-write volume or a worn flash cell may keep an old copy (docs/key-holders.md).
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from crypto.durable import flush
from crypto.errors import RoundError
from crypto.secret_file import read_secret, write_secret
from crypto.sums.pieces.open import RoundSecret

_SECRET: Final = "secret.key"  # noqa: S105 - a file name
_ENVELOPES: Final = "envelopes"
_ENTRY: Final = "entry"


class RoundFiles:
    """The folder of one round. ``path`` ends in the hash of the round key."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write_secret(self, secret: RoundSecret) -> None:
        """Write the round's secret (0600) and wait for the disk."""
        self.path.mkdir(mode=0o700, parents=True)
        write_secret(self.path / _SECRET, secret.to_bytes())
        flush(self.path)
        flush(self.path.parent)

    def read_secret(self) -> RoundSecret:
        """The round's secret.

        Raises:
            RoundError: it is not there: a backup holds none.
        """
        if not (self.path / _SECRET).is_file():
            raise RoundError(
                "The secret of this round is not here (a restored home has none); the round can't "
                "go on. Plan a new one."
            )
        return RoundSecret.from_bytes(read_secret(self.path / _SECRET))

    def append_envelopes(self, envelopes: Sequence[bytes], *, at: int) -> None:
        """Write envelopes from position ``at`` on and wait for the disk.

        What lies beyond ``at`` was never acknowledged (a crash left it) and is cut off.
        """
        path = self.path / _ENVELOPES
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            file.truncate(at)
            file.seek(at)
            file.writelines(envelopes)
            file.flush()
            os.fsync(file.fileno())
        if at == 0:
            flush(self.path)

    @contextmanager
    def envelopes(self) -> Iterator["EnvelopeReader"]:
        """The stored envelopes, to be read by position."""
        with (self.path / _ENVELOPES).open("rb") as file:
            yield EnvelopeReader(file)

    def write_entry(self, data: bytes) -> None:
        """Write the own entry's sealed bytes; an older draft that nobody saw is replaced."""
        path = self.path / _ENTRY
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        flush(self.path)

    def read_entry(self) -> bytes:
        """The own entry's sealed bytes.

        Raises:
            RoundError: they are not there any more.
        """
        try:
            return (self.path / _ENTRY).read_bytes()
        except OSError as error:
            raise RoundError("The own entry of this round is not here; plan a new one.") from error

    def erase_secret(self) -> None:
        """Overwrite and unlink the secret; done before anything else of the round goes."""
        erase_file(self.path / _SECRET)

    def erase_folder(self) -> None:
        """Unlink all that is left of the round."""
        if not self.path.exists():
            return
        for path in self.path.iterdir():
            path.unlink()
        self.path.rmdir()
        flush(self.path.parent)


def erase_file(path: Path) -> None:
    """Overwrite a file and unlink it; nothing happens where it is gone."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    flush(path.parent)


class EnvelopeReader:
    """Reads envelopes by position."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def at(self, start: int, length: int) -> bytes:
        """``length`` bytes from ``start``.

        Raises:
            RoundError: the file is shorter.
        """
        self._file.seek(start)
        data = self._file.read(length)
        if len(data) != length:
            raise RoundError("The stored envelopes of this round are damaged; plan a new one.")
        return data


def folders(root: Path) -> list[RoundFiles]:
    """Every round's folder under ``root``."""
    found = sorted(root.iterdir()) if root.is_dir() else []
    return [RoundFiles(path) for path in found if path.is_dir()]
