"""What a released sum must be: every contribution derived again, from the raw events alone."""

from collections.abc import Iterable, Mapping, Set
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from client.contributions import ranker
from client.contributions.history import History
from client.contributions.inputs import Inputs
from consent.admit import admit
from consent.events import Events
from consent.purpose import Category, Purpose
from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.factors import FactorsTask
from consent.tasks.item_item import ItemItemTask
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityTask, RecentPopularityTask
from consent.tasks.ranker import RankerTask
from consent.tasks.task import Task
from simulations.population.population import Population

Vector = npt.NDArray[np.float64]
Released = Mapping[TaskName, Artefact]
Granted = Mapping[str, Set[Category]]

NOTHING: Released = MappingProxyType({})
PURCHASES: Granted = MappingProxyType({})


def plain_sum(
    task: Task,
    population: Population,
    shoppers: Iterable[str],
    released: Released = NOTHING,
    granted: Granted = PURCHASES,
) -> Vector:
    """The sum of these shoppers' contributions, without noise.

    ``released`` is what it builds on, ``granted`` what each granted beside her purchases.
    """
    total = np.zeros(task.dimension)
    for shopper in shoppers:
        total += plain_contribution(task, population, shopper, released, granted)
    return total


def plain_contribution(
    task: Task,
    population: Population,
    shopper: str,
    released: Released = NOTHING,
    granted: Granted = PURCHASES,
) -> Vector:
    """One shopper's contribution, by the formulas of the design.

    A ranker's is the device's own: its unit tests derive it again by finite differences.
    """
    baskets, catalogue = _baskets(population.of(shopper)), population.catalogue
    match task:
        case PopularityTask():
            return _unit(np.sqrt(_counts(baskets, catalogue)))
        case RecentPopularityTask():
            return _unit(np.sqrt(_counts(baskets[-task.baskets :], catalogue)))
        case ItemItemTask():
            before = baskets[: len(baskets) - task.withheld]
            return _pairs(task, _counts(before or baskets, catalogue))
        case FactorsTask():
            before = baskets[: len(baskets) - task.withheld]
            return _factors(task, _counts(before or baskets, catalogue))
        case RankerTask():
            return ranker.contribution(task, _inputs(population, shopper, released, granted))
    raise NotImplementedError(task.name)


def _inputs(population: Population, shopper: str, released: Released, granted: Granted) -> Inputs:
    """What a device of hers has."""
    catalogue = population.catalogue
    events = admit(
        population.of(shopper),
        purpose=Purpose.TRAIN,
        categories=frozenset({Category.PURCHASES}) | granted.get(shopper, frozenset()),
        sensitive_items=catalogue.sensitive_products,
    )
    return Inputs(history=History.of(events, catalogue), catalogue=catalogue, artefacts=released)


def _factors(task: FactorsTask, counts: Vector) -> Vector:
    """Her place by least squares over the items' rows and the ridge's, not by normal equations."""
    z, items, size = _direction(task, counts), task.factors, task.width
    root = np.sqrt(np.where(counts[list(task.indices)] > 0, 1.0, task.unseen))
    held = np.sqrt(task.ridge) * np.eye(size)
    rows, wanted = np.vstack([root[:, None] * items, held]), np.append(root * z, np.zeros(size))
    place = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    gradient = np.outer(root**2 * (z - items @ place), place)
    bend = [
        place[i] * place[j] * (1.0 if i == j else np.sqrt(2.0))
        for i in range(size)
        for j in range(i, size)
    ]
    whole = np.append(gradient.ravel(), bend)
    return whole / max(float(np.sqrt(np.sum(whole**2))), task.length)


def _direction(task: ItemItemTask | FactorsTask, counts: Vector) -> Vector:
    mean = np.array(task.mean)
    profile = _unit(np.sqrt(counts[list(task.indices)]) * np.array(task.weights))
    return _unit(profile - (profile @ mean) * mean)


def _pairs(task: ItemItemTask, counts: Vector) -> Vector:
    z = _direction(task, counts)
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
