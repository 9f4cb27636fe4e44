"""Tokens with which a store's till or an app reads this device's local API.

A token is shown once, when it is made; only its SHA-256 is kept (it carries 256 random bits, so a
plain hash is enough). It opens recommendations, explanations, the level of discovery, and what left
and stayed; never her purchases themselves, an export or forgetting.
"""

import hashlib
import hmac
import json
import secrets
from pathlib import Path
from typing import Final

from client.home import ClientHome
from crypto.errors import InvalidInputError
from crypto.secret_file import read_secret, write_secret
from crypto.wire import parse_object

MAX_TOKENS: Final = 20
_PREFIX: Final = "fcd_"
_FILE: Final = "app-tokens.json"
_MAX_NAME: Final = 64


def make_token(home: ClientHome, name: str) -> str:
    """Make a token for an app of this name; an earlier one of the same name ends.

    Raises:
        InvalidInputError: no name of 1 to 64 printable characters, or too many tokens.
    """
    if not 1 <= len(name) <= _MAX_NAME or not name.isprintable():
        raise InvalidInputError(f"A token's name has 1 to {_MAX_NAME} printable characters.")
    hashes = _load(home)
    if name not in hashes and len(hashes) >= MAX_TOKENS:
        raise InvalidInputError(
            f"There are {MAX_TOKENS} tokens already; end one: fedcart device token NAME --end."
        )
    token = f"{_PREFIX}{secrets.token_urlsafe(32)}"
    _save(home, {**hashes, name: _hashed(token)})
    return token


def end_token(home: ClientHome, name: str) -> bool:
    """End an app's token; whether there was one."""
    hashes = _load(home)
    found = hashes.pop(name, None) is not None
    if found:
        _save(home, hashes)
    return found


def end_all_tokens(home: ClientHome) -> None:
    """End every app's token."""
    _file(home).unlink(missing_ok=True)


def whose_token(home: ClientHome, token: str) -> str | None:
    """The name of the app that a token belongs to; None where it is no one's (any more)."""
    hashed = _hashed(token)
    owner = None
    for name, known in _load(home).items():  # every one is looked at: time says nothing
        if hmac.compare_digest(hashed, known):
            owner = name
    return owner


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _file(home: ClientHome) -> Path:
    return home.path / _FILE


def _load(home: ClientHome) -> dict[str, str]:
    if not _file(home).exists():
        return {}
    found = parse_object(read_secret(_file(home)), what=str(_file(home)))
    return {str(name): str(hashed) for name, hashed in found.items()}


def _save(home: ClientHome, hashes: dict[str, str]) -> None:
    draft = _file(home).with_name(f".{_FILE}.draft")
    draft.unlink(missing_ok=True)
    write_secret(draft, json.dumps(hashes, ensure_ascii=False).encode())
    draft.replace(_file(home))
