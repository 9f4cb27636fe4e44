"""The privacy plan: one object for everything that must agree.

Accountant, clients, coordinator and key holders read the same ``PrivacyPlan``; it couples clipping
norm, noise, sampling, rounds, minimum cohort, assumed colluders and adjacency with the integer
encoding. A plan that contradicts itself, or whose fields could wrap, cannot be constructed.
"""

import math
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final, Self

from crypto.dp.accounting import SkellamRelease, epsilon
from crypto.dp.clipping import MAX_CLIPPING_NORM, MIN_CLIPPING_NORM
from crypto.dp.rotation import MAX_DIMENSION, padded
from crypto.dp.rounding import l1_bound, squared_l2_bound
from crypto.errors import PlanError, WireError
from crypto.wire import get_float, get_int, get_str

# Sums must stay strictly inside a signed field of this many bits (two fields a slot, share sum).
FIELD_BITS: Final = 20
WRAP_PROBABILITY: Final = 2.0**-40
# A larger δ would allow one shopper in a thousand to be published outright.
MAX_DELTA: Final = 1e-3
SCALES: Final = (1024, 512, 256, 128)


class PrivacyUnit(StrEnum):
    """What one unit of privacy covers. A store is a client, its unit is still one shopper."""

    SHOPPER = "shopper"


class Adjacency(StrEnum):
    """Which releases must look alike: one shopper's vector replaced by zero.

    That she took part is not hidden by it.
    """

    ZERO_OUT = "zero-out"


class Sampling(StrEnum):
    """How a cohort is chosen. ``ALL``: everyone with a standing grant; no amplification."""

    ALL = "all"


@dataclass(frozen=True, kw_only=True)
class PrivacyPlan:
    """The plan of one task's releases.

    Attributes:
        dimension: length of a contribution.
        clipping_norm: C, L2, in the contribution's units.
        noise_multiplier: z, unitless: std of the whole cohort's noise over Δ₂. 0 means no privacy.
        min_clients: n_min; fewer surviving clients and nothing is released.
        max_clients: the largest cohort that the field widths allow for.
        max_shoppers: likewise, in shoppers.
        max_colluders: c, clients that may leave their noise out.
        delta: of the (ε, δ) statement.
        rounds: how many releases this plan makes.
        scale: s, integer units per clipping norm.
    """

    dimension: int
    clipping_norm: float
    noise_multiplier: float
    min_clients: int
    max_clients: int
    max_shoppers: int
    max_colluders: int
    delta: float
    rounds: int = 1
    scale: int = SCALES[0]
    sampling: Sampling = Sampling.ALL
    adjacency: Adjacency = Adjacency.ZERO_OUT
    privacy_unit: PrivacyUnit = PrivacyUnit.SHOPPER

    def __post_init__(self) -> None:
        _require(1 <= self.dimension <= MAX_DIMENSION, f"1 <= dimension={self.dimension}")
        _require(
            MIN_CLIPPING_NORM <= self.clipping_norm <= MAX_CLIPPING_NORM,
            f"{MIN_CLIPPING_NORM} <= clipping_norm={self.clipping_norm} <= {MAX_CLIPPING_NORM}",
        )
        _require(
            0 <= self.noise_multiplier < math.inf, f"noise_multiplier={self.noise_multiplier} >= 0"
        )
        _require(self.max_colluders >= 0, f"max_colluders={self.max_colluders} >= 0")
        _require(
            self.min_clients > self.max_colluders + 1,
            f"min_clients={self.min_clients} > max_colluders + 1 = {self.max_colluders + 1}: "
            "at least two honest contributors must remain",
        )
        _require(
            self.min_clients <= self.max_clients <= self.max_shoppers,
            f"min_clients={self.min_clients} <= max_clients={self.max_clients} "
            f"<= max_shoppers={self.max_shoppers}",
        )
        _require(0 < self.delta <= MAX_DELTA, f"0 < delta={self.delta} <= {MAX_DELTA}")
        _require(self.rounds >= 1, f"rounds={self.rounds} >= 1")
        _require(self.scale in SCALES, f"scale={self.scale} among {SCALES}")
        self._require_fields_hold()

    def _require_fields_hold(self) -> None:
        largest, limit = self.largest_sum, 2 ** (FIELD_BITS - 1) - 1
        if largest > limit:
            raise PlanError(
                f"A sum over {self.max_shoppers} shoppers may reach ±{largest:.0f}, but a "
                f"{FIELD_BITS}-bit field holds ±{limit}: lower scale={self.scale} "
                "(PrivacyPlan.fitted tries), max_shoppers or noise_multiplier."
            )

    @classmethod
    def fitted(cls, **parameters: Any) -> Self:
        """The plan with the largest scale whose fields hold.

        Raises:
            PlanError: no scale fits, or a parameter is out of bounds.
        """
        for scale in SCALES[:-1]:
            try:
                return cls(**parameters, scale=scale)
            except PlanError as error:
                if "-bit field holds" not in str(error):
                    raise
        return cls(**parameters, scale=SCALES[-1])

    @property
    def padded_dimension(self) -> int:
        """Length of the rotated integer vectors."""
        return padded(self.dimension)

    @property
    def squared_sensitivity(self) -> float:
        """Δ₂² of one shopper's rounded vector, integer units."""
        return squared_l2_bound(self.scale, self.padded_dimension)

    @property
    def variance(self) -> float:
        """μ: variance per coordinate that the honest minimum cohort guarantees, integer units."""
        return self.noise_multiplier**2 * self.squared_sensitivity

    @property
    def client_variance(self) -> float:
        """Variance that each client adds: μ / (n_min - c). More survivors only add noise."""
        return self.variance / (self.min_clients - self.max_colluders)

    def noise_stddev(self, clients: int) -> float:
        """Std of the noise in a sum over ``clients`` clients, in the contribution's units."""
        return math.sqrt(self.client_variance * clients) * self.clipping_norm / self.scale

    @property
    def largest_sum(self) -> float:
        """A bound that no coordinate of a sum passes, except with ``WRAP_PROBABILITY``.

        Worst-case alignment (all shoppers alike): after random signs a coordinate of the rotated
        sum is sub-Gaussian with variance proxy (n s)²/d, its rounding error with n/4; the noise of
        ``max_clients`` clients is bounded by Bernstein. Each gets half the probability, over all d.
        """
        dimension, shoppers = self.padded_dimension, self.max_shoppers
        nats = math.log(4 * dimension / WRAP_PROBABILITY)
        proxy = (shoppers * self.scale) ** 2 / dimension + shoppers / 4
        noise = self.client_variance * self.max_clients
        tail = nats / 3 + math.sqrt((nats / 3) ** 2 + 2 * nats * noise) if noise else 0.0
        return math.sqrt(2 * nats * proxy) + tail

    @property
    def private(self) -> bool:
        """Whether there is any noise at all."""
        return self.noise_multiplier > 0

    @property
    def release(self) -> SkellamRelease:
        """The described release of one round, for the accountant."""
        return SkellamRelease(
            variance=self.variance,
            squared_l2=self.squared_sensitivity,
            l1=l1_bound(self.scale, self.padded_dimension),
        )

    def releases(self) -> list[SkellamRelease]:
        """The described releases of all rounds."""
        return [self.release] * self.rounds

    def round_epsilon(self) -> float:
        """ε of one round at ``delta``, as its manifest states it."""
        return epsilon([self.release], delta=self.delta)

    def epsilon(self) -> float:
        """ε of all rounds at ``delta``."""
        return epsilon(self.releases(), delta=self.delta)

    def with_noise(self, noise_multiplier: float) -> Self:
        """A new plan with another noise multiplier, its scale fitted again."""
        chosen = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "scale"}
        return type(self).fitted(**(chosen | {"noise_multiplier": noise_multiplier}))

    def to_json(self) -> dict[str, Any]:
        """All fields, as they stand in a manifest."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Parse the plan of a manifest.

        Raises:
            WireError: fields missing, unknown or out of bounds.
        """
        known = {field.name for field in fields(cls)}
        if value.keys() != known:
            raise WireError(f"A privacy plan has exactly the fields {', '.join(sorted(known))}.")
        wide = 2**40
        try:
            return cls(
                **{
                    key: get_int(value, key, low=0, high=wide)
                    for key in ("dimension", "min_clients", "max_clients", "max_shoppers")
                },
                max_colluders=get_int(value, "max_colluders", low=0, high=wide),
                rounds=get_int(value, "rounds", low=1, high=wide),
                scale=get_int(value, "scale", low=1, high=wide),
                clipping_norm=get_float(value, "clipping_norm", low=0.0, high=1e12),
                noise_multiplier=get_float(value, "noise_multiplier", low=0.0, high=1e12),
                delta=get_float(value, "delta", low=0.0, high=1.0),
                sampling=Sampling(get_str(value, "sampling")),
                adjacency=Adjacency(get_str(value, "adjacency")),
                privacy_unit=PrivacyUnit(get_str(value, "privacy_unit")),
            )
        except (PlanError, ValueError) as error:
            raise WireError(f"This privacy plan does not hold: {error}") from error


