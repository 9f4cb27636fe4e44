"""Directories that appear whole or not at all."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crypto.durable import flush
from crypto.errors import InvalidInputError


def check_target(directory: Path, *, force: bool, owned: frozenset[str]) -> None:
    """Refuse a directory that may not be written.

    Args:
        directory: to be written.
        force: replace one that is not empty.
        owned: the names that a replaceable directory holds; another's files are never removed.

    Raises:
        InvalidInputError: a file is in the way, the directory is not empty and ``force`` is not
            given, or it holds anything but ``owned``.
    """
    if not directory.exists():
        return
    if not directory.is_dir():
        raise InvalidInputError(f"{directory} is a file; name a directory.")
    names = {entry.name for entry in directory.iterdir()}
    if names and names != owned:
        raise InvalidInputError(
            f"{directory} holds files that are not a fedcart data set; name another directory."
        )
    if names and not force:
        raise InvalidInputError(
            f"{directory} holds a data set already: name another directory, or give --force to "
            "replace it."
        )


@contextmanager
def new_directory(directory: Path, *, force: bool, owned: frozenset[str]) -> Iterator[Path]:
    """Fill a temporary sibling; it takes the place of ``directory`` when the block ends well.

    Guarantee: a reader of ``directory`` sees all of the old content or all of the new, or, for the
    instant between two renames when one replaces the other, no directory; never a mixture. When
    the block fails, everything is as before. Only the owner may look inside (mode 0700).

    Raises:
        InvalidInputError: as ``check_target``.
        OSError: the disk refused.
    """
    directory = directory.resolve()
    check_target(directory, force=force, owned=owned)
    directory.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{directory.name}."
    temporary = Path(tempfile.mkdtemp(prefix=prefix, suffix=".part", dir=directory.parent))
    try:
        yield temporary
        for entry in temporary.iterdir():
            flush(entry)
        check_target(directory, force=force, owned=owned)
        _place(temporary, directory)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _place(temporary: Path, directory: Path) -> None:
    """Rename into place; an old directory steps aside first and returns if that fails."""
    aside = temporary.with_suffix(".old")
    if directory.exists():
        directory.rename(aside)
    try:
        temporary.rename(directory)
    except OSError:
        if aside.exists():
            aside.rename(directory)
        raise
    flush(directory.parent)
    shutil.rmtree(aside, ignore_errors=True)
