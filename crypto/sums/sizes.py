"""How many bytes a sealed vector has: they depend on the plan alone."""

from dataclasses import dataclass

from crypto.dp.plan import PrivacyPlan
from crypto.sums.compact_sum.parameters import body_bytes
from crypto.sums.pieces.envelope import envelope_bytes
from crypto.sums.pieces.length import piece_length
from crypto.sums.schemes import HOLDERS, Scheme
from crypto.sums.share_sum.parameters import CIPHERTEXT_BYTES, ciphertexts


@dataclass(frozen=True, kw_only=True)
class SealedSizes:
    """Bytes of a body and of each key holder's share."""

    body: int
    shares: tuple[int, ...]

    @property
    def total(self) -> int:
        """What a client sends of its sealed vector, all key holders together."""
        return self.body + sum(self.shares)

    @property
    def largest(self) -> int:
        """The longest part."""
        return max(self.body, *self.shares)


def sealed_sizes(plan: PrivacyPlan) -> SealedSizes:
    """The sizes of every sealed vector of a plan."""
    if plan.scheme is Scheme.SHARE_SUM:
        share = CIPHERTEXT_BYTES * ciphertexts(plan.padded_dimension)
        return SealedSizes(body=0, shares=(share,) * HOLDERS)
    length = piece_length(plan.scheme, plan.padded_dimension, plan.layout)
    holders = range(1, HOLDERS + 1)
    compact = plan.scheme is Scheme.COMPACT_SUM
    return SealedSizes(
        body=body_bytes(plan.padded_dimension, plan.layout) if compact else 0,
        shares=tuple(envelope_bytes(holder, length) for holder in holders),
    )
