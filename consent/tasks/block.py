"""A block of a summed vector: measures between 0 and 1, laid out so that noise hurts least.

A task that measures something adds, for each shopper, a few numbers between 0 and 1 (how well a
list did, say) and a 1 that counts her. Each number is moved to its middle before it is scaled, so
that it reaches from -1 to 1 and takes half the room in the norm: the counted shoppers bring the
middle back. What each number may take of the norm is public and the same for everybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from consent.tasks.parameters import FloatArray
from crypto.errors import InvalidInputError

# A share that is worked out in floating point may miss 0 or 1 by so much; it counts as them.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Counted:
    """A 1 for every shopper who has this part, else a 0; ``share`` is of the squared norm."""

    name: str
    share: float


@dataclass(frozen=True)
class Measured:
    """A number from 0 to 1 for every shopper counted in ``over``.

    Attributes:
        name: of the measure.
        over: the count that it belongs to.
        share: of the squared norm.
        spread: share of the squared norm for its square, which sampling intervals need; 0 leaves
            the square out.
    """

    name: str
    over: str
    share: float
    spread: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Block:
    """Counts and measures in a fixed order, a value each, and one more where a square is kept.

    Guarantee: what ``write`` returns has an L2 norm of at most 1 for every input that it takes,
    because the shares add up to at most 1.
    """

    counts: tuple[Counted, ...]
    measures: tuple[Measured, ...]

    def __post_init__(self) -> None:
        if not sum(self._shares) <= 1 + 1e-12:
            raise InvalidInputError(f"The shares of a block come to {sum(self._shares)}, over 1.")

    @property
    def _shares(self) -> list[float]:
        shares = [count.share for count in self.counts]
        for measure in self.measures:
            shares += [measure.share, measure.spread] if measure.spread else [measure.share]
        return shares

    @cached_property
    def weights(self) -> FloatArray:
        """What each value is multiplied with, float64, shape (dimension,)."""
        weights: FloatArray = np.sqrt(np.array(self._shares))
        return weights

    @property
    def dimension(self) -> int:
        """Number of values."""
        return len(self._shares)

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Where each count and measure stands; a kept square stands right after its measure."""
        found = {count.name: place for place, count in enumerate(self.counts)}
        at = len(found)
        for measure in self.measures:
            found[measure.name] = at
            at += 2 if measure.spread else 1
        return found

    def write(self, counted: frozenset[str], values: Mapping[str, float]) -> FloatArray:
        """One shopper's block.

        Args:
            counted: the parts that she has.
            values: a number from 0 to 1 for every measure over a part that she has.

        Returns:
            float64, shape (dimension,): 1 for a part that she has, 2v - 1 for a measure and
            2(2v - 1)² - 1 for its square, each times its weight; 0 where she lacks the part.

        Raises:
            InvalidInputError: a measure is missing, or beyond 0 and 1 by more than rounding.
        """
        block = np.zeros(self.dimension)
        for count in self.counts:
            block[self.place[count.name]] = float(count.name in counted)
        for measure in self.measures:
            if measure.over not in counted:
                continue
            value = values.get(measure.name, np.nan)
            if not -ROUNDING <= value <= 1.0 + ROUNDING:
                raise InvalidInputError(f"Expected 0 <= {measure.name}={value} <= 1.")
            place, middled = self.place[measure.name], 2.0 * min(max(value, 0.0), 1.0) - 1.0
            block[place] = middled
            if measure.spread:
                block[place + 1] = 2.0 * middled**2 - 1.0
        return block * self.weights
