"""A key holder's home folder: its secret keys (0600), its pins and its register.

keyholder.json      holder number, pinned keys, floors (public)
identity.key        Ed25519 private key, 32 raw bytes, 0600
opening.key         BFV secret key, 0600
public.context      BFV public context that clients seal to
card.json           signed by the identity: holder number and hash of public.context
register.db         which rounds were answered
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.errors import InvalidInputError
from crypto.secret_file import read_secret, write_secret
from crypto.sums.interface import HOLDERS
from crypto.sums.share_sum.context import context_hash
from crypto.sums.share_sum.open import OpeningKey
from crypto.wire import (
    SignedRecord,
    b64,
    get_float,
    get_int,
    get_str,
    parse_object,
    parse_public_key,
    public_bytes,
)

CARD_TYPE: Final = "key-holder"


@dataclass(frozen=True, kw_only=True)
class Pins:
    """What a key holder never takes from the coordinator.

    Attributes:
        coordinator, consent: whose signatures count.
        population: the federation that it serves.
        n_floor: it opens nothing over fewer participants, whatever a manifest says.
        z_floor: it opens nothing with a smaller noise multiplier (0 allows privacy-off research).
    """

    coordinator: Ed25519PublicKey
    consent: Ed25519PublicKey
    population: str
    n_floor: int
    z_floor: float


@dataclass(frozen=True, kw_only=True)
class KeyHolder:
    """A key holder with its keys in memory.

    ``public`` is the public context as it was first written: TenSEAL may write the same context in
    other bytes later, and it is named by their hash.
    """

    number: int
    identity: Ed25519PrivateKey
    opening: OpeningKey
    public: bytes
    pins: Pins
    home: Path

    @property
    def key_hash(self) -> str:
        """Hash of the public context: how manifests name this key holder's key."""
        return context_hash(self.public)

    @property
    def card(self) -> SignedRecord:
        """The signed public card: number and hash of the public context."""
        body = {
            "holder": self.number,
            "context_hash": self.key_hash,
            "identity": b64(public_bytes(self.identity.public_key())),
        }
        return SignedRecord.sign(CARD_TYPE, body, self.identity)


def create(home: Path, *, number: int, pins: Pins) -> KeyHolder:
    """Create a key holder's home with fresh keys; refuses to overwrite one.

    Raises:
        InvalidInputError: not key holder 1..3, floors below 2 clients, or the home has keys.
    """
    if not 1 <= number <= HOLDERS:
        raise InvalidInputError(f"Expected a key holder number from 1 to {HOLDERS}, got {number}.")
    if pins.n_floor < 2:
        raise InvalidInputError(f"Expected n_floor >= 2, got {pins.n_floor}.")
    home.mkdir(parents=True, exist_ok=True)
    opening = OpeningKey.generate()
    holder = KeyHolder(
        number=number,
        identity=Ed25519PrivateKey.generate(),
        opening=opening,
        public=opening.public,
        pins=pins,
        home=home,
    )
    write_secret(home / "identity.key", holder.identity.private_bytes_raw())
    write_secret(home / "opening.key", holder.opening.to_bytes())
    (home / "public.context").write_bytes(holder.public)
    (home / "card.json").write_bytes(holder.card.to_bytes())
    (home / "keyholder.json").write_text(json.dumps(_settings(holder), indent=2) + "\n")
    return holder


def load(home: Path) -> KeyHolder:
    """Load a home that ``create`` made.

    Raises:
        InvalidInputError: no home there, or secret keys that others may read.
    """
    path = home / "keyholder.json"
    if not path.is_file():
        raise InvalidInputError(f"No key holder in {home}; make one with: fedcart keyholder init.")
    settings = parse_object(path.read_bytes(), what=str(path))
    return KeyHolder(
        number=get_int(settings, "holder", low=1, high=HOLDERS),
        identity=Ed25519PrivateKey.from_private_bytes(read_secret(home / "identity.key")),
        opening=OpeningKey.from_bytes(read_secret(home / "opening.key")),
        public=(home / "public.context").read_bytes(),
        pins=Pins(
            coordinator=parse_public_key(get_str(settings, "coordinator"), what="coordinator"),
            consent=parse_public_key(get_str(settings, "consent"), what="consent"),
            population=get_str(settings, "population"),
            n_floor=get_int(settings, "n_floor", low=2, high=10**9),
            z_floor=get_float(settings, "z_floor", low=0.0, high=1e9),
        ),
        home=home,
    )


def _settings(holder: KeyHolder) -> dict[str, object]:
    return {
        "holder": holder.number,
        "population": holder.pins.population,
        "coordinator": b64(public_bytes(holder.pins.coordinator)),
        "consent": b64(public_bytes(holder.pins.consent)),
        "n_floor": holder.pins.n_floor,
        "z_floor": holder.pins.z_floor,
    }
