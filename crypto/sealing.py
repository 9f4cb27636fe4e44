"""From a manifest to the secure sum of its round: which scheme, under which keys.

Clients, coordinator and key holders build it here, so that all check the same things: in share sum
the public BFV contexts of pinned cards, else the round keys that pinned identities signed for
exactly this round.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from crypto.dp.plan import PrivacyPlan
from crypto.errors import WireError
from crypto.holder_card import HolderCard
from crypto.manifest import Manifest
from crypto.round_key import RoundKey
from crypto.sums.compact_sum.scheme import CompactSum
from crypto.sums.interface import SecureSum
from crypto.sums.pieces.envelope import RoundPublicKey
from crypto.sums.pieces.scheme import PieceSum
from crypto.sums.schemes import HOLDERS, Scheme
from crypto.wire import SignedRecord

_PIECED: Final[Mapping[Scheme, type[PieceSum] | type[CompactSum]]] = {
    Scheme.PIECE_SUM: PieceSum,
    Scheme.COMPACT_SUM: CompactSum,
}


def round_public_keys(
    manifest: Manifest, records: Sequence[SignedRecord], identities: Sequence[Ed25519PublicKey]
) -> tuple[RoundPublicKey, ...]:
    """The keys that clients seal to, in the key holders' order.

    Raises:
        WireError: one is not signed by its pinned identity, is for another round, is not the one
            that the manifest names, or does not hold while the round is open.
    """
    if not len(records) == len(identities) == HOLDERS:
        raise WireError(f"A round has the round keys of all {HOLDERS} key holders.")
    keys = []
    for number, record in enumerate(records, start=1):
        found = RoundKey.verify(record, identities[number - 1])
        place = (found.holder, found.population, found.task, found.round_id)
        if place != (number, manifest.population, manifest.task, manifest.round_id):
            raise WireError("A round key is another key holder's, or for another round.")
        if record.hash != manifest.key_hashes[number - 1]:
            raise WireError("A round key is not the one that the manifest names.")
        if not found.not_before <= manifest.opens < manifest.closes <= found.not_after:
            raise WireError("A round key does not hold while its round is open.")
        keys.append(RoundPublicKey(raw=found.public, record_hash=record.hash))
    return tuple(keys)


def pieced_sum(plan: PrivacyPlan, context: str, keys: Sequence[RoundPublicKey]) -> SecureSum:
    """The piece sum or compact sum of a round under checked round keys."""
    return _PIECED[plan.scheme](
        context=context, dimension=plan.dimension, layout=plan.layout, keys=keys
    )


def share_sum(plan: PrivacyPlan, context: str, cards: Sequence[HolderCard]) -> SecureSum:
    """The share sum of a round under the public contexts of pinned cards."""
    from crypto.sums.share_sum.scheme import ShareSum  # noqa: PLC0415 - TenSEAL is slow to import

    return ShareSum(
        context=context,
        dimension=plan.dimension,
        public_keys=[card.context for card in cards],
        key_hashes=[card.context_hash for card in cards],
    )


def secure_sum(
    manifest: Manifest,
    context: str,
    *,
    cards: Sequence[HolderCard],
    round_keys: Sequence[SignedRecord],
) -> SecureSum:
    """The secure sum of a round; ``round_keys`` are none in share sum.

    Raises:
        WireError: keys that don't belong to this round (see ``round_public_keys``).
        SealError: a public context that is not the pinned one, or a signed round key that is none.
    """
    if manifest.scheme is Scheme.SHARE_SUM:
        if manifest.key_hashes != tuple(card.context_hash for card in cards):
            raise WireError("The manifest names other keys than the pinned key holders'.")
        return share_sum(manifest.plan, context, cards)
    keys = round_public_keys(manifest, round_keys, [card.identity for card in cards])
    return pieced_sum(manifest.plan, context, keys)
