"""What one consent service is configured with, and the folder that keeps it.

A home folder holds four files: ``settings.json``, ``signing.key`` (Ed25519, PEM, 0600),
``coordinator.token`` (0600, for the operator to hand over) and ``consent.db``. The service itself
keeps only a hash of the coordinator's token.
"""

import os
import secrets
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from consent.service.tokens import token_hash
from crypto.errors import InvalidInputError
from crypto.grant import MAX_LIFETIME_S
from crypto.wire import b64, canonical, get_int, get_str, parse_object, public_bytes

MAX_BODY_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The configuration of one consent service.

    Attributes:
        database: path of the SQLite file, or an SQLAlchemy URL.
        signing_key: path of the Ed25519 key that signs grants and commits; readable by its owner
            alone.
        issuer: the name that grants carry.
        coordinator_token_hash: hex SHA-256 of the coordinator's bearer token.
        grant_lifetime_s: seconds a grant lives, 1 to 600.
        durable: wait for the disk before a change is acknowledged. Only simulations may say
            False: after a power failure a withdrawal that was acknowledged could be gone.
        max_body_bytes: largest request body that is read.
        clock: Unix seconds; tests and simulations pass their own.
        entropy: n random bytes for ids, pseudonyms and tokens; only simulations that must repeat
            exactly pass their own.
    """

    database: Path | str
    signing_key: Path
    issuer: str
    coordinator_token_hash: str = field(repr=False)
    grant_lifetime_s: int = MAX_LIFETIME_S
    durable: bool = True
    max_body_bytes: int = MAX_BODY_BYTES
    clock: Callable[[], float] = time.time
    entropy: Callable[[int], bytes] = secrets.token_bytes

    def __post_init__(self) -> None:
        if not 1 <= self.grant_lifetime_s <= MAX_LIFETIME_S:
            raise InvalidInputError(
                f"Expected grant_lifetime_s={self.grant_lifetime_s} within 1..{MAX_LIFETIME_S}."
            )
        if not self.issuer:
            raise InvalidInputError("A consent service has an issuer name; pass --issuer.")

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the database."""
        if isinstance(self.database, Path):
            return f"sqlite:///{self.database}"
        return self.database

    def load_key(self) -> Ed25519PrivateKey:
        """Read the signing key.

        Raises:
            InvalidInputError: missing, readable by others, or not an Ed25519 key.
        """
        try:
            mode = self.signing_key.stat().st_mode
            if stat.S_IMODE(mode) & 0o077:
                raise InvalidInputError(
                    f"{self.signing_key} can be read by others; run chmod 600 on it."
                )
            key = load_pem_private_key(self.signing_key.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise InvalidInputError(f"No usable signing key at {self.signing_key}.") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise InvalidInputError(f"{self.signing_key} holds no Ed25519 key.")
        return key

    @classmethod
    def load(cls, home: Path) -> Self:
        """Read the settings of a home folder that ``create_home`` made.

        Raises:
            InvalidInputError: there are none, or a field is missing, unknown or out of bounds.
        """
        path = home / "settings.json"
        try:
            value = parse_object(path.read_bytes(), what=str(path))
        except OSError as error:
            raise InvalidInputError(
                f"No consent service at {home}; run fedcart consent init --home {home} first."
            ) from error
        if value.keys() != {"issuer", "coordinator_token_hash", "grant_lifetime_s"}:
            raise InvalidInputError(f"{path} has missing or unknown fields.")
        return cls(
            database=home / "consent.db",
            signing_key=home / "signing.key",
            issuer=get_str(value, "issuer"),
            coordinator_token_hash=get_str(value, "coordinator_token_hash"),
            grant_lifetime_s=get_int(value, "grant_lifetime_s", low=1, high=MAX_LIFETIME_S),
        )


@dataclass(frozen=True, kw_only=True)
class Home:
    """What ``create_home`` made; the public key is what devices and key holders pin."""

    path: Path
    issuer: str
    public_key: str

    @property
    def coordinator_token(self) -> Path:
        """The file that holds the coordinator's bearer token."""
        return self.path / "coordinator.token"


def create_home(home: Path, *, issuer: str, grant_lifetime_s: int = MAX_LIFETIME_S) -> Home:
    """Create the key, the coordinator's token and the settings of a new consent service.

    Guarantee: all files are readable by their owner alone and nothing that exists is overwritten.

    Raises:
        InvalidInputError: the folder already holds a consent service, or a setting is refused.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    key, token = Ed25519PrivateKey.generate(), secrets.token_urlsafe(32)
    settings = Settings(
        database=home / "consent.db",
        signing_key=home / "signing.key",
        issuer=issuer,
        coordinator_token_hash=token_hash(token),
        grant_lifetime_s=grant_lifetime_s,
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write_secret(settings.signing_key, pem)
    _write_secret(home / "coordinator.token", token.encode())
    public = {
        "issuer": issuer,
        "coordinator_token_hash": settings.coordinator_token_hash,
        "grant_lifetime_s": grant_lifetime_s,
    }
    _write_secret(home / "settings.json", canonical(public))
    _write_secret(home / "consent.db", b"")  # SQLite's own files beside it copy its permissions
    return Home(path=home, issuer=issuer, public_key=b64(public_bytes(key.public_key())))


def _write_secret(path: Path, data: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise InvalidInputError(
            f"{path} exists; a consent service's keys are never overwritten."
        ) from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
