"""The private coin of hidden Poisson sampling, flipped on the shopper's own client."""

from typing import Final

from crypto.dp.plan import PrivacyPlan
from crypto.dp.plan_terms import Sampling
from crypto.dp.random import SecureRandom

_BITS: Final = 53


def coin(plan: PrivacyPlan, *, rng: SecureRandom) -> bool:
    """Whether one shopper's vector takes part in this round; a zero vector does otherwise.

    Always true without sampling. With it, true with probability ``plan.sampling_rate`` (up to
    2**-53), independently for each shopper and round. Either way the client sends: an upload's
    length, its header and its grants must not depend on the outcome, nor may it be stored or
    logged. A client that seals a second time (a store whose shopper withdrew) flips anew: only one
    of its two uploads can be in a sum, and which one is does not depend on any coin.

    Guarantee: the plan's ε for a sampled release holds for a shopper whose own client flips an
    honest coin and keeps it to itself. Nobody else can check that, and nobody else has to: a client
    that cheats changes no other shopper's ε.
    """
    if plan.sampling is Sampling.ALL:
        return True
    drawn = int.from_bytes(rng.bytes(8), "little") >> (64 - _BITS)
    return drawn < int(plan.sampling_rate * 2.0**_BITS)
