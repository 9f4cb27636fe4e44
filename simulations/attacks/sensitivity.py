"""Sensitivity: vectors built to break the bound on what one shopper can change."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.update import FloatArray, IntArray
from simulations.attacks.finding import Control, Finding
from simulations.attacks.pipeline import Pipeline
from simulations.attacks.setting import Setting
from simulations.attacks.statistics import exactly

DRAWS = 20
_LAST_BITS = Fraction(1, 10**9)


def worst_cases(dimension: int, rng: np.random.Generator) -> Iterator[tuple[str, FloatArray]]:
    """Vectors that a broken or hostile client might hand to the clipping, by name."""
    one = np.zeros(dimension)
    one[0] = 1.0
    normal = rng.normal(size=dimension)
    yield "all mass on one item", one
    yield "the same, a hair too long", one * (1 + 2**-52)
    yield "everything alike", np.ones(dimension)
    yield "alternating signs", np.where(np.arange(dimension) % 2, -1.0, 1.0)
    yield "random direction", normal
    yield "random direction of exact length", normal / np.linalg.norm(normal)
    yield "half units everywhere", np.full(dimension, 0.5)
    yield "huge", normal * 1e300
    yield "largest float", np.full(dimension, np.finfo(np.float64).max)
    yield "tiny", normal * 1e-300
    yield "subnormal", np.full(dimension, 5e-324)
    yield "huge and tiny", np.where(np.arange(dimension) % 2, 1e308, 5e-324)
    for name, value in (("NaN", np.nan), ("infinity", np.inf), ("minus infinity", -np.inf)):
        broken = normal.copy()
        broken[dimension // 2] = value
        yield f"one {name}", broken
        yield f"all {name}", np.full(dimension, value)


def squared_norm(values: IntArray | FloatArray) -> Fraction:
    """The exact squared norm, of integers and of floats alike."""
    return sum((Fraction(value) ** 2 for value in values.tolist()), Fraction())


def sensitivity(setting: Setting) -> Finding:
    """Every worst case through clipping and rounding, many draws each; the largest norm found."""
    return largest_norm(setting.run.popularity.plan, setting.secure, setting.chance)


def largest_norm(
    plan: PrivacyPlan, secure: SecureRandom, rng: np.random.Generator, *, draws: int = DRAWS
) -> Finding:
    """The finding for a plan: the largest exact squared norm over Δ₂²."""
    pipeline = Pipeline(plan=plan, context="5e" * 32, rng=secure)
    cases = dict(worst_cases(plan.dimension, rng))
    found = {
        name: max(squared_norm(pipeline.bounded(values)) for _ in range(draws))
        for name, values in cases.items()
    }
    # Set B's vectors are real, so the rotation's last bits are allowed for.
    allowed = Fraction(plan.squared_sensitivity) * (
        1 if pipeline.rounds_vectors else 1 + _LAST_BITS
    )
    worst = max(found, key=found.__getitem__)
    figure = float(found[worst] / allowed)
    unbound = _unclipped(pipeline, cases["everything alike"])
    control = float(unbound / allowed)
    return Finding(
        name="sensitivity",
        adversary="A client that computes any vector at all, broken numbers included.",
        action="Hands worst cases to the clipping: NaN, infinities, huge, tiny, aligned.",
        claim="No shopper's rounded vector is longer than the Δ₂ that is paid for.",
        measure="largest squared norm, as a share of Δ₂²",
        figure=figure,
        interval=exactly(figure),
        bound=1.0,
        permitted="Δ₂², in exact arithmetic",
        holds=all(squared <= allowed for squared in found.values()),
        control=Control(
            name="clipping off",
            figure=control,
            interval=exactly(control),
            fired=control > 1.0,
        ),
        note=f"{len(cases)} vectors, {draws} roundings each; largest: {worst}.",
        details={name: f"{float(value / allowed):.6f}" for name, value in found.items()},
    )


def _unclipped(pipeline: Pipeline, values: FloatArray) -> Fraction:
    """Rotation and rounding alone."""
    plan = pipeline.plan
    rotated = pipeline.rotation.forward(values) * (plan.scale / plan.clipping_norm)
    return squared_norm(np.rint(rotated).astype(np.int64))
