"""Her slider for discovery, kept on this device: how much that is new to her she wants to see.

It is a wish, not consent: it steers lists that she already agreed to, never leaves the device, and
is exported and erased with everything else of hers.
"""

import json
import secrets
from pathlib import Path

from client.home import ClientHome
from client.recommender.openness import Breadth
from crypto.errors import InvalidInputError
from crypto.secret_file import read_secret, write_secret
from crypto.wire import get_str, parse_object


def read_breadth(home: ClientHome, identifier: str) -> Breadth:
    """The slider of the shopper of this id; ``AS_I_SHOP`` where she never touched it.

    Raises:
        InvalidInputError: the file is damaged.
    """
    path = _path(home, identifier)
    if not path.exists():
        return Breadth.AS_I_SHOP
    return breadth_named(get_str(parse_object(read_secret(path), what=str(path)), "breadth"))


def set_breadth(home: ClientHome, identifier: str, breadth: Breadth) -> None:
    """Move her slider."""
    path = _path(home, identifier)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    # A name of its own: a page and an app may move it at once, and the later one stays.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.draft")
    write_secret(draft, json.dumps({"breadth": breadth}).encode())
    draft.replace(path)


def breadth_files(home: ClientHome, identifier: str) -> list[Path]:
    """The file with a shopper's slider, and what a write that was cut off has left."""
    path = _path(home, identifier)
    return [*path.parent.glob(path.name), *path.parent.glob(f".{path.name}*.draft")]


def breadth_named(name: str) -> Breadth:
    """The slider's place of a name.

    Raises:
        InvalidInputError: there is none; the message lists those there are.
    """
    try:
        return Breadth(name)
    except ValueError:
        raise InvalidInputError(
            f"The slider has no place {name!r}; there are {', '.join(Breadth)}."
        ) from None


def _path(home: ClientHome, identifier: str) -> Path:
    return home.path / "breadth" / f"{identifier}.json"
