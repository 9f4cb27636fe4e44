"""The coordinator's home folder: its key, whom it works with, and what it plans.

coordinator.json   addresses, pinned keys, the training plan
identity.key       Ed25519 private key, 0600
consent.token      its bearer token at the consent service, 0600
ledger.db          reserved budget
releases/          artefacts with their privacy records
rounds/            journals of rounds in progress, and each task's chain of manifests
given-up/          why rounds ended without a release
disputes/          signed part sums of rounds whose key holders contradicted each other
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.tasks.catalogue import Catalogue
from crypto.errors import InvalidInputError
from crypto.holder_card import HolderCard, parse_card
from crypto.secret_file import read_secret, write_secret
from crypto.sums.schemes import HOLDERS
from crypto.wire import b64, get_str, parse_object, parse_public_key, public_bytes
from server.schedule import TrainingPlan


@dataclass(frozen=True, kw_only=True)
class HolderAddress:
    """A key holder as the operator entered it: address, pinned identity, and its card's file."""

    url: str
    identity: Ed25519PublicKey
    card: str

    def to_json(self) -> dict[str, str]:
        """As it stands in coordinator.json."""
        return {
            "url": self.url,
            "identity": b64(public_bytes(self.identity)),
            "card": self.card,
        }

    def load_card(self) -> HolderCard:
        """The card, if it is still the pinned identity's.

        Raises:
            InvalidInputError: the file is gone, or another key holder's.
        """
        try:
            card = parse_card(Path(self.card).read_bytes(), what=self.card)
        except OSError as error:
            raise InvalidInputError(f"{self.card}: the key holder's card can't be read.") from error
        if public_bytes(card.identity) != public_bytes(self.identity):
            raise InvalidInputError(f"{self.card} is not the card of the key holder pinned for it.")
        return card

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Parse one entry."""
        if not isinstance(value, dict):
            raise InvalidInputError("coordinator.json: a key holder is an object.")
        return cls(
            url=get_str(value, "url", max_length=2048),
            identity=parse_public_key(get_str(value, "identity"), what="key holder identity"),
            card=get_str(value, "card", max_length=4096),
        )


@dataclass(frozen=True, kw_only=True)
class CoordinatorHome:
    """A loaded home folder."""

    path: Path
    population: str
    identity: Ed25519PrivateKey
    consent_url: str
    consent_key: Ed25519PublicKey
    consent_token: str
    holders: tuple[HolderAddress, ...]
    catalogue: str
    plan: TrainingPlan

    def load_catalogue(self) -> Catalogue:
        """The retailer's item list."""
        return Catalogue.from_bytes(Path(self.catalogue).read_bytes())

    def save(self) -> None:
        """Write the home; keys and token are written once and never overwritten."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_secret(self.path / "identity.key", self.identity.private_bytes_raw())
        write_secret(self.path / "consent.token", self.consent_token.encode())
        settings = {
            "population": self.population,
            "consent_url": self.consent_url,
            "consent_key": b64(public_bytes(self.consent_key)),
            "holders": [holder.to_json() for holder in self.holders],
            "catalogue": self.catalogue,
            "plan": self.plan.to_json(),
        }
        (self.path / "coordinator.json").write_text(json.dumps(settings, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load a home.

        Raises:
            InvalidInputError: no coordinator there, or a malformed coordinator.json.
        """
        file = path / "coordinator.json"
        if not file.is_file():
            raise InvalidInputError(f"No coordinator in {path}: coordinator.json is missing.")
        settings = parse_object(file.read_bytes(), what=str(file))
        plan: Any = settings.get("plan")
        holders: Any = settings.get("holders")
        if not isinstance(plan, dict) or not isinstance(holders, list) or len(holders) != HOLDERS:
            raise InvalidInputError(f"{file}: expected a plan and {HOLDERS} key holders.")
        return cls(
            path=path,
            population=get_str(settings, "population"),
            identity=Ed25519PrivateKey.from_private_bytes(read_secret(path / "identity.key")),
            consent_url=get_str(settings, "consent_url", max_length=2048),
            consent_key=parse_public_key(get_str(settings, "consent_key"), what="consent key"),
            consent_token=read_secret(path / "consent.token").decode().strip(),
            holders=tuple(HolderAddress.from_json(holder) for holder in holders),
            catalogue=get_str(settings, "catalogue", max_length=4096),
            plan=TrainingPlan.from_json(plan),
        )
