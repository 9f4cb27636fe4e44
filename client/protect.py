"""The single exit: clip, rotate, round, sum, noise, seal. Nothing else leaves a client.

Takes one shopper's raw vector at a time, so a store with thousands of shoppers needs memory for
one vector and one sum.
"""

from collections.abc import Iterable, Iterator

from crypto.dp.clipping import clip
from crypto.dp.noise import add_noise
from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.dp.rotation import Rotation
from crypto.dp.rounding import round_update
from crypto.sums.interface import SecureSum
from crypto.update import RawUpdate, RoundedUpdate, SealedUpdate


def protect(
    contributions: Iterable[RawUpdate],
    *,
    plan: PrivacyPlan,
    context: str,
    scheme: SecureSum,
    rng: SecureRandom,
) -> SealedUpdate:
    """Seal the sum of a client's shoppers, each clipped to C, with the client's share of noise.

    Guarantee: each shopper's vector is bounded by itself before it is added to any other, so the
    bound holds for every shopper of a store.

    Raises:
        ValueError: no contribution, or one of another length than the plan's.
    """
    rotation = Rotation(context, plan.dimension)
    rounded = _bounded(contributions, plan=plan, rotation=rotation, rng=rng)
    return scheme.seal(add_noise(rounded, plan=plan, rng=rng), rng=rng)


def _bounded(
    contributions: Iterable[RawUpdate], *, plan: PrivacyPlan, rotation: Rotation, rng: SecureRandom
) -> Iterator[RoundedUpdate]:
    for raw in contributions:
        if raw.values.size != plan.dimension:
            raise ValueError(
                f"A contribution has {raw.values.size} values, the plan {plan.dimension}."
            )
        clipped = clip(raw, clipping_norm=plan.clipping_norm)
        yield round_update(clipped, rotation=rotation, scale=plan.scale, rng=rng)
