"""Erasing at a client: purchases, the copies of them that it made, and what it computed from them.

Best effort: what a file system, a solid-state disk or somebody's backup has kept is out of reach.
"""

import shutil
from pathlib import Path

from client.breadth import breadth_files
from client.events import EventStore
from client.home import ClientHome
from client.personal_export import exports_of
from client.statements import statement_files


def erase_purchases(home: ClientHome) -> int:
    """Overwrite and delete the purchases of a device; how many lines there were.

    What an import that was cut off has left goes too, and what was sealed for open rounds.
    """
    if home.outbox.exists():
        shutil.rmtree(home.outbox)
    for draft in home.path.glob(f".{home.events.name}.draft*"):
        draft.unlink(missing_ok=True)
    if not home.events.exists():
        return 0
    with EventStore.open(home.events) as store:
        lines = store.forget(home.shopper)
    home.events.unlink()
    return lines


def copies_of(home: ClientHome, identifier: str) -> list[Path]:
    """Her files beside her purchases: exports, what was derived, what she stated or set."""
    files = (exports_of, derived_files, statement_files, breadth_files)
    return [path for found in files for path in found(home, identifier)]


def derived_files(home: ClientHome, identifier: str) -> list[Path]:
    """The files that a client computed from a shopper's purchases and kept."""
    return [path for path in (home.derived / identifier).rglob("*") if not path.is_dir()]
