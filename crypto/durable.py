"""Waiting for the disk: what was acknowledged outlives a crash of the machine."""

import os
from pathlib import Path


def flush(path: Path) -> None:
    """Wait until the disk has a file, or a folder's list of names.

    A renamed or new file is there after a crash only once its folder was flushed too.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
