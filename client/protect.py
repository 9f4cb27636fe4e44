"""The single exit: clip, rotate, round, sum, noise, seal. Nothing else leaves a client.

Takes one shopper's raw vector at a time, so a store with thousands of shoppers needs memory for
one vector and one sum.
"""

from collections.abc import Iterable, Iterator

from crypto.dp.clipping import clip
from crypto.dp.noise import add_centred_noise, add_noise
from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.dp.rotation import Rotation
from crypto.dp.rounding import round_update
from crypto.dp.widths import NoiseSet
from crypto.sums.interface import SecureSum
from crypto.update import ClippedUpdate, RawUpdate, SealedUpdate


def protect(
    contributions: Iterable[RawUpdate],
    *,
    plan: PrivacyPlan,
    context: str,
    scheme: SecureSum,
    sender: bytes,
    rng: SecureRandom,
) -> SealedUpdate:
    """Seal the sum of a client's shoppers, each clipped to C, with the client's share of noise.

    ``sender``: raw bytes of the client's public key, which its pieces are bound to.

    Guarantee: each shopper's vector is bounded by itself before it is added to any other, so the
    bound holds for every shopper of a store.

    Raises:
        ValueError: no contribution, or one of another length than the plan's.
    """
    rotation = Rotation(context, plan.dimension)
    clipped = _clipped(contributions, plan=plan)
    if plan.noise is NoiseSet.CENTRED_GAUSSIAN:
        noised = add_centred_noise(clipped, plan=plan, rotation=rotation, rng=rng)
    else:
        rounded = (
            round_update(each, rotation=rotation, scale=plan.scale, rng=rng) for each in clipped
        )
        noised = add_noise(rounded, plan=plan, rng=rng)
    return scheme.seal(noised, sender=sender, rng=rng)


def _clipped(contributions: Iterable[RawUpdate], *, plan: PrivacyPlan) -> Iterator[ClippedUpdate]:
    for raw in contributions:
        if raw.values.size != plan.dimension:
            raise ValueError(
                f"A contribution has {raw.values.size} values, the plan {plan.dimension}."
            )
        yield clip(raw, clipping_norm=plan.clipping_norm)
