"""A client from docs/other-languages.md alone, 4: one round, from invitation to upload.

What a real client also does is left out here, because it makes no bytes: writing to disk before it
sends, its shoppers' ledger, and the consent service's calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tests.foreign.compact import (
    RING,
    Sealed,
    layout_of,
    masked,
    packed,
    sealed_pieces,
    upload_header,
)
from tests.foreign.encoding import (
    h,
    packed_grants,
    raw,
    read_record,
    record_body,
    record_hash,
    require,
    unb64,
    unframed,
)
from tests.foreign.vector import (
    WORD,
    clipped,
    epsilon,
    gaussian_table,
    padded,
    rotate,
    rounded,
    sample,
    skellam_table,
    squared_bound,
    unwords,
)


@dataclass(frozen=True)
class Pins:
    coordinator: Ed25519PublicKey
    consent: Ed25519PublicKey
    holders: tuple[Ed25519PublicKey, Ed25519PublicKey, Ed25519PublicKey]
    population: str
    n_floor: int
    z_floor: float


@dataclass(frozen=True)
class Upload:
    """``values`` are the integers that went in: nothing that a real client would keep."""

    header: bytes
    grants: bytes
    sealed: Sealed
    values: list[int]


@dataclass(frozen=True)
class Joined:
    """A round that a client has checked."""

    context: str
    manifest: dict[str, Any]
    keys: list[tuple[str, bytes]]


@dataclass(frozen=True)
class ForeignClient:
    key: Ed25519PrivateKey
    pins: Pins

    def check(self, invitation: bytes, *, now: int) -> Joined:
        """Step 2: the manifest by its pins, three round keys, three accepts of one context."""
        parts = unframed(invitation)
        require(len(parts) == 7, "seven records")
        manifest = read_record(parts[0], "manifest", self.pins.coordinator)
        context = h("manifest", record_body(parts[0])).hex()
        plan = manifest["plan"]
        place = {name: manifest[name] for name in ("population", "task", "round")}
        require(manifest["version"] == 2 and plan["scheme"] == "compact-sum", "another protocol")
        require(plan["noise"] == "set-a" and plan["sampling"] == "all", "another noise")
        require(place["population"] == self.pins.population, "another population")
        require(plan["min_clients"] >= self.pins.n_floor, "too few")
        require(plan["noise_multiplier"] >= self.pins.z_floor, "too little noise")
        require(manifest["epsilon"] >= self._cost(plan) * (1 - 1e-6), "another ε")
        require(manifest["opens"] <= now < manifest["closes"], "another time")
        keys = []
        for number, identity in enumerate(self.pins.holders, start=1):
            accept = read_record(parts[3 + number], "accept", identity)
            require(accept == {"holder": number, "context": context}, "not accepted")
            key = read_record(parts[number], "round-key", identity)
            named = record_hash(parts[number])
            require(key["version"] == 1 and key["holder"] == number, "another key holder's")
            require({name: key[name] for name in place} == place, "another round's key")
            require(named == manifest["key_hashes"][number - 1], "another key")
            require(key["not_before"] <= manifest["opens"], "not yet valid")
            require(manifest["closes"] <= key["not_after"], "not valid any more")
            keys.append((named, unb64(key["key"])))
        return Joined(context, manifest, keys)

    def contribute(
        self, joined: Joined, vectors: Sequence[Sequence[float]], tokens: Sequence[str]
    ) -> Upload:
        """Steps 4 and 5: one vector and one grant a shopper."""
        plan, context = joined.manifest["plan"], joined.context
        size = padded(plan["dimension"])
        scale = plan["scale"] / plan["clipping_norm"]
        total = [0] * size
        for vector in vectors:
            real = rotate(clipped(vector, plan["clipping_norm"]), context)
            one = rounded([value * scale for value in real], plan["scale"])
            total = [a + b for a, b in zip(total, one, strict=True)]
        noise = sample(skellam_table(self._variance(plan)), size)
        total = [a + b for a, b in zip(total, noise, strict=True)]
        sealed = self._seal(joined, total)
        grants = packed_grants(tokens)
        header = upload_header(sealed, context, grants, len(tokens), self.key)
        return Upload(header, grants, sealed, total)

    @staticmethod
    def _cost(plan: dict[str, Any]) -> float:
        require(plan["bands"] == 1, "another noise")
        return epsilon(
            noise=plan["noise_multiplier"],
            scale=plan["scale"],
            dimension=plan["dimension"],
            delta=plan["delta"],
        )

    def _variance(self, plan: dict[str, Any]) -> float:
        guaranteed = plan["noise_multiplier"] ** 2 * squared_bound(
            plan["scale"], padded(plan["dimension"])
        )
        honest = plan["min_clients"] - plan["max_colluders"]
        return float(plan["client_noise"] * guaranteed / honest)

    def _seal(self, joined: Joined, values: Sequence[int]) -> Sealed:
        plan = joined.manifest["plan"]
        message = packed(values, layout_of(plan["noise"], plan["max_clients"]))
        message += [0] * (-len(message) % RING)
        table = gaussian_table(8.0)
        secret, error = sample(table, RING), sample(table, len(message))
        body = unwords(masked(joined.context, message, secret, error))
        shares, commitments = sealed_pieces(
            [value % WORD for value in secret], joined.context, raw(self.key), joined.keys
        )
        return Sealed(body, shares, commitments)
