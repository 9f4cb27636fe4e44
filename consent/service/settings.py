"""What one consent service is configured with, and the folder that keeps it.

A home folder holds four files: ``settings.json``, ``signing.key`` (Ed25519, PEM, 0600),
``coordinator.token`` (0600, for the operator to hand over) and ``consent.db``, which is missing
where ``settings.json`` names a PostgreSQL database. After the first erasure there is a folder
``erased`` too, with the list of whom to erase again after a restore. The service itself keeps only
a hash of the coordinator's token.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from consent.identity_provider import IdentityProvider, providers_from_json, refuse_repeats
from consent.incentive import SHIPPED_TEXTS, Incentive
from consent.notice import SHIPPED
from consent.origin import Origin
from consent.receipt import NOBODY_STATED, Controller
from consent.retention import Retention
from consent.rights.terms import RightsTerms
from consent.service.accounts.lifetimes import Lifetimes
from consent.service.backends import check_url
from consent.service.quotas import Quotas
from consent.service.tokens import token_hash
from crypto.errors import InvalidInputError
from crypto.grant import MAX_LIFETIME_S
from crypto.secret_file import read_secret, write_secret
from crypto.wire import (
    b64,
    canonical,
    get_int,
    get_str,
    parse_object,
    parse_public_key,
    public_bytes,
)

MAX_BODY_BYTES: Final = 16 * 1024 * 1024
VALIDITY_DAYS: Final = 396  # 13 months
MAX_VALIDITY_DAYS: Final = 1827  # five years
MAX_PROXIES: Final = 8
MAX_PORTS: Final = 16
_OPTIONAL: Final = {
    "rights",
    "database",
    "validity_days",
    "controller",
    "coordinator_key",
    "incentive",
    "sessions",
    "public_url",
    "oidc",
    "quotas",
    "trusted_proxies",
    "retention",
    "webhook_ports",
    "webhooks_allow_loopback",
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The configuration of one consent service.

    Attributes:
        database: path of the SQLite file, or ``postgresql+psycopg://USER@HOST/DATABASE``. It may
            hold a password and is never shown.
        signing_key: path of the Ed25519 key that signs grants and commits; readable by its owner
            alone.
        issuer: the name that grants carry.
        coordinator_token_hash: hex SHA-256 of the coordinator's bearer token.
        grant_lifetime_s: seconds a grant lives, 1 to 600.
        validity_days: days until consent that was given expires, 1 to 1827.
        controller: who is responsible for the data, as receipts name her.
        notices: folders of the notice versions that can be published.
        coordinator_key: the key that signs manifests; without it no task policy is taken.
        incentive: the terms of value sharing.
        incentive_texts: the folder of the financial-incentive notice.
        rights: whose days the clocks of requests count, and how long backups are kept.
        sessions: how long a login lasts.
        public_url: where visitors find this service; passkeys and sign-in through a retailer need
            it. Without it only ``localhost`` will do, for a demo.
        oidc: the identity providers that shoppers may sign in through.
        quotas: how often a caller may try what is worth guessing.
        trusted_proxies: how many proxies of the operator's own stand before the service, each of
            which appends to ``X-Forwarded-For``; 0 to 8.
        retention: how long what is kept, where that is not the default.
        webhook_ports: ports beside 443 and 8443 that webhooks may go to.
        webhooks_allow_loopback: webhooks may also go to this machine, without TLS; for tests and
            the demo.
        background_jobs: deliver webhooks, run the retention schedule and count figures while
            serving.
        durable: wait for the disk before a change is acknowledged. Only simulations may say
            False: after a power failure a withdrawal that was acknowledged could be gone.
        max_body_bytes: largest request body that is read.
        clock: Unix seconds; tests and simulations pass their own.
        entropy: n random bytes for ids, pseudonyms and tokens; only simulations that must repeat
            exactly pass their own.
    """

    database: Path | str = field(repr=False)
    signing_key: Path
    issuer: str
    coordinator_token_hash: str = field(repr=False)
    grant_lifetime_s: int = MAX_LIFETIME_S
    validity_days: int = VALIDITY_DAYS
    controller: Controller = NOBODY_STATED
    notices: tuple[Path, ...] = (SHIPPED,)
    coordinator_key: Ed25519PublicKey | None = None
    incentive: Incentive = field(default_factory=Incentive)
    incentive_texts: Path = SHIPPED_TEXTS
    rights: RightsTerms = field(default_factory=RightsTerms)
    sessions: Lifetimes = field(default_factory=Lifetimes)
    public_url: Origin | None = None
    oidc: tuple[IdentityProvider, ...] = ()
    quotas: Quotas = field(default_factory=Quotas)
    trusted_proxies: int = 0
    retention: Retention = field(default_factory=Retention)
    webhook_ports: tuple[int, ...] = ()
    webhooks_allow_loopback: bool = False
    background_jobs: bool = False
    durable: bool = True
    max_body_bytes: int = MAX_BODY_BYTES
    clock: Callable[[], float] = time.time
    entropy: Callable[[int], bytes] = secrets.token_bytes

    def __post_init__(self) -> None:
        if not 1 <= self.grant_lifetime_s <= MAX_LIFETIME_S:
            raise InvalidInputError(
                f"Expected grant_lifetime_s={self.grant_lifetime_s} within 1..{MAX_LIFETIME_S}."
            )
        if not 1 <= self.validity_days <= MAX_VALIDITY_DAYS:
            raise InvalidInputError(
                f"Expected validity_days={self.validity_days} within 1..{MAX_VALIDITY_DAYS}."
            )
        if not 0 <= self.trusted_proxies <= MAX_PROXIES:
            raise InvalidInputError(
                f"Expected trusted_proxies={self.trusted_proxies} within 0..{MAX_PROXIES}."
            )
        if not self.issuer:
            raise InvalidInputError("A consent service has an issuer name; pass --issuer.")

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the database."""
        if isinstance(self.database, Path):
            return f"sqlite:///{self.database}"
        return self.database

    @property
    def erased(self) -> Path:
        """The folder of the list of the erased, in the home and never in the database."""
        return self.signing_key.parent / "erased"

    def load_key(self) -> Ed25519PrivateKey:
        """Read the signing key.

        Raises:
            InvalidInputError: missing, readable by others, or not an Ed25519 key.
        """
        if not self.signing_key.is_file():
            raise InvalidInputError(f"No usable signing key at {self.signing_key}.")
        try:
            key = load_pem_private_key(read_secret(self.signing_key), password=None)
        except (ValueError, TypeError) as error:
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
        if value.keys() - _OPTIONAL != {"issuer", "coordinator_token_hash", "grant_lifetime_s"}:
            raise InvalidInputError(f"{path} has missing or unknown fields.")
        return cls(
            database=get_str(value, "database") if "database" in value else home / "consent.db",
            signing_key=home / "signing.key",
            issuer=get_str(value, "issuer"),
            coordinator_token_hash=get_str(value, "coordinator_token_hash"),
            grant_lifetime_s=get_int(value, "grant_lifetime_s", low=1, high=MAX_LIFETIME_S),
            validity_days=get_int(
                {"validity_days": VALIDITY_DAYS, **value},
                "validity_days",
                low=1,
                high=MAX_VALIDITY_DAYS,
            ),
            controller=Controller.from_json(value.get("controller", {})),
            notices=(SHIPPED, own) if (own := home / "notices").is_dir() else (SHIPPED,),
            coordinator_key=_pinned(value),
            public_url=_public_url(value),
            oidc=providers_from_json(value.get("oidc", [])),
            incentive=Incentive.from_json(value.get("incentive", {})),
            quotas=Quotas.from_json(value.get("quotas", {})),
            trusted_proxies=get_int(
                {"trusted_proxies": 0, **value}, "trusted_proxies", low=0, high=MAX_PROXIES
            ),
            incentive_texts=own if (own := home / "incentive").is_dir() else SHIPPED_TEXTS,
            sessions=Lifetimes.from_json(value.get("sessions", {})),
            rights=RightsTerms.from_json(value.get("rights", {})),
            retention=Retention.from_json(value.get("retention", {})),
            webhook_ports=_ports(value),
            webhooks_allow_loopback=value.get("webhooks_allow_loopback", False) is True,
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


def create_home(
    home: Path,
    *,
    issuer: str,
    grant_lifetime_s: int = MAX_LIFETIME_S,
    database: str | None = None,
    validity_days: int = VALIDITY_DAYS,
    controller: Controller = NOBODY_STATED,
    coordinator_key: Ed25519PublicKey | None = None,
    quotas: Quotas | None = None,
) -> Home:
    """Create the key, the coordinator's token and the settings of a new consent service.

    Guarantee: all files are readable by their owner alone and nothing that exists is overwritten.

    Args:
        home: the folder to make.
        issuer: the name that grants carry.
        grant_lifetime_s: seconds a grant lives, 1 to 600.
        database: the URL of a PostgreSQL database; without it the home holds an SQLite file.
        validity_days: days until consent that was given expires.
        controller: who is responsible for the data.
        coordinator_key: the key that signs manifests, if it is there yet.
        quotas: how often a caller may try, where that is not the default.

    Raises:
        InvalidInputError: the folder already holds a consent service, or a setting is refused.
    """
    key, token = Ed25519PrivateKey.generate(), secrets.token_urlsafe(32)
    settings = Settings(
        database=database or home / "consent.db",
        signing_key=home / "signing.key",
        issuer=issuer,
        coordinator_token_hash=token_hash(token),
        grant_lifetime_s=grant_lifetime_s,
        validity_days=validity_days,
        controller=controller,
    )
    check_url(settings.url)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_secret(settings.signing_key, pem)
    write_secret(home / "coordinator.token", token.encode())
    public: dict[str, object] = {
        "issuer": issuer,
        "coordinator_token_hash": settings.coordinator_token_hash,
        "grant_lifetime_s": grant_lifetime_s,
        "validity_days": validity_days,
        "controller": controller.to_json(),
    }
    if coordinator_key is not None:
        public["coordinator_key"] = b64(public_bytes(coordinator_key))
    if quotas is not None:
        public["quotas"] = quotas.to_json()
    if database is not None:
        public["database"] = database
    else:  # SQLite's own files beside it copy its permissions
        write_secret(home / "consent.db", b"")
    write_secret(home / "settings.json", canonical(public))
    return Home(path=home, issuer=issuer, public_key=b64(public_bytes(key.public_key())))


def pin_coordinator(home: Path, key: Ed25519PublicKey) -> None:
    """Pin the key that signs manifests. A running service reads it when it starts again.

    Raises:
        InvalidInputError: no consent service there, or another key is pinned.
    """
    pinned = Settings.load(home).coordinator_key
    if pinned is not None and public_bytes(pinned) != public_bytes(key):
        raise InvalidInputError(
            f"{home} has another coordinator's key pinned; a new coordinator needs a consent "
            "service of its own."
        )
    _change(home, {"coordinator_key": b64(public_bytes(key))})


def add_provider(home: Path, provider: IdentityProvider) -> None:
    """Let shoppers sign in through one more provider, from when the service starts again.

    Raises:
        InvalidInputError: no consent service there, its secret can't be read, or the provider's
            name or issuer is there already.
    """
    known = Settings.load(home).oidc
    provider.secret()
    refuse_repeats([*known, provider])
    _change(home, {"oidc": [each.to_json() for each in [*known, provider]]})


def set_public_url(home: Path, public_url: Origin) -> None:
    """Say where visitors find the service. A running service reads it when it starts again.

    Raises:
        InvalidInputError: no consent service there.
    """
    Settings.load(home)
    _change(home, {"public_url": str(public_url)})


def _change(home: Path, fields: Mapping[str, object]) -> None:
    path, draft = home / "settings.json", home / ".settings.draft"
    value = parse_object(path.read_bytes(), what=str(path))
    draft.unlink(missing_ok=True)
    write_secret(draft, canonical({**value, **fields}))
    draft.replace(path)


def _ports(value: dict[str, Any]) -> tuple[int, ...]:
    listed = value.get("webhook_ports", [])
    if not isinstance(listed, list) or len(listed) > MAX_PORTS:
        raise InvalidInputError(f"webhook_ports is a list of at most {MAX_PORTS} ports.")
    return tuple(
        get_int({"webhook_ports": port}, "webhook_ports", low=1, high=65535) for port in listed
    )


def _public_url(value: dict[str, Any]) -> Origin | None:
    return Origin.parse(get_str(value, "public_url")) if "public_url" in value else None


def _pinned(value: dict[str, Any]) -> Ed25519PublicKey | None:
    if "coordinator_key" not in value:
        return None
    return parse_public_key(get_str(value, "coordinator_key"), what="coordinator_key")
