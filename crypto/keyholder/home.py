"""A key holder's home folder: its secret keys (0600), its pins, its peers and its logs.

keyholder.json      holder number and pins (public)
public.card         what everybody else pins it by (``crypto.holder_card``)
peers.json          who the other two key holders are (``crypto.keyholder.peers``)
identity.key        Ed25519 private key, 32 raw bytes, 0600
opening.key         BFV secret key for share sum, 0600; a backup has none
log.db              the write-ahead log: rounds, acknowledgements, votes, answers, ε
register.db         which rounds of share sum were answered
rounds/KEY/         secret, envelopes and own entry of an open round; erased at its end
noise/RUN/          the last noise of runs in which it cancels over rounds; a backup has none
old/                what ``rotate`` retired
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.durable import flush
from crypto.errors import InvalidInputError, RoundError
from crypto.holder_card import HolderCard
from crypto.keyholder.peers import CARD_FILE, Peer, load_peers, read_card, set_peers
from crypto.keyholder.pins import Pins
from crypto.secret_file import read_secret, write_secret
from crypto.sums.schemes import HOLDERS
from crypto.sums.share_sum.open import OpeningKey
from crypto.wire import b64, get_int, parse_object, public_bytes

SETTINGS_FILE: Final = "keyholder.json"
IDENTITY_FILE: Final = "identity.key"
OPENING_FILE: Final = "opening.key"
LOG_FILE: Final = "log.db"
REGISTER_FILE: Final = "register.db"
ROUNDS_FOLDER: Final = "rounds"

__all__ = ["KeyHolder", "Peer", "Pins", "create", "load", "set_peers"]


@dataclass(frozen=True, kw_only=True, repr=False)
class KeyHolder:
    """A key holder with its keys in memory.

    ``opening`` is None in a home that was restored from a backup: it answers no share sum.
    """

    number: int
    identity: Ed25519PrivateKey
    opening: OpeningKey | None
    card: HolderCard
    pins: Pins
    home: Path

    @property
    def public(self) -> bytes:
        """The public BFV context as it was first written.

        TenSEAL may write the same context in other bytes later, and it is named by their hash.
        """
        return self.card.context

    @property
    def key_hash(self) -> str:
        """Hash of the public context: how manifests of share sum name this key holder's key."""
        return self.card.context_hash

    @property
    def name(self) -> str:
        """Its identity as base64url text."""
        return b64(public_bytes(self.identity.public_key()))

    def parties(self) -> tuple[Peer, ...]:
        """All three key holders in order, itself included.

        Raises:
            RoundError: its peers were not set.
        """
        peers = load_peers(self.home)
        if not peers:
            raise RoundError(
                "This key holder does not know its peers yet; set them with: fedcart keyholder "
                "peers."
            )
        own = Peer(number=self.number, identity=self.identity.public_key())
        return tuple(sorted((own, *peers), key=lambda peer: peer.number))

    def __repr__(self) -> str:
        return f"KeyHolder(number={self.number}, identity={self.name})"


def create(home: Path, *, number: int, pins: Pins) -> KeyHolder:
    """Create a key holder's home with fresh keys; refuses to overwrite one.

    Raises:
        InvalidInputError: not key holder 1..3, bounds that bound nothing, or the home has keys.
    """
    if not 1 <= number <= HOLDERS:
        raise InvalidInputError(f"Expected a key holder number from 1 to {HOLDERS}, got {number}.")
    pins.check()
    home.mkdir(parents=True, exist_ok=True)
    write_keys(home, number)
    settings = {"holder": number, **pins.to_json()}
    (home / SETTINGS_FILE).write_text(json.dumps(settings, indent=2) + "\n")
    for path in (home / SETTINGS_FILE, home):
        flush(path)
    return load(home)


def write_keys(home: Path, number: int, *, suffix: str = "") -> None:
    """Make fresh keys and their card, as files with this suffix, and wait for the disk.

    Raises:
        InvalidInputError: a key is there; keys are never overwritten.
    """
    identity, opening = Ed25519PrivateKey.generate(), OpeningKey.generate()
    write_secret(home / f"{IDENTITY_FILE}{suffix}", identity.private_bytes_raw())
    write_secret(home / f"{OPENING_FILE}{suffix}", opening.to_bytes())
    card = home / f"{CARD_FILE}{suffix}"
    card.write_bytes(HolderCard.sign(number, opening.public, identity).to_bytes())
    flush(card)
    flush(home)


def read_settings(home: Path) -> tuple[int, Pins]:
    """A key holder's number and pins.

    Raises:
        InvalidInputError: no home there, or an edited file that makes no sense.
    """
    path = home / SETTINGS_FILE
    if not path.is_file():
        raise InvalidInputError(f"No key holder in {home}; make one with: fedcart keyholder init.")
    settings = parse_object(path.read_bytes(), what=str(path))
    return get_int(settings, "holder", low=1, high=HOLDERS), Pins.from_json(settings)


def load(home: Path) -> KeyHolder:
    """Load a home that ``create`` made.

    Raises:
        InvalidInputError: no home there, secret keys that others may read, or a card that is not
            this identity's.
    """
    number, pins = read_settings(home)
    identity = Ed25519PrivateKey.from_private_bytes(read_secret(home / IDENTITY_FILE))
    card = read_card(home)
    if (card.number, public_bytes(card.identity)) != (number, public_bytes(identity.public_key())):
        raise InvalidInputError(
            f"{home / CARD_FILE} is not the card of the identity beside it; restore both from one "
            "backup, or run: fedcart keyholder rotate."
        )
    return KeyHolder(
        number=number,
        identity=identity,
        opening=_opening(home / OPENING_FILE),
        card=card,
        pins=pins,
        home=home,
    )


def _opening(path: Path) -> OpeningKey | None:
    return OpeningKey.from_bytes(read_secret(path)) if path.exists() else None