def calibrate(
    plans: dict[str, PrivacyPlan], *, weights: dict[str, float], target_epsilon: float
) -> dict[str, PrivacyPlan]:
    """New plans that together cost at most ``target_epsilon``, split by ``weights``.

    A task of weight w gets noise multiplier z / √w (w normalised to sum 1), so that its share of
    the Gaussian divergence is w; the common z is the smallest that keeps the composed ε within the
    target, found by bisection to a relative 1e-4.

    Raises:
        PlanError: the target is not positive, δ differs between plans, or a weight is missing.
    """
    if not 0 < target_epsilon < math.inf:
        raise PlanError(f"Expected 0 < epsilon < inf, got {target_epsilon}.")
    deltas = {plan.delta for plan in plans.values()}
    if len(deltas) != 1 or weights.keys() != plans.keys() or min(weights.values()) <= 0:
        raise PlanError("Plans that share a budget need one delta and one positive weight each.")
    delta, total = deltas.pop(), sum(weights.values())

    def at(noise: float) -> dict[str, PrivacyPlan]:
        return {
            task: plan.with_noise(noise / math.sqrt(weights[task] / total))
            for task, plan in plans.items()
        }

    def cost(noise: float) -> float:
        releases = [release for plan in at(noise).values() for release in plan.releases()]
        return epsilon(releases, delta=delta)

    low, high = 1e-3, 1.0
    while cost(high) > target_epsilon:
        low, high = high, 2 * high
    while high / low > 1 + 1e-4:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if cost(middle) <= target_epsilon else (middle, high)
    return at(high)


def without_noise(plan: PrivacyPlan) -> PrivacyPlan:
    """The same plan with privacy off. Its epsilon is infinite and every output must say so."""
    return replace(plan, noise_multiplier=0.0)


def _require(holds: bool, statement: str) -> None:
    if not holds:
        raise PlanError(f"Expected {statement}.")
