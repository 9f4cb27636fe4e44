"""Key holders, keys and small rounds for the tests of piece sum and compact sum."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

from crypto.dp.widths import FieldLayout
from crypto.sums.compact_sum.scheme import CompactSum
from crypto.sums.interface import SecureSum
from crypto.sums.pieces.envelope import RoundPublicKey
from crypto.sums.pieces.open import HeldPieces, RoundSecret, open_envelope, sum_pieces
from crypto.sums.pieces.scheme import PieceSum
from crypto.update import PartSum, SealedUpdate
from tests.unit.crypto.samples import generator, noised

IntArray = npt.NDArray[np.int64]

CONTEXT = "c0ffee" * 10 + "abcd"
SENDER = bytes(range(32))
HASHES = ("11" * 32, "22" * 32, "33" * 32)
PAIRS = [*combinations((1, 2, 3), 2)]
ALL = [*PAIRS, (1, 2, 3)]

PIECE_A = FieldLayout(fields=1, field_bits=32, guard_bits=0)
PIECE_B = FieldLayout(fields=2, field_bits=16, guard_bits=0)
COMPACT_A = FieldLayout(fields=1, field_bits=21, guard_bits=11)
COMPACT_A_THOUSAND = FieldLayout(fields=1, field_bits=20, guard_bits=12)
COMPACT_A_MOST = FieldLayout(fields=1, field_bits=18, guard_bits=14)
COMPACT_B = FieldLayout(fields=2, field_bits=10, guard_bits=11)


@lru_cache
def secrets() -> tuple[RoundSecret, ...]:
    return tuple(RoundSecret.generate() for _ in range(3))


@lru_cache
def keys() -> tuple[RoundPublicKey, ...]:
    return tuple(
        RoundPublicKey(secret.public, record_hash)
        for secret, record_hash in zip(secrets(), HASHES, strict=True)
    )


def piece_sum(dimension: int, layout: FieldLayout = PIECE_A) -> PieceSum:
    return PieceSum(context=CONTEXT, dimension=dimension, layout=layout, keys=keys())


def compact_sum(dimension: int, layout: FieldLayout = COMPACT_A) -> CompactSum:
    return CompactSum(context=CONTEXT, dimension=dimension, layout=layout, keys=keys())


def opened(update: SealedUpdate, holder: int, length: int, *, sender: bytes = SENDER) -> HeldPieces:
    first, second, third = update.commitments
    return open_envelope(
        update.shares[holder - 1],
        holder=holder,
        context=CONTEXT,
        secret=secrets()[holder - 1],
        record_hash=HASHES[holder - 1],
        sender=sender,
        length=length,
        commitments=(first, second, third),
    )


def part(updates: Iterable[SealedUpdate], holder: int, length: int) -> PartSum:
    held = (opened(update, holder, length) for update in updates)
    return sum_pieces(held, holder=holder, context=CONTEXT, length=length)


def sealed(scheme: SecureSum, rows: Iterable[IntArray], label: str) -> list[SealedUpdate]:
    rng = generator(label)
    return [scheme.seal(noised(row), sender=SENDER, rng=rng) for row in rows]


def summed(
    scheme: PieceSum | CompactSum, updates: Sequence[SealedUpdate], holders: Iterable[int]
) -> IntArray:
    parts = [part(updates, holder, scheme.piece_length) for holder in holders]
    return scheme.combine(scheme.add(iter(updates)), parts)
