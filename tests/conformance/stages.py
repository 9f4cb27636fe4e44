"""A round of each scheme with its key holders: what the tests over all schemes stand on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crypto.sealing import pieced_sum, round_public_keys
from crypto.sums.interface import SecureSum
from crypto.sums.schemes import HOLDERS, Scheme
from crypto.update import IntArray, NoisedUpdate, PartSum, SealedSum, SealedUpdate
from tests.unit.crypto.samples import (
    SENDER,
    generator,
    identities,
    opening_keys,
    piece_part,
    plan,
    round_keys,
    share_sum,
    voted_manifest,
)

CONTEXT: Final = "c0ffee"
EVERYBODY: Final = tuple(range(1, HOLDERS + 1))


@dataclass(frozen=True)
class Stage:
    """One round of a scheme with its key holders.

    Attributes:
        build: a round of (dimension, context).
        open: what a key holder (1..3) opens of (total, the sealed updates in it, holder,
            dimension). In share sum it gets its share of the total, in the others its shares of
            the updates.
        envelopes: whether only key holders see what is inside the shares.
    """

    build: Callable[[int, str], SecureSum]
    open: Callable[[SealedSum, Sequence[SealedUpdate], int, int], PartSum]
    envelopes: bool

    def opened(
        self,
        scheme: SecureSum,
        sealed: Sequence[SealedUpdate],
        *,
        dimension: int,
        holders: Sequence[int] = EVERYBODY,
    ) -> tuple[SealedSum, list[PartSum]]:
        """The sum of sealed updates, and what key holders open of it."""
        total = scheme.add(iter(sealed))
        return total, [self.open(total, sealed, holder, dimension) for holder in holders]

    def summed(
        self,
        scheme: SecureSum,
        sealed: Sequence[SealedUpdate],
        *,
        dimension: int,
        holders: Sequence[int] = EVERYBODY,
    ) -> IntArray:
        """The combined sum of sealed updates."""
        total, parts = self.opened(scheme, sealed, dimension=dimension, holders=holders)
        return scheme.combine(total, parts)


def seal(scheme: SecureSum, items: Sequence[NoisedUpdate], label: str = "") -> list[SealedUpdate]:
    """Seal updates one after another."""
    rng = generator(f"conformance {label}")
    return [scheme.seal(item, sender=SENDER, rng=rng) for item in items]


def _open_share(
    total: SealedSum, _sealed: Sequence[SealedUpdate], holder: int, dimension: int
) -> PartSum:
    return opening_keys()[holder - 1].open_share(
        total.shares[holder - 1], holder=holder, context=total.context, dimension=dimension
    )


def _pieced(scheme: Scheme) -> Stage:
    def build(dimension: int, context: str) -> SecureSum:
        keys = round_public_keys(voted_manifest(scheme), round_keys(), identities())
        return pieced_sum(plan(scheme=scheme, dimension=dimension), context, keys)

    def open_pieces(
        _total: SealedSum, sealed: Sequence[SealedUpdate], holder: int, dimension: int
    ) -> PartSum:
        return piece_part(sealed, holder, plan(scheme=scheme, dimension=dimension))

    return Stage(build=build, open=open_pieces, envelopes=True)


STAGES: Final[Mapping[Scheme, Stage]] = {
    Scheme.SHARE_SUM: Stage(
        build=lambda dimension, context: share_sum(dimension, context=context),
        open=_open_share,
        envelopes=False,
    ),
    Scheme.PIECE_SUM: _pieced(Scheme.PIECE_SUM),
    Scheme.COMPACT_SUM: _pieced(Scheme.COMPACT_SUM),
}
