"""What parties say to each other in a round: clients, uploads, grants, keys and manifests."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.dp.plan import PrivacyPlan
from crypto.grant import ParticipationGrant
from crypto.grant_list import pack_grants
from crypto.ingest import Submission
from crypto.manifest import NO_MANIFEST, Manifest
from crypto.round_key import RoundKeyRequest
from crypto.update import IntArray, NoisedUpdate, SealedUpdate
from crypto.upload import sign_upload
from crypto.wire import SignedRecord, public_bytes, thumbprint
from simulations.attacks.parties import NOW, POPULATION, Parties

TASK = "popularity"
CATALOGUE = "ca" * 32
CLOSES = NOW + 600
_GRANT_S = 300


@dataclass(frozen=True, kw_only=True)
class Sent:
    """An upload with everything that travels beside its header.

    Attributes:
        noised: what was sealed, for whoever measures; None for a key holder's entry.
    """

    header: SignedRecord
    grants: bytes
    sealed: SealedUpdate
    noised: NoisedUpdate | None = None

    @property
    def hash(self) -> str:
        """The upload's name."""
        return self.header.hash

    def for_holder(self, number: int) -> Submission:
        """The upload as key holder ``number`` gets it."""
        return Submission(
            header=self.header, grants=self.grants, share=self.sealed.shares[number - 1]
        )


@dataclass(frozen=True, kw_only=True)
class Client:
    """A client's key; ``subject`` is its one shopper's pseudonym in the round."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def name(self) -> str:
        """Thumbprint."""
        return thumbprint(self.key.public_key())

    @property
    def sender(self) -> bytes:
        """Raw public key."""
        return public_bytes(self.key.public_key())


def make_grant(
    client: Client, subject: str, *, context: str, now: int, **changes: Any
) -> ParticipationGrant:
    """A grant for one shopper of a client, with fields changed at will."""
    fields: dict[str, Any] = {
        "issuer": "audit-consent",
        "task": TASK,
        "round_id": "round",
        "context": context,
        "subject": subject,
        "token_id": f"token-{subject}",
        "client_key": client.name,
        "purposes": ("train-shared-models",),
        "categories": ("purchases",),
        "notice_version": "2026-11",
        "epoch": 0,
        "issued_at": now,
        "expires_at": now + _GRANT_S,
    }
    return ParticipationGrant(**(fields | changes))


def signed(client: Client, sealed: SealedUpdate, tokens: Sequence[str]) -> Sent:
    """Any sealed bytes under a client's signature."""
    return Sent(
        header=sign_upload(sealed, tokens, client.key), grants=pack_grants(tokens), sealed=sealed
    )


def ask_round_keys(parties: Parties, name: str, **changes: Any) -> tuple[SignedRecord, ...]:
    """Step 1: every key holder's key for a round."""
    fields: dict[str, Any] = {
        "population": POPULATION,
        "task": TASK,
        "round_id": name,
        "opens": NOW - 60,
        "closes": CLOSES,
    }
    request = RoundKeyRequest(**(fields | changes)).sign(parties.coordinator)
    return tuple(
        SignedRecord.from_bytes(station.round_key(request)) for station in parties.stations
    )


def make_manifest(
    plan: PrivacyPlan, *, name: str, round_keys: Sequence[SignedRecord], **changes: Any
) -> Manifest:
    """The manifest of a round, with fields changed at will."""
    fields: dict[str, Any] = {
        "population": POPULATION,
        "task": TASK,
        "round_id": name,
        "previous": NO_MANIFEST,
        "parameters": {"items": plan.dimension},
        "catalogue": CATALOGUE,
        "plan": plan,
        "epsilon": plan.round_epsilon(),
        "purposes": ("train-shared-models",),
        "categories": ("purchases",),
        "key_hashes": tuple(record.hash for record in round_keys),
        "unpaired_devices": True,
        "opens": NOW - 60,
        "closes": CLOSES,
    }
    return Manifest(**(fields | changes))


def noised_of(sent: Sent) -> NoisedUpdate:
    """What a client sealed.

    Raises:
        ValueError: a key holder's entry, which nobody else knows.
    """
    if sent.noised is None:
        raise ValueError("Only a client's upload remembers what it sealed.")
    return sent.noised


def values_of(sent: Sent) -> IntArray:
    """The integers that a client sealed."""
    return noised_of(sent).values
