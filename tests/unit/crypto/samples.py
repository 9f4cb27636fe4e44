"""What the tests of the privacy path are made of: keys, plans, manifests and lists, by hand."""

import hashlib
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.commit import Commit, CommittedUpload
from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.holder_card import HolderCard
from crypto.manifest import Manifest
from crypto.sums.interface import Scheme
from crypto.sums.share_sum.open import OpeningKey
from crypto.sums.share_sum.parameters import context_hash
from crypto.sums.share_sum.scheme import ShareSum
from crypto.update import NOISE_DOOR, NoisedUpdate
from crypto.wire import public_bytes

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


@lru_cache
def cards() -> tuple[HolderCard, ...]:
    """The cards of the same three key holders."""
    return tuple(
        HolderCard.sign(number, context, signer(f"key-holder-{number}"))
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
