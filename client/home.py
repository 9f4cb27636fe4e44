"""A client's home folder: who it stands for, whom it trusts, and its own data.

    client.json       kind, shoppers, addresses and pinned keys
    identity.key      Ed25519 private key, 0600
    consent.token     a device's: its shopper's bearer token at the consent service, 0600;
                      a store's: its own, which it registers shoppers with
    events.db         its shoppers' purchases (client/events.py)
    rounds.db         which rounds it has joined, and what each cost whom (client/register.py)
    outbox/           what it sealed for rounds that are open, as sent (client/outbox.py)
    instructions.db   what it was told to do and not to use (client/journal.py)
    breadth/          how much that is new each shopper wants to see (client/breadth.py)
    exports/          copies for its shoppers, made when they asked (client/personal_export.py)
    derived/ID/       whatever is computed from a shopper's purchases and kept; a stop deletes it

Everything pinned here is never taken from the coordinator.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from client.limits import DELTA, EPSILON_CAP, SCHEMES
from consent.tasks.catalogue import Catalogue
from crypto.dp.plan_terms import MAX_DELTA
from crypto.errors import InvalidInputError
from crypto.holder_card import HolderCard, in_order, parse_card
from crypto.secret_file import read_secret, write_secret
from crypto.sums.schemes import HOLDERS, Scheme
from crypto.wire import (
    b64,
    get_float,
    get_int,
    get_str,
    get_strings,
    parse_object,
    parse_public_key,
    public_bytes,
    thumbprint,
)

_SETTINGS: Final = "client.json"
_LEAST_DELTA: Final = 1e-15


class ClientKind(StrEnum):
    """A device stands for one shopper, a store for many."""

    DEVICE = "device"
    STORE = "store"


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What a client pins when it is set up.

    Attributes:
        population: the federation that it joins.
        consent_url: where the consent service answers.
        consent_key, coordinator_key: whose signatures count.
        cards: files with the three key holders' public cards, in their order.
        holders: their identity keys; a card of another identity is refused.
        catalogue: file with the retailer's public item list.
        n_floor: it joins no round with a smaller minimum cohort.
        z_floor: it joins no round with a smaller noise multiplier (0 allows privacy off).
        epsilon_cap: what all rounds together may cost a shopper at ``delta``; None sets no cap.
        experimental: whether it joins rounds of Set B, which nobody outside has reviewed.
        schemes: the secure sums that it joins.
    """

    population: str
    consent_url: str
    consent_key: Ed25519PublicKey
    coordinator_key: Ed25519PublicKey
    cards: tuple[str, ...]
    holders: tuple[Ed25519PublicKey, ...]
    catalogue: str
    n_floor: int
    z_floor: float
    epsilon_cap: float | None = EPSILON_CAP
    delta: float = DELTA
    experimental: bool = False
    schemes: tuple[Scheme, ...] = SCHEMES

    def to_json(self) -> dict[str, Any]:
        """As it stands in client.json."""
        return {
            "population": self.population,
            "consent_url": self.consent_url,
            "consent_key": b64(public_bytes(self.consent_key)),
            "coordinator_key": b64(public_bytes(self.coordinator_key)),
            "cards": list(self.cards),
            "holders": [b64(public_bytes(key)) for key in self.holders],
            "catalogue": self.catalogue,
            "n_floor": self.n_floor,
            "z_floor": self.z_floor,
            "epsilon_cap": self.epsilon_cap,
            "delta": self.delta,
            "experimental": self.experimental,
            "schemes": list(self.schemes),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Parse the trust part of client.json."""
        return cls(
            population=get_str(value, "population"),
            consent_url=get_str(value, "consent_url", max_length=2048),
            consent_key=parse_public_key(get_str(value, "consent_key"), what="consent key"),
            coordinator_key=parse_public_key(
                get_str(value, "coordinator_key"), what="coordinator key"
            ),
            cards=_paths(value, "cards"),
            holders=tuple(
                parse_public_key(text, what="key holder identity")
                for text in get_strings(value, "holders", max_count=HOLDERS)
            ),
            catalogue=get_str(value, "catalogue", max_length=4096),
            n_floor=get_int(value, "n_floor", low=2, high=10**9),
            z_floor=get_float(value, "z_floor", low=0.0, high=1e9),
            epsilon_cap=_cap(value),
            delta=get_float(value, "delta", low=_LEAST_DELTA, high=MAX_DELTA),
            experimental=_truth(value, "experimental"),
            schemes=_schemes(value),
        )

    def load_cards(self) -> tuple[HolderCard, ...]:
        """The key holders' cards, in their order.

        Raises:
            InvalidInputError: a card is missing, or not the pinned identity's.
        """
        cards = in_order([_card(path) for path in self.cards])
        if [public_bytes(c.identity) for c in cards] != [public_bytes(k) for k in self.holders]:
            raise InvalidInputError(
                "The key holders' cards are not those that were pinned; set the device up anew."
            )
        return cards

    def load_catalogue(self) -> Catalogue:
        """The retailer's item list."""
        return load_catalogue(self.catalogue)


@dataclass(frozen=True, kw_only=True)
class ClientHome:
    """A loaded home folder.

    Attributes:
        shoppers: the shoppers' names in the event store, each with her id at the consent service.
    """

    path: Path
    kind: ClientKind
    identity: Ed25519PrivateKey
    shoppers: dict[str, str]
    trust: Trust

    @property
    def client_id(self) -> str:
        """The thumbprint of the identity key."""
        return thumbprint(self.identity.public_key())

    @property
    def events(self) -> Path:
        """The event store's file."""
        return self.path / "events.db"

    @property
    def register(self) -> Path:
        """The file that remembers joined rounds."""
        return self.path / "rounds.db"

    @property
    def outbox(self) -> Path:
        """The folder with what was sealed for open rounds."""
        return self.path / "outbox"

    @property
    def journal(self) -> Path:
        """The file that remembers instructions."""
        return self.path / "instructions.db"

    @property
    def exports(self) -> Path:
        """The folder with copies for its shoppers."""
        return self.path / "exports"

    @property
    def derived(self) -> Path:
        """The folder with what is computed from purchases and kept, one folder a shopper's id."""
        return self.path / "derived"

    @property
    def token_file(self) -> Path:
        """The file with the bearer token of a device's shopper, or a store's own."""
        return self.path / "consent.token"

    @property
    def shopper(self) -> str:
        """A device's only shopper, as her own event store names her.

        Raises:
            InvalidInputError: a store's home.
        """
        if self.kind is not ClientKind.DEVICE:
            raise InvalidInputError(f"{self.path} is a store's home, not a device's.")
        return next(iter(self.shoppers))

    @property
    def token(self) -> str:
        """The bearer token of a device's shopper.

        Raises:
            InvalidInputError: there is none (any more).
        """
        if not self.token_file.exists():
            raise InvalidInputError(
                f"{self.path} has no consent token: the device was forgotten, or never set up. "
                "Make a new one with: fedcart device init."
            )
        return read_secret(self.token_file).decode().strip()

    @classmethod
    def create(  # one parameter a field of client.json
        cls,
        path: Path,
        *,
        kind: ClientKind,
        identity: Ed25519PrivateKey,
        shoppers: dict[str, str],
        trust: Trust,
    ) -> Self:
        """Write a new home; refuses to overwrite one.

        Raises:
            InvalidInputError: there is a client already, or a device with several shoppers.
        """
        if kind is ClientKind.DEVICE and len(shoppers) != 1:
            raise InvalidInputError(f"A device stands for one shopper, not {len(shoppers)}.")
        path.mkdir(parents=True, exist_ok=True)
        home = cls(
            path=path,
            kind=kind,
            identity=identity,
            shoppers=shoppers,
            trust=trust,
        )
        write_secret(path / "identity.key", identity.private_bytes_raw())
        write_secret(path / _SETTINGS, home._settings())
        return home

    def stand_for(self, identifier: str, token: str) -> Self:
        """Make this device stand for the shopper of this id, with its token for her.

        Both files are replaced, each at once. A crash between the two leaves a token that the
        consent service does not take for the old id: the device then stands for nobody.

        Raises:
            InvalidInputError: a store's home.
        """
        home = replace(self, shoppers={self.shopper: identifier})
        _replace(self.token_file, token.encode())
        _replace(self.path / _SETTINGS, home._settings())
        return home

    def joined_by(self, shoppers: Mapping[str, str], *, again: bool = False) -> Self:
        """Make this store stand for more shoppers, all or none; names with their ids.

        ``again`` lets a name get a new id: its bearer left for good and comes back.

        Raises:
            InvalidInputError: a device's home, or a name or an id that stands for somebody else.
        """
        if self.kind is not ClientKind.STORE:
            raise InvalidInputError(f"{self.path} is a device's home: it stands for one shopper.")
        names = {identifier: name for name, identifier in self.shoppers.items()}
        for name, identifier in shoppers.items():
            if not again and self.shoppers.get(name, identifier) != identifier:
                raise InvalidInputError(f"{name!r} is known here as another shopper's name.")
            if names.setdefault(identifier, name) != name:
                raise InvalidInputError(
                    f"{name!r}: shopper {identifier} is known here as {names[identifier]!r}."
                )
        home = replace(self, shoppers=self.shoppers | dict(shoppers))
        _replace(self.path / _SETTINGS, home._settings())
        return home

    def _settings(self) -> bytes:
        """The bytes of client.json."""
        value = {"kind": self.kind, "shoppers": self.shoppers, "trust": self.trust.to_json()}
        return (json.dumps(value, indent=1) + "\n").encode()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load a home that ``create`` wrote.

        Raises:
            InvalidInputError: no client there, or a malformed client.json.
        """
        file = path / _SETTINGS
        if not file.is_file():
            raise InvalidInputError(f"No client in {path}; make one with: fedcart device init.")
        settings = parse_object(file.read_bytes(), what=str(file))
        shoppers, trust = settings.get("shoppers"), settings.get("trust")
        if not isinstance(shoppers, dict) or not isinstance(trust, dict):
            raise InvalidInputError(f"{file}: expected objects 'shoppers' and 'trust'.")
        return cls(
            path=path,
            kind=ClientKind(get_str(settings, "kind")),
            identity=Ed25519PrivateKey.from_private_bytes(read_secret(path / "identity.key")),
            shoppers={str(name): str(identifier) for name, identifier in shoppers.items()},
            trust=Trust.from_json(trust),
        )


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    write_secret(draft, data)
    draft.replace(path)


def _paths(value: dict[str, Any], key: str) -> tuple[str, ...]:
    paths = value.get(key)
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise InvalidInputError(f"client.json: field {key!r} is a list of files.")
    return tuple(paths)


def _cap(value: dict[str, Any]) -> float | None:
    if value.get("epsilon_cap") is None:
        return None
    return get_float(value, "epsilon_cap", low=0.0, high=1e9)


def _truth(value: dict[str, Any], key: str) -> bool:
    found = value.get(key)
    if not isinstance(found, bool):
        raise InvalidInputError(f"client.json: field {key!r} is true or false.")
    return found


def _schemes(value: dict[str, Any]) -> tuple[Scheme, ...]:
    found = get_strings(value, "schemes", max_count=len(Scheme))
    if not set(found) <= set(Scheme):
        raise InvalidInputError(
            f"client.json: field 'schemes' names some of {', '.join(Scheme)}, got {found}."
        )
    return tuple(Scheme(name) for name in found)


@lru_cache(maxsize=16)
def _card(path: str) -> HolderCard:
    try:
        return parse_card(Path(path).read_bytes(), what=path)
    except OSError as error:
        raise InvalidInputError(f"{path}: a key holder's card can't be read.") from error


@lru_cache(maxsize=4)
def load_catalogue(path: str) -> Catalogue:
    """Load an item list once per process."""
    return Catalogue.from_bytes(Path(path).read_bytes())
