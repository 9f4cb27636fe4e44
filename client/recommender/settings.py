"""The recommender's public constants, tuned on validation baskets (docs/decisions/0005)."""

from dataclasses import dataclass

from crypto.errors import InvalidInputError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the closed form weighs, all unitless and the same on every device.

    Attributes:
        decay: what a basket counts against the one after it.
        size_exponent: how much less a line of a large basket counts; 0 counts every line alike.
        reference_size: the basket size whose lines count 1.
        popularity: what the most popular item gets, in lines of the latest basket.
        pairing: exponent of the item-item lift; 0 leaves it out.
        pairing_scale: what one unit of lift counts before the asinh.
        affinity: exponent of the category affinity; 0 leaves it out.
        affinity_prior: how many items a category must hold before the shopper's own share of it
            outweighs the public one.
        window: how many baskets an explanation looks back.
    """

    decay: float = 0.95
    size_exponent: float = 0.3
    reference_size: float = 10.0
    popularity: float = 3.0
    pairing: float = 0.6
    pairing_scale: float = 30.0
    affinity: float = 0.2
    affinity_prior: float = 3.0
    window: int = 12

    def __post_init__(self) -> None:
        if not 0 < self.decay <= 1:
            raise InvalidInputError(f"Expected 0 < decay={self.decay} <= 1.")
        for name in ("size_exponent", "popularity", "pairing", "pairing_scale", "affinity"):
            if not getattr(self, name) >= 0:
                raise InvalidInputError(f"Expected {name}={getattr(self, name)} >= 0.")
        for name in ("reference_size", "affinity_prior", "window"):
            if not getattr(self, name) > 0:
                raise InvalidInputError(f"Expected {name}={getattr(self, name)} > 0.")
