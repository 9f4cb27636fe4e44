"""A share sum with keys of this audit's own, and the doors that its adversaries use."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.sums.schemes import HOLDERS, Scheme
from crypto.sums.share_sum import packing, shamir
from crypto.sums.share_sum.open import OpeningKey
from crypto.sums.share_sum.parameters import CIPHERTEXT_BYTES, SLOTS, context_hash
from crypto.sums.share_sum.scheme import ShareSum
from crypto.update import FloatArray, IntArray, PartSum, SealedSum, SealedUpdate
from simulations.attacks.bfv_bytes import Ciphertext
from simulations.attacks.bfv_slots import decrypt
from simulations.attacks.pipeline import CONTEXT, Pipeline
from simulations.attacks.setting import under

# Honest clients beside the hostile one.
CLIENTS = 5
_HEADER = 4
_NO_KEY = np.zeros(SLOTS, dtype=np.int64)


def share_plan(plan: PrivacyPlan) -> PrivacyPlan:
    """A plan under share sum, for the lab's few clients and one full ciphertext."""
    return under(plan, Scheme.SHARE_SUM, clients=CLIENTS + 1, dimension=SLOTS)


@dataclass(frozen=True, kw_only=True)
class ShareLab:
    """One round of share sum: three key holders, their keys, a plan."""

    plan: PrivacyPlan
    rng: SecureRandom

    @cached_property
    def holders(self) -> tuple[OpeningKey, ...]:
        """The key holders' secret keys; adversaries never read them."""
        return tuple(OpeningKey.generate() for _ in range(HOLDERS))

    @cached_property
    def scheme(self) -> ShareSum:
        """The scheme under their public keys."""
        public = [holder.public for holder in self.holders]
        return ShareSum(
            context=CONTEXT,
            dimension=self.plan.dimension,
            public_keys=public,
            key_hashes=[context_hash(data) for data in public],
        )

    def blind(self, sealed: SealedUpdate) -> IntArray:
        """The sealed vector decrypted with keys of zeros; see ``Lab``."""
        return read(sealed, [_NO_KEY] * HOLDERS, self.plan.padded_dimension)

    @property
    def pipeline(self) -> Pipeline:
        """What clients do before they seal."""
        return Pipeline(plan=self.plan, context=CONTEXT, rng=self.rng)

    def open(self, _sealed: Sequence[SealedUpdate], total: SealedSum) -> list[PartSum]:
        """Every key holder opens its share of a sum, as it would in a round."""
        return [
            holder.open_share(share, holder=number, context=CONTEXT, dimension=self.plan.dimension)
            for number, (holder, share) in enumerate(
                zip(self.holders, total.shares, strict=True), start=1
            )
        ]


def ciphertexts(share: bytes) -> list[Ciphertext]:
    """The ciphertexts inside one share's frames."""
    found = []
    for start in range(0, len(share), CIPHERTEXT_BYTES):
        size = int.from_bytes(share[start : start + _HEADER], "little")
        found.append(Ciphertext.parse(share[start + _HEADER : start + _HEADER + size]))
    return found


def altered(sealed: SealedUpdate, change: Callable[[int, Ciphertext], Ciphertext]) -> SealedUpdate:
    """A sealed update whose ciphertexts a hostile client rewrote, framed as any other.

    Args:
        sealed: an update of share sum.
        change: from the key holder's number and a ciphertext to the ciphertext in its place.
    """
    shares = [
        b"".join(_frame(change(number, each)) for each in ciphertexts(share))
        for number, share in enumerate(sealed.shares, start=1)
    ]
    return replace(sealed, shares=tuple(shares))


def _frame(ciphertext: Ciphertext) -> bytes:
    data = ciphertext.to_bytes()
    return (len(data).to_bytes(_HEADER, "little") + data).ljust(CIPHERTEXT_BYTES, b"\x00")


def read(sealed: SealedUpdate, keys: Sequence[IntArray], length: int) -> IntArray:
    """Decrypt an upload with two key holders' keys, as those two together could."""
    shares = {
        holder: np.concatenate(
            [decrypt(each, keys[holder - 1]) for each in ciphertexts(sealed.shares[holder - 1])]
        )
        for holder in (1, 2)
    }
    return packing.unpack(shamir.recover(shares), length)


def some_shoppers(plan: PrivacyPlan, count: int, rng: np.random.Generator) -> list[FloatArray]:
    """Vectors of so many made-up shoppers, of length one."""
    drawn = rng.exponential(size=(count, plan.dimension)) ** 4
    return list(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))
