"""Files that only their owner may read: keys, tokens, settings that name a shopper.

Every party writes its secrets through here, so that one rule holds everywhere: mode 0600 from the
first byte, on disk before anyone is told, never overwritten, and not read if others could.
"""

import os
import stat
from pathlib import Path

from crypto.errors import InvalidInputError


def write_secret(path: Path, data: bytes) -> None:
    """Write a new file of mode 0600 and wait for the disk.

    Raises:
        InvalidInputError: the file exists; secrets are never overwritten.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise InvalidInputError(
            f"{path} exists; keys and tokens are never overwritten. Choose another folder."
        ) from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def read_secret(path: Path) -> bytes:
    """Read a file that only its owner may read.

    Raises:
        InvalidInputError: it is missing, or others may read or write it.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise InvalidInputError(
                f"{path} has mode {mode:o}, so others may read it; expected 600. If it was "
                "exposed, make a new one, else: chmod 600."
            )
        return path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{path} can't be read: {error.strerror}.") from error
