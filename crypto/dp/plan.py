"""The privacy plan: one object for everything that must agree.

Accountant, clients, coordinator and key holders read the same ``PrivacyPlan``; it couples clipping
norm, noise, sampling, rounds, minimum cohort, assumed colluders and adjacency with the integer
encoding. A plan that contradicts itself, or whose fields could wrap, cannot be constructed.
"""

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from crypto.dp.accounting import Release, epsilon
from crypto.dp.correlated import growth
from crypto.dp.mechanism import release_of
from crypto.dp.plan_checks import check_plan
from crypto.dp.plan_terms import (
    CENTRED_VARIANCE,
    CORRUPT_HOLDERS,
    FINE_SCALES,
    SCALES,
    Adjacency,
    PrivacyUnit,
    Sampling,
)
from crypto.dp.rotation import padded
from crypto.dp.rounding import squared_l2_bound
from crypto.dp.widths import FieldLayout, NoiseSet, alignment_tail, layout_of, skellam_tail
from crypto.errors import NarrowNoiseError, PlanError, WireError
from crypto.sums.schemes import HOLDERS, Scheme
from crypto.wire import get_float, get_int, get_str


@dataclass(frozen=True, kw_only=True)
class PrivacyPlan:
    """The plan of one task's releases.

    Attributes:
        dimension: length of a contribution.
        clipping_norm: C, L2, in the contribution's units.
        noise_multiplier: z, unitless: std of the guaranteed noise over Δ₂. 0 means no privacy.
        min_clients: n_min; fewer surviving clients and nothing is released.
        max_clients: the largest cohort that the field widths allow for.
        max_shoppers: likewise, in shoppers.
        max_colluders: c, clients that may leave their noise out.
        delta: of the (ε, δ) statement.
        rounds: how many releases this plan makes.
        scale: s, integer units per clipping norm.
        scheme: which secure sum carries it. Where key holders add noise of their own, the
            guaranteed noise is theirs; in a share sum it is the clients'.
        noise: set A or set B.
        experimental: whether an unreviewed noise set is allowed; set B demands it.
        client_noise: the variance that ``min_clients - max_colluders`` clients add together, as a
            share of the guaranteed one; the second line where key holders add theirs.
        sampling, sampling_rate: how a cohort is chosen, and q.
        bands, separation: of banded noise over rounds (see ``crypto.dp.correlated``); at least
            ``separation`` rounds lie between two participations of a shopper.
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
    scheme: Scheme = Scheme.COMPACT_SUM
    noise: NoiseSet = NoiseSet.SKELLAM
    experimental: bool = False
    client_noise: float = 1.0
    sampling_rate: float = 1.0
    bands: int = 1
    separation: int = 1

    def __post_init__(self) -> None:
        check_plan(self)

    @classmethod
    def fitted(cls, **parameters: Any) -> Self:
        """The plan with the largest scale whose fields hold.

        Raises:
            PlanError: no scale fits, or a parameter is out of bounds.
        """
        fine = parameters.get("noise") is NoiseSet.CENTRED_GAUSSIAN
        scales = FINE_SCALES if fine else SCALES
        for scale in scales[:-1]:
            try:
                return cls(**parameters, scale=scale)
            except PlanError as error:
                if "-bit field holds" not in str(error):
                    raise
        return cls(**parameters, scale=scales[-1])

    @property
    def layout(self) -> FieldLayout:
        """How the sum's integers carry the values."""
        return layout_of(self.scheme, self.noise, self.max_clients)

    @property
    def padded_dimension(self) -> int:
        """Length of the rotated integer vectors."""
        return padded(self.dimension)

    @property
    def squared_sensitivity(self) -> float:
        """Δ₂² of one shopper's vector, integer units: rounded in set A, real (s²) in set B."""
        if self.noise is NoiseSet.CENTRED_GAUSSIAN:
            return float(self.scale) ** 2
        return squared_l2_bound(self.scale, self.padded_dimension)

    @property
    def variance(self) -> float:
        """μ = z²Δ₂²: the variance per coordinate that is guaranteed, integer units."""
        return self.noise_multiplier**2 * self.squared_sensitivity

    @property
    def holder_variance(self) -> float:
        """Variance of one key holder's entry: μ / 2, so that the two honest ones guarantee μ.

        With bands it is that of each round's fresh part.
        """
        return self.variance / (HOLDERS - CORRUPT_HOLDERS) if self.scheme.votes else 0.0

    @property
    def client_variance(self) -> float:
        """Variance that each client adds: client_noise · μ / (n_min - c).

        In set B at least ``CENTRED_VARIANCE``, which takes the place of rounding.
        """
        share = self.client_noise * self.variance / (self.min_clients - self.max_colluders)
        return share if self.noise is NoiseSet.SKELLAM else max(CENTRED_VARIANCE, share)

    def _sum_variance(self, clients: int, rounds: int) -> float:
        holders = HOLDERS if self.scheme.votes else 0
        banded = growth(self.bands, rounds)
        return self.client_variance * clients + self.holder_variance * holders * banded

    def noise_stddev(self, clients: int, *, number: int | None = None) -> float:
        """Std of the noise in a sum over ``clients`` clients, in the contribution's units.

        The entries of all three key holders are in it, where key holders add noise. With bands it
        grows over the rounds: it is that of round ``number``, of the last one without it. (Sums
        over rounds have less than independent noise would give; see ``crypto.dp.correlated``.)
        """
        rounds = self.rounds if number is None else number + 1
        return math.sqrt(self._sum_variance(clients, rounds)) * self.clipping_norm / self.scale

    @property
    def largest_sum(self) -> float:
        """A bound that no coordinate of a sum passes, except with ``WRAP_PROBABILITY``.

        Worst-case alignment of ``max_shoppers`` shoppers, plus the noise of ``max_clients`` clients
        and three key holders; each gets half the probability, over all coordinates.
        """
        dimension = self.padded_dimension
        aligned = alignment_tail(
            shoppers=self.max_shoppers,
            scale=self.scale,
            dimension=dimension,
            rounded=self.noise is NoiseSet.SKELLAM,
        )
        return aligned + skellam_tail(self._sum_variance(self.max_clients, self.rounds), dimension)

    @property
    def private(self) -> bool:
        """Whether there is any noise at all."""
        return self.noise_multiplier > 0

    @property
    def release(self) -> Release:
        """The described release of one round to a shopper who takes part, for the accountant."""
        return release_of(self)

    def charges(self, number: int, *, after: int | None = None) -> list[Release]:
        """What round ``number`` of the run, counted from 0, costs ledgers of tasks or populations.

        A shopper takes part at most once in ``separation`` rounds, so in at most as many of the
        first t rounds as there are multiples of it below t: those rounds are charged, others are
        free. A shopper's own ledger is charged ``release`` whenever she takes part instead.

        Args:
            number: of the round; a ledger takes each number once, and only in rising order.
            after: the last number of this run that the ledger charged, -1 for none; by default the
                number before. What was skipped is charged too: a coordinator can't evade it.

        Raises:
            PlanError: a round that the plan does not have, or one that is not after ``after``.
        """
        last = number - 1 if after is None else after
        if not -1 <= last < number < self.rounds:
            raise PlanError(
                f"Expected {last} < round {number} < rounds={self.rounds}: plan the next round, "
                "or a new run."
            )
        return [self.release] * (number // self.separation - last // self.separation)

    def releases(self) -> list[Release]:
        """The described releases that all rounds are charged with."""
        return [self.release] * -(-self.rounds // self.separation)

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
        try:
            return cls(**_parsed(value))
        except (PlanError, ValueError) as error:
            raise WireError(f"This privacy plan does not hold: {error}") from error


def _parsed(value: dict[str, Any]) -> dict[str, Any]:
    """The fields of a plan by type, from JSON; their bounds are the plan's own matter."""
    if not isinstance(value["experimental"], bool):
        raise WireError("The field experimental is true or false.")
    terms = (Sampling, Adjacency, PrivacyUnit, Scheme, NoiseSet)
    named = zip(("sampling", "adjacency", "privacy_unit", "scheme", "noise"), terms, strict=True)
    found: dict[str, Any] = {key: term(get_str(value, key)) for key, term in named}
    for key in ("clipping_norm", "noise_multiplier", "client_noise", "delta", "sampling_rate"):
        found[key] = get_float(value, key, low=0.0, high=1e12)
    for key in sorted(value.keys() - found.keys() - {"experimental"}):
        found[key] = get_int(value, key, low=0, high=2**40)
    return found | {"experimental": value["experimental"]}


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
        try:
            planned = at(noise)
        except NarrowNoiseError:
            return math.inf  # a wider noise is looked for, as if this one cost too much
        releases = [release for plan in planned.values() for release in plan.releases()]
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
