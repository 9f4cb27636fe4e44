"""Reading a noisy sum of blocks: means with intervals that hold sampling and noise together.

A mean over shoppers is uncertain for two reasons: other shoppers might have come, and noise was
added to the sums. Both are known: the squares of a measure were summed too, and the noise's size is
public.
A mean is a ratio of two noisy sums, so its noise follows by first-order propagation; the variances
of the two sources add up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from consent.tasks.block import Block
from consent.tasks.estimate import Estimate
from crypto.errors import InvalidInputError

FloatArray = npt.NDArray[np.float64]

CONFIDENCE: Final = 0.95
Z: Final = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
# A count is clear of the noise when it is so many of its standard deviations above 0.
CLEAR: Final = 3.0


@dataclass(frozen=True, kw_only=True)
class Part:
    """One measure over one count: what everything else is computed from.

    Attributes:
        count: how many shoppers, as the noisy sum has it.
        middled: mean of 2v - 1.
        mean: mean of v, from 0 to 1.
        variance: of v among shoppers, on the safe side of its own noise.
        count_noise, sum_noise: standard deviations of the noise in the count, and in Σ(2v - 1).
    """

    count: float
    middled: float
    mean: float
    variance: float
    count_noise: float
    sum_noise: float

    @property
    def sampling(self) -> float:
        """Variance of the mean because other shoppers might have come."""
        return self.variance / self.count

    @property
    def noise(self) -> float:
        """Variance of the mean because of noise: d mean = (dS - (S/N) dN) / 2N."""
        spread = self.sum_noise**2 + (self.middled * self.count_noise) ** 2
        return spread / (4.0 * self.count**2)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A block's noisy sum in units of shoppers.

    Attributes:
        block: its layout.
        sums: float64, shape (block.dimension,): the noisy sum divided by the weights.
        noise: float64, shape (block.dimension,): standard deviation of the noise in each.
    """

    block: Block
    sums: FloatArray
    noise: FloatArray

    @classmethod
    def of(
        cls, block: Block, values: FloatArray, *, noise_stddev: float, scale: float
    ) -> "Reading":
        """Undo weights and scale of the summed blocks."""
        weights = block.weights * scale
        return cls(block=block, sums=values / weights, noise=noise_stddev / weights)

    def count(self, name: str) -> Estimate:
        """How many shoppers have a part; never below 0. The interval holds the noise alone."""
        value, noise = self._at(name)
        low, high = value - Z * noise, value + Z * noise
        return Estimate(
            value=max(value, 0.0),
            low=max(low, 0.0),
            high=max(high, 0.0),
            swamped=not self.clear(name),
        )

    def clear(self, name: str) -> bool:
        """Whether the noisy count of a part is clear of its noise, and so can be divided by."""
        value, noise = self._at(name)
        return value > max(CLEAR * noise, 0.5)

    def part(self, name: str) -> Part:
        """A measure over its count, which must be clear of the noise."""
        measure = self._measures[name]
        count, count_noise = self._at(measure.over)
        total, sum_noise = self._at(name)
        middled = float(np.clip(total / count, -1.0, 1.0))
        mean = 0.5 * (1.0 + middled)
        return Part(
            count=count,
            middled=middled,
            mean=mean,
            variance=self._variance(name, count, middled),
            count_noise=count_noise,
            sum_noise=sum_noise,
        )

    def mean(self, name: str) -> Estimate:
        """A measure's mean, from 0 to 1; swamped where its count is, or noise exceeds the mean."""
        if not self.clear(self._measures[name].over):
            return Estimate(value=0.0, low=0.0, high=1.0, swamped=True)
        part = self.part(name)
        half = Z * float(np.sqrt(part.sampling + part.noise))
        swamped = Z * float(np.sqrt(part.noise)) > max(part.mean, 1e-9)
        return within(part.mean, half, bounds=(0.0, 1.0), swamped=swamped)

    def _variance(self, name: str, count: float, middled: float) -> float:
        """Of v among shoppers, one standard deviation of its own noise up; at most m (1 - m).

        That bound holds for every number from 0 to 1, and is exact for those that are 0 or 1.
        """
        most = 0.25 * (1.0 - middled**2)
        measure = self._measures[name]
        if not measure.spread:
            return most
        place = self.block.place[name] + 1
        squares = 0.5 * (1.0 + float(self.sums[place]) / count)
        error = float(self.noise[place]) / (8.0 * count)
        return float(np.clip(0.25 * (squares - middled**2) + error, 0.0, most))

    def _at(self, name: str) -> tuple[float, float]:
        place = self.block.place[name]
        return float(self.sums[place]), float(self.noise[place])

    @cached_property
    def _measures(self) -> Mapping[str, "_Named"]:
        return {
            each.name: _Named(each.over, spread=each.spread > 0) for each in self.block.measures
        }


@dataclass(frozen=True)
class _Named:
    over: str
    spread: bool


def within(
    value: float, half: float, *, bounds: tuple[float, float], swamped: bool = False
) -> Estimate:
    """A figure and its interval, both kept where the figure can be at all."""
    least, most = bounds
    low, middle, high = np.clip([value - half, value, value + half], least, most)
    return Estimate(value=float(middle), low=float(low), high=float(high), swamped=swamped)


def check_sum(values: FloatArray, dimension: int, noise_stddev: float) -> None:
    """Refuse what is no sum of a task.

    Raises:
        InvalidInputError: wrong length, a value that is not finite, or a negative noise.
    """
    if values.shape != (dimension,) or not np.isfinite(values).all():
        raise InvalidInputError(f"Expected {dimension} finite values, not {values.shape}.")
    if not 0 <= noise_stddev < np.inf:
        raise InvalidInputError(f"Expected noise_stddev={noise_stddev} to be finite and >= 0.")
