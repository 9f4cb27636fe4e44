"""What a privacy plan must hold before it exists; every check raises ``PlanError``."""

import math
from typing import TYPE_CHECKING

from crypto.dp.clipping import MAX_CLIPPING_NORM, MIN_CLIPPING_NORM
from crypto.dp.correlated import coefficients
from crypto.dp.mechanism import integer_excess
from crypto.dp.plan_terms import MAX_CLIENT_NOISE, MAX_DELTA, SCALES, Sampling
from crypto.dp.rotation import MAX_DIMENSION
from crypto.dp.smoothing import MAX_EXCESS
from crypto.dp.widths import NoiseSet
from crypto.errors import NarrowNoiseError, PlanError

if TYPE_CHECKING:
    from crypto.dp.plan import PrivacyPlan


def check_plan(plan: "PrivacyPlan") -> None:
    """Refuse a plan that contradicts itself, or whose fields could wrap."""
    _bounds(plan)
    _parties(plan)
    _noise(plan)
    _participation(plan)
    _fields(plan)


def _bounds(plan: "PrivacyPlan") -> None:
    _require(1 <= plan.dimension <= MAX_DIMENSION, f"1 <= dimension={plan.dimension}")
    _require(
        MIN_CLIPPING_NORM <= plan.clipping_norm <= MAX_CLIPPING_NORM,
        f"{MIN_CLIPPING_NORM} <= clipping_norm={plan.clipping_norm} <= {MAX_CLIPPING_NORM}",
    )
    _require(
        0 <= plan.noise_multiplier < math.inf, f"noise_multiplier={plan.noise_multiplier} >= 0"
    )
    _require(0 < plan.delta <= MAX_DELTA, f"0 < delta={plan.delta} <= {MAX_DELTA}")
    _require(plan.rounds >= 1, f"rounds={plan.rounds} >= 1")


def _parties(plan: "PrivacyPlan") -> None:
    clients, colluders = plan.min_clients, plan.max_colluders
    _require(colluders >= 0, f"max_colluders={colluders} >= 0")
    if plan.scheme.votes:
        # Key holders' entries are honest contributors too; one client more than colluders keeps
        # the second line of noise from vanishing.
        _require(
            clients > max(1, colluders),
            f"min_clients={clients} >= 2 and min_clients={clients} > max_colluders={colluders}",
        )
    else:
        _require(
            clients > colluders + 1,
            f"min_clients={clients} > max_colluders + 1 = {colluders + 1}: "
            "at least two honest contributors must remain",
        )
    _require(
        clients <= plan.max_clients <= plan.max_shoppers,
        f"min_clients={clients} <= max_clients={plan.max_clients} "
        f"<= max_shoppers={plan.max_shoppers}",
    )


def _noise(plan: "PrivacyPlan") -> None:
    _require(
        0 <= plan.client_noise <= MAX_CLIENT_NOISE,
        f"0 <= client_noise={plan.client_noise} <= {MAX_CLIENT_NOISE:g}",
    )
    if plan.private and not plan.scheme.votes:
        _require(
            plan.client_noise >= 1,
            f"client_noise={plan.client_noise} >= 1: in a {plan.scheme.value} the clients' noise "
            "is all there is",
        )
    if plan.noise is NoiseSet.SKELLAM:
        _require(plan.scale in SCALES, f"scale={plan.scale} among {SCALES}")
    else:
        _require(
            plan.experimental,
            f"experimental=True for noise={plan.noise.value}: its privacy argument is not "
            "reviewed from outside",
        )
        _require(1 <= plan.scale <= SCALES[0], f"1 <= scale={plan.scale} <= {SCALES[0]}")
        _integers(plan)


def _integers(plan: "PrivacyPlan") -> None:
    if plan.private and not integer_excess(plan) <= MAX_EXCESS:
        raise NarrowNoiseError(
            f"With noise_multiplier={plan.noise_multiplier:g} at scale={plan.scale} set B's noise "
            f"is too narrow for integers: they may cost {integer_excess(plan):.1e} beyond the "
            f"accounted divergence, at most {MAX_EXCESS:g} is left out; raise either, or "
            "client_noise."
        )


def _participation(plan: "PrivacyPlan") -> None:
    if plan.sampling is Sampling.ALL:
        _require(plan.sampling_rate == 1.0, f"sampling_rate={plan.sampling_rate} == 1 with 'all'")
    else:
        _require(0 < plan.sampling_rate < 1, f"0 < sampling_rate={plan.sampling_rate} < 1")
        _require(
            plan.separation == 1,
            f"separation={plan.separation} == 1 with {plan.sampling.value}: all send in all rounds",
        )
    _require(plan.separation >= 1, f"separation={plan.separation} >= 1")
    if plan.bands > 1:
        _bands(plan)


def _bands(plan: "PrivacyPlan") -> None:
    coefficients(plan.bands)
    _require(
        plan.scheme.votes and plan.noise is NoiseSet.SKELLAM,
        f"bands={plan.bands} == 1 for {plan.scheme.value} and {plan.noise.value}: key holders "
        "add banded noise, to whole vectors of set A",
    )
    _require(
        plan.separation >= plan.bands,
        f"separation={plan.separation} >= bands={plan.bands}",
    )
    if plan.private and not integer_excess(plan) <= MAX_EXCESS:
        raise NarrowNoiseError(
            f"Expected noise_multiplier={plan.noise_multiplier:g} to be larger: banded noise this "
            f"narrow may cost {integer_excess(plan):.1e} beyond the accounted divergence, at most "
            f"{MAX_EXCESS:g} is left out."
        )


def _fields(plan: "PrivacyPlan") -> None:
    largest, layout = plan.largest_sum, plan.layout
    if largest > layout.limit:
        raise PlanError(
            f"A sum over {plan.max_shoppers} shoppers may reach ±{largest:.0f}, but a "
            f"{layout.field_bits}-bit field holds ±{layout.limit}: lower scale={plan.scale} "
            "(PrivacyPlan.fitted tries), max_shoppers or noise_multiplier."
        )


def _require(holds: bool, statement: str) -> None:
    if not holds:
        raise PlanError(f"Expected {statement}.")
