"""Backups, and retiring an identity.

A backup holds settings, identity and logs, and nothing of an open round, nor the opening key of
share sum: whoever finds one can open nothing that was sealed. A home that is restored from it acts
only if its peers have seen no later vote (``crypto.keyholder.recovery``).
"""

import fcntl
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from crypto.durable import flush
from crypto.errors import InvalidInputError, RoundError
from crypto.holder_card import HolderCard
from crypto.keyholder.home import (
    IDENTITY_FILE,
    LOG_FILE,
    OPENING_FILE,
    REGISTER_FILE,
    ROUNDS_FOLDER,
    SETTINGS_FILE,
    read_settings,
    write_keys,
)
from crypto.keyholder.log.store import copy_database
from crypto.keyholder.noise_history import erase_noise
from crypto.keyholder.peers import CARD_FILE, PEERS_FILE, read_card
from crypto.keyholder.round_files import erase_file, folders

_LOCK: Final = "serve.lock"
_OLD: Final = "old"
_NEW, _RETIRED = ".new", ".retired"
_LOGS: Final = (LOG_FILE, REGISTER_FILE)
_PLAIN: Final = (SETTINGS_FILE, CARD_FILE, PEERS_FILE, IDENTITY_FILE)


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold a home for one process alone: serving and rotating exclude each other.

    Raises:
        RoundError: another process holds it.
    """
    with (home / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RoundError(f"Another process works in {home}; stop it first.") from error
        yield


def backup(home: Path, target: Path) -> None:
    """Write a backup (a tar file of mode 0600); the key holder may serve meanwhile.

    Raises:
        InvalidInputError: ``target`` exists, or there is no key holder.
    """
    read_settings(home)
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise InvalidInputError(f"{target} exists; name a new file for the backup.") from error
    with (
        os.fdopen(descriptor, "wb") as file,
        tempfile.TemporaryDirectory(dir=home) as folder,
        tarfile.open(fileobj=file, mode="w") as tar,
    ):
        for copy in _copy_logs(home, Path(folder)):
            tar.add(copy, arcname=copy.name)
        for name in _PLAIN:
            if (home / name).exists():
                tar.add(home / name, arcname=name)
    flush(target)


def rotate(home: Path) -> HolderCard:
    """Retire a key holder's identity and opening key and make new ones; returns the new card.

    The old card and a copy of the logs go to ``old/``; the old secret keys and the noise of runs
    are erased; open rounds are lost, and runs whose noise cancels over rounds can't go on. The log
    itself does: what was charged stays charged, and a round that was accepted
    is not accepted again. After a crash, rotate again.

    Raises:
        RoundError: a process serves this home.
        InvalidInputError: there is no key holder.
    """
    number, _pins = read_settings(home)
    with only_one(home):
        _archive(home)
        erase_noise(home)
        for files in folders(home / ROUNDS_FOLDER):
            files.erase_secret()
            files.erase_folder()
        for name in (IDENTITY_FILE, OPENING_FILE, CARD_FILE):
            (home / f"{name}{_NEW}").unlink(missing_ok=True)
        write_keys(home, number, suffix=_NEW)
        # A crash from here on leaves a card that is not the identity's: nothing loads it, and
        # rotating again makes both anew.
        for name in (IDENTITY_FILE, OPENING_FILE):
            if (home / name).exists():
                (home / name).replace(home / f"{name}{_RETIRED}")
        for name in (IDENTITY_FILE, OPENING_FILE, CARD_FILE):
            (home / f"{name}{_NEW}").replace(home / name)
        flush(home)
        for name in (IDENTITY_FILE, OPENING_FILE):
            erase_file(home / f"{name}{_RETIRED}")
    return read_card(home)


def _archive(home: Path) -> None:
    """Copy what tells of the old identity; numbered, because it may be retired more than once."""
    root = home / _OLD
    root.mkdir(mode=0o700, exist_ok=True)
    folder = root / f"{len(list(root.iterdir())) + 1:04d}"
    folder.mkdir(mode=0o700)
    for copy in _copy_logs(home, folder):
        flush(copy)
    if (home / CARD_FILE).exists():
        (folder / CARD_FILE).write_bytes((home / CARD_FILE).read_bytes())
        flush(folder / CARD_FILE)
    for path in (folder, root, home):
        flush(path)


def _copy_logs(home: Path, folder: Path) -> list[Path]:
    copies = []
    for name in _LOGS:
        if (home / name).exists():
            copy_database(home / name, folder / name)
            copies.append(folder / name)
    return copies
