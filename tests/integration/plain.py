"""What a released sum must be: every contribution derived again, from the raw events alone."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from consent.events import Events
from consent.tasks.catalogue import Catalogue
from consent.tasks.item_item import ItemItemTask
from consent.tasks.popularity import PopularityTask, RecentPopularityTask
from consent.tasks.task import Task
from simulations.population.population import Population

Vector = npt.NDArray[np.float64]


def plain_sum(task: Task, population: Population, shoppers: Iterable[str]) -> Vector:
    """The sum of these shoppers' contributions, without noise."""
    total = np.zeros(task.dimension)
    for shopper in shoppers:
        total += plain_contribution(task, population, shopper)
    return total


def plain_contribution(task: Task, population: Population, shopper: str) -> Vector:
    """One shopper's contribution, by the formulas of the design."""
    baskets, catalogue = _baskets(population.of(shopper)), population.catalogue
    match task:
        case PopularityTask():
            return _unit(np.sqrt(_counts(baskets, catalogue)))
        case RecentPopularityTask():
            return _unit(np.sqrt(_counts(baskets[-task.baskets :], catalogue)))
        case ItemItemTask():
            return _pairs(task, _counts(baskets, catalogue))


def _pairs(task: ItemItemTask, counts: Vector) -> Vector:
    mean = np.array(task.mean)
    profile = _unit(np.sqrt(counts[list(task.indices)]) * np.array(task.weights))
    z = _unit(profile - (profile @ mean) * mean)
    gram = np.outer(z, z)
    size = len(z)
    upper = [gram[i, j] for i in range(size) for j in range(i + 1, size)]
    return np.array(upper, dtype=np.float64) * float(np.sqrt(2.0))


def _baskets(events: Events) -> list[set[str]]:
    found: dict[str, set[str]] = {}
    for basket, item in zip(events.basket, events.item, strict=True):
        found.setdefault(basket, set()).add(item)
    return list(found.values())


def _counts(baskets: list[set[str]], catalogue: Catalogue) -> Vector:
    return np.array([sum(item in basket for basket in baskets) for item in catalogue.items], float)


def _unit(vector: Vector) -> Vector:
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector


def excess(residual: Vector, noise_stddev: float) -> float:
    """How far a residual's energy is from that of the stated noise, in standard deviations.

    Of d independent values with this standard deviation, the sum of squares over the variance has
    mean d and variance 2d. A wrong sum that is off by a vector v adds (v/σ)².
    """
    squares = float(np.sum((residual / noise_stddev) ** 2))
    return (squares - residual.size) / float(np.sqrt(2.0 * residual.size))
