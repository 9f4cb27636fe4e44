"""What a key holder never takes from the coordinator, and whether a manifest respects it."""

from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from crypto.dp.plan import PrivacyPlan
from crypto.dp.plan_terms import MAX_DELTA
from crypto.dp.rotation import MAX_DIMENSION
from crypto.dp.widths import NoiseSet
from crypto.errors import CohortTooSmallError, InvalidInputError, RoundError
from crypto.manifest import Manifest
from crypto.sums.schemes import Scheme
from crypto.wire import (
    b64,
    get_float,
    get_int,
    get_str,
    get_strings,
    parse_public_key,
    public_bytes,
)

_LARGEST_EPSILON: Final = 1e9


@dataclass(frozen=True, kw_only=True)
class Pins:
    """The bounds of one key holder.

    Attributes:
        coordinator, consent: whose signatures count.
        population: the federation that it serves.
        n_floor: it opens nothing over fewer participants, whatever a manifest says.
        z_floor: it opens nothing with a smaller noise multiplier (0 allows privacy-off research).
        epsilon_cap: ε that all releases of the population may cost together, at ``delta_cap``.
        delta_cap: it takes part in nothing with a larger δ.
        schemes: the secure sums that it takes part in. Share sum rests on an honest coordinator.
        allow_experimental: whether noise that awaits outside review (Set B) is allowed.
        max_dimension: the longest contribution.
    """

    coordinator: Ed25519PublicKey
    consent: Ed25519PublicKey
    population: str
    n_floor: int
    z_floor: float
    epsilon_cap: float = 10.0
    delta_cap: float = 1e-5
    schemes: tuple[Scheme, ...] = tuple(Scheme)
    allow_experimental: bool = False
    max_dimension: int = MAX_DIMENSION

    def check(self) -> None:
        """Refuse bounds that bound nothing.

        Raises:
            InvalidInputError: a floor or cap is out of range.
        """
        checks = {
            f"n_floor >= 2, got {self.n_floor}": self.n_floor >= 2,
            f"z_floor >= 0, got {self.z_floor}": 0 <= self.z_floor < float("inf"),
            f"epsilon_cap > 0, got {self.epsilon_cap}": 0 < self.epsilon_cap <= _LARGEST_EPSILON,
            f"0 < delta_cap <= {MAX_DELTA}, got {self.delta_cap}": 0 < self.delta_cap <= MAX_DELTA,
            f"1 <= max_dimension <= {MAX_DIMENSION}, got {self.max_dimension}": (
                1 <= self.max_dimension <= MAX_DIMENSION
            ),
            "at least one scheme": bool(self.schemes),
        }
        for expected, holds in checks.items():
            if not holds:
                raise InvalidInputError(f"Expected {expected}.")

    def to_json(self) -> dict[str, object]:
        """All pins, as they stand in ``keyholder.json``."""
        return {
            "population": self.population,
            "coordinator": b64(public_bytes(self.coordinator)),
            "consent": b64(public_bytes(self.consent)),
            "n_floor": self.n_floor,
            "z_floor": self.z_floor,
            "epsilon_cap": self.epsilon_cap,
            "delta_cap": self.delta_cap,
            "schemes": [str(scheme) for scheme in self.schemes],
            "allow_experimental": self.allow_experimental,
            "max_dimension": self.max_dimension,
        }

    @classmethod
    def from_json(cls, settings: dict[str, Any]) -> Self:
        """Parse what ``to_json`` wrote and an operator may have edited.

        Raises:
            InvalidInputError: a field is missing or out of range.
        """
        schemes = get_strings(settings, "schemes", max_count=len(Scheme))
        if not set(schemes) <= set(Scheme):
            raise InvalidInputError(f"Field 'schemes': expected some of {', '.join(Scheme)}.")
        if not isinstance(settings.get("allow_experimental"), bool):
            raise InvalidInputError("Field 'allow_experimental': expected true or false.")
        pins = cls(
            coordinator=parse_public_key(get_str(settings, "coordinator"), what="coordinator"),
            consent=parse_public_key(get_str(settings, "consent"), what="consent"),
            population=get_str(settings, "population"),
            n_floor=get_int(settings, "n_floor", low=2, high=10**9),
            z_floor=get_float(settings, "z_floor", low=0.0, high=1e9),
            epsilon_cap=get_float(settings, "epsilon_cap", low=0.0, high=_LARGEST_EPSILON),
            delta_cap=get_float(settings, "delta_cap", low=0.0, high=MAX_DELTA),
            schemes=tuple(Scheme(name) for name in schemes),
            allow_experimental=settings["allow_experimental"],
            max_dimension=get_int(settings, "max_dimension", low=1, high=MAX_DIMENSION),
        )
        pins.check()
        return pins


def check_manifest(manifest: Manifest, pins: Pins) -> None:
    """Check a manifest against the pins; the ε that it states is computed again.

    Raises:
        RoundError: a bound does not hold; the message names it.
        CohortTooSmallError: it could never reach the pinned number of participants.
    """
    if manifest.population != pins.population:
        raise RoundError(f"This key holder serves {pins.population!r}, not this population.")
    if manifest.scheme not in pins.schemes:
        raise RoundError(
            f"This key holder takes part in {', '.join(pins.schemes)}, not in {manifest.scheme}."
        )
    _check_plan(manifest.plan, pins)
    _check_epsilon(manifest)


def _check_plan(plan: PrivacyPlan, pins: Pins) -> None:
    if plan.noise_multiplier < pins.z_floor:
        raise RoundError(
            f"The manifest's noise multiplier {plan.noise_multiplier} is below this key holder's "
            f"floor {pins.z_floor}."
        )
    if plan.max_clients < pins.n_floor:
        raise CohortTooSmallError(
            f"The manifest allows {plan.max_clients} clients; this key holder opens nothing over "
            f"fewer than {pins.n_floor}."
        )
    if plan.delta > pins.delta_cap:
        raise RoundError(
            f"The manifest's delta {plan.delta:g} is above this key holder's cap "
            f"{pins.delta_cap:g}."
        )
    if plan.dimension > pins.max_dimension:
        raise RoundError(
            f"The manifest's dimension {plan.dimension} is above this key holder's maximum "
            f"{pins.max_dimension}."
        )

    if not pins.allow_experimental and (plan.experimental or plan.noise is not NoiseSet.SKELLAM):
        raise RoundError(
            f"The manifest's noise ({plan.noise}) is experimental; this key holder is not set up "
            "to allow it."
        )


def _check_epsilon(manifest: Manifest) -> None:
    """The ε that a manifest promises is the one that its plan costs, computed again here."""
    plan, stated = manifest.plan, manifest.epsilon
    if stated is None:
        if plan.private:
            raise RoundError("The manifest states no ε although its plan has noise.")
        return
    cost = plan.round_epsilon()
    if stated < cost * (1 - 1e-9):
        raise RoundError(f"The manifest states ε = {stated:.6g}, but its plan costs {cost:.6g}.")
