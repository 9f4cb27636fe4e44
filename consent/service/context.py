"""What every endpoint works with: settings, database and signing key of one service."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from fastapi import Depends, Request

from consent.service.accounts.passwords import Passwords
from consent.service.database import Database
from consent.service.metrics.registry import Metrics
from consent.service.oidc.providers import Providers
from consent.service.settings import Settings
from crypto.wire import b64


@dataclass(frozen=True, kw_only=True)
class Context:
    """One service's settings, database and key; made once by ``create_app``."""

    settings: Settings
    database: Database
    key: Ed25519PrivateKey
    passwords: Passwords = field(default_factory=Passwords)
    providers: Providers = field(default_factory=Providers)
    metrics: Metrics = field(default_factory=Metrics)

    def now(self) -> float:
        """Unix seconds."""
        return self.settings.clock()

    def now_ms(self) -> int:
        """Unix milliseconds."""
        return int(self.settings.clock() * 1000)

    def new_id(self) -> str:
        """A fresh opaque id of 128 random bits, in hex."""
        return self.settings.entropy(16).hex()

    def derived_key(self, use: str, *, salt: bytes | None = None) -> bytes:
        """32 bytes for one use, derived of the signing key, so no database holds them."""
        derive = HKDF(algorithm=SHA256(), length=32, salt=salt, info=f"fedcart {use}".encode())
        return derive.derive(self.key.private_bytes_raw())

    def new_token(self) -> str:
        """A fresh bearer token of 256 random bits."""
        return b64(self.settings.entropy(32))


@contextmanager
def opened(settings: Settings) -> Iterator[Context]:
    """A context for one command, closed at its end.

    Raises:
        InvalidInputError: the key or the database can't be used.
    """
    database = Database(settings.url, durable=settings.durable)
    try:
        yield Context(settings=settings, database=database, key=settings.load_key())
    finally:
        database.close()


async def _context(request: Request) -> Context:
    return cast("Context", request.app.state.context)


ContextDep = Annotated[Context, Depends(_context)]
