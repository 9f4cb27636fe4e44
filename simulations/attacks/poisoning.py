"""Poisoning: colluders promote one cold item, with and without clipping.

Nothing here claims a sum that resists poisoning. Clipping bounds what a shopper who lies about her
purchases can do to C; a client that runs other code than ours isn't bounded by it, because sealed
vectors can't be inspected (docs/threat-model.md).
"""

from dataclasses import dataclass

import numpy as np

from crypto.update import FloatArray
from simulations.attacks.audited import AuditedRelease
from simulations.attacks.finding import Control, Finding
from simulations.attacks.pipeline import Pipeline
from simulations.attacks.setting import Setting
from simulations.attacks.statistics import exactly

SHARES = (0.001, 0.01, 0.05)
# How far each colluder overstates her purchases.
LIE = 1000.0


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """What a group of colluders achieved for one item."""

    colluders: int
    lift: float
    before: int
    after: int

    @property
    def per_colluder(self) -> float:
        """Lift of the item in the sum, a colluder, in clipping norms."""
        return self.lift / self.colluders


def poisoning(setting: Setting) -> Finding:
    """Promote the coldest item of the run's popularity release."""
    return promote_cold(setting.run.popularity, setting.pipeline(setting.run.popularity.plan))


def promote_cold(release: AuditedRelease, pipeline: Pipeline) -> Finding:
    """The finding on one release."""
    groups = [max(1, round(share * release.shoppers)) for share in SHARES]
    clipped = [promote(release, pipeline, count, clipping=True) for count in groups]
    bare = [promote(release, pipeline, count, clipping=False) for count in groups]
    plan = pipeline.plan
    bound = float(np.sqrt(plan.squared_sensitivity)) / plan.scale
    worst = max(each.per_colluder for each in clipped)
    least = bare[0].per_colluder
    return Finding(
        name="poisoning",
        adversary="0.1 %, 1 % and 5 % of the shoppers, who agree on one item that nobody buys.",
        action=f"Each reports only that item, {LIE:g} times what a shopper can have.",
        claim="Who lies about her purchases moves the sum by at most one clipping norm.",
        measure="the item's gain in the sum a colluder, in clipping norms",
        figure=worst,
        interval=exactly(worst),
        bound=bound,
        permitted="Δ₂ over the scale: one clipping norm and its rounding",
        holds=worst <= bound,
        control=Control(
            name="clipping off",
            figure=least,
            interval=exactly(least),
            fired=least > bound and bare[0].after == 1,
        ),
        note="No claim of sums that resist poisoning: a colluder still has the say of one shopper, "
        "and a client that runs other code isn't bound by its own clipping.",
        details=dict(_told(*row) for row in zip(SHARES, clipped, bare, strict=True)),
    )


def promote(
    release: AuditedRelease, pipeline: Pipeline, colluders: int, *, clipping: bool
) -> Promotion:
    """Add the colluders' vectors to a released sum and rank the item again."""
    base = release.values
    item = int(np.argmin(base))
    vector = np.zeros(pipeline.plan.dimension)
    vector[item] = LIE * pipeline.plan.clipping_norm
    if clipping:
        gain = pipeline.released(pipeline.shoppers_alone([vector] * colluders))
    else:
        gain = colluders * vector
    poisoned = base + gain
    return Promotion(
        colluders=colluders,
        lift=float(poisoned[item] - base[item]) / pipeline.plan.clipping_norm,
        before=_rank(base, item),
        after=_rank(poisoned, item),
    )


def _rank(values: FloatArray, item: int) -> int:
    """1 for the largest."""
    return 1 + int((values > values[item]).sum())


def _told(share: float, clipped: Promotion, bare: Promotion) -> tuple[str, str]:
    return (
        f"{share:.1%} of the shoppers ({clipped.colluders})",
        f"rank {clipped.before:,} to {clipped.after:,}; without clipping to {bare.after:,}",
    )
