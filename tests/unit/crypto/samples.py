"""What the tests of the privacy path are made of: keys, plans, manifests and lists, by hand."""

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.acceptance import Accept
from crypto.commit import Commit, CommittedUpload
from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.holder_card import HolderCard
from crypto.invitation import Invitation
from crypto.manifest import Manifest, context_of
from crypto.round_key import RoundKey
from crypto.sums.pieces.length import piece_length
from crypto.sums.pieces.open import RoundSecret, open_envelope, sum_pieces
from crypto.sums.schemes import HOLDERS, Scheme
from crypto.sums.share_sum.open import OpeningKey
from crypto.sums.share_sum.parameters import context_hash
from crypto.sums.share_sum.scheme import ShareSum
from crypto.update import NOISE_DOOR, NoisedUpdate, PartSum, SealedUpdate
from crypto.wire import SignedRecord, public_bytes

IntArray = npt.NDArray[np.int64]
NOW = 1_800_000_000


def generator(label: str = "") -> SecureRandom:
    """A stream that repeats, keyed by a label."""
    return SecureRandom(hashlib.sha256(b"tests " + label.encode()).digest())


@lru_cache
def signer(name: str) -> Ed25519PrivateKey:
    """The same key for the same name, all through a test run."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


@lru_cache
def opening_keys() -> tuple[OpeningKey, ...]:
    """Three key holders' secret keys, made once."""
    return tuple(OpeningKey.generate() for _ in range(3))


@lru_cache
def public_contexts() -> tuple[bytes, ...]:
    return tuple(key.public for key in opening_keys())


def holder_key(number: int) -> Ed25519PrivateKey:
    """The identity of a key holder."""
    return signer(f"key-holder-{number}")


def identities() -> tuple[Ed25519PublicKey, ...]:
    """What is pinned of the three key holders, in their order."""
    return tuple(holder_key(number).public_key() for number in range(1, HOLDERS + 1))


@lru_cache
def cards() -> tuple[HolderCard, ...]:
    """The cards of the same three key holders."""
    return tuple(
        HolderCard.sign(number, context, holder_key(number))
        for number, context in enumerate(public_contexts(), start=1)
    )


def key_hashes() -> tuple[str, ...]:
    return tuple(context_hash(data) for data in public_contexts())


def share_sum(dimension: int, *, context: str = "c0ffee") -> ShareSum:
    return ShareSum(
        context=context,
        dimension=dimension,
        public_keys=public_contexts(),
        key_hashes=key_hashes(),
    )


def sender(name: str = "client") -> bytes:
    """The raw public key of a signer."""
    return public_bytes(signer(name).public_key())


SENDER = sender()


def noised(values: npt.ArrayLike, *, shoppers: int = 1) -> NoisedUpdate:
    """An update through the door that only the noise module has: tests choose its integers."""
    return NoisedUpdate(np.array(values, dtype=np.int64), shoppers, NOISE_DOOR)


def plan(**changes: Any) -> PrivacyPlan:
    fields: dict[str, Any] = {
        "dimension": 12,
        "clipping_norm": 1.0,
        "noise_multiplier": 1.0,
        "min_clients": 4,
        "max_clients": 8,
        "max_shoppers": 16,
        "max_colluders": 1,
        "delta": 1e-6,
        "scheme": Scheme.SHARE_SUM,
    }
    return PrivacyPlan(**(fields | changes))


def manifest(**changes: Any) -> Manifest:
    """A round of a share sum, unless the plan says else; its keys are anybody's."""
    made: PrivacyPlan = changes.get("plan") or plan()
    fields: dict[str, Any] = {
        "population": "test-federation",
        "task": "popularity",
        "round_id": "round-1",
        "parameters": {"items": 12},
        "catalogue": "ca" * 32,
        "plan": made,
        "epsilon": made.round_epsilon() if made.private else None,
        "purposes": ("train-shared-models",),
        "categories": ("purchases",),
        "key_hashes": ("k1", "k2", "k3"),
        "unpaired_devices": False,
        "opens": NOW - 60,
        "closes": NOW + 600,
    }
    return Manifest(**(fields | changes))


@lru_cache
def round_secrets() -> tuple[RoundSecret, ...]:
    """Three key holders' secret keys of one round, made once."""
    return tuple(RoundSecret.generate() for _ in range(3))


def round_key(number: int, **changes: Any) -> RoundKey:
    """A key holder's key of the round that ``manifest`` makes."""
    fields: dict[str, Any] = {
        "holder": number,
        "population": "test-federation",
        "task": "popularity",
        "round_id": "round-1",
        "public": round_secrets()[number - 1].public,
        "not_before": NOW - 60,
        "not_after": NOW + 600,
    }
    return RoundKey(**(fields | changes))


def round_keys(**changes: Any) -> tuple[SignedRecord, ...]:
    """The three signed round keys."""
    numbers = range(1, HOLDERS + 1)
    return tuple(round_key(number, **changes).sign(holder_key(number)) for number in numbers)


def voted_manifest(scheme: Scheme = Scheme.COMPACT_SUM, **changes: Any) -> Manifest:
    """A round of a compact or piece sum under the keys of ``round_keys``."""
    keys = tuple(record.hash for record in round_keys())
    return manifest(**({"plan": plan(scheme=scheme), "key_hashes": keys} | changes))


def accepts(context: str) -> tuple[SignedRecord, ...]:
    """The three key holders' accepts of a context."""
    numbers = range(1, HOLDERS + 1)
    return tuple(Accept(holder=n, context=context).sign(holder_key(n)) for n in numbers)


def invitation(made: Manifest, name: str = "coordinator") -> Invitation:
    """What clients are sent of a round: signed, with keys and accepts where its scheme has them."""
    record = made.sign(signer(name))
    if not made.scheme.votes:
        return Invitation(manifest=record)
    return Invitation(manifest=record, round_keys=round_keys(), accepts=accepts(context_of(record)))


def piece_part(
    updates: Iterable[SealedUpdate],
    holder: int,
    made: PrivacyPlan,
    *,
    senders: Sequence[bytes] = (),
) -> PartSum:
    """What a key holder opens and adds of a compact or piece sum under ``round_keys``.

    ``senders``: whose each update is; all of them ``SENDER``'s unless given.
    """
    sealed = list(updates)
    length = piece_length(made.scheme, made.padded_dimension, made.layout)
    held = [
        open_envelope(
            update.shares[holder - 1],
            holder=holder,
            context=update.context,
            secret=round_secrets()[holder - 1],
            record_hash=round_keys()[holder - 1].hash,
            sender=who,
            length=length,
            commitments=(update.commitments[0], update.commitments[1], update.commitments[2]),
        )
        for update, who in zip(sealed, senders or [SENDER] * len(sealed), strict=True)
    ]
    return sum_pieces(held, holder=holder, context=sealed[0].context, length=length)


def commit(context: str, *, clients: int = 4, **changes: Any) -> Commit:
    fields: dict[str, Any] = {
        "task": "popularity",
        "round_id": "round-1",
        "context": context,
        "uploads": tuple(
            CommittedUpload(upload=f"{k:064x}", client=f"client-{k}", shoppers=1)
            for k in range(clients)
        ),
        "committed_at": 1000 * NOW,
    }
    return Commit(**(fields | changes))
