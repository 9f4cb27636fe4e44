"""Released artefacts without the machinery of a round: plain sums plus Gaussian noise.

For research only. The contributions and the finishing are the ones of a real round; between them
nothing is clipped, rounded or sealed, and the noise is drawn in one place. Every result made this
way says ``"sealing": "none"``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from client.contributions.history import FloatArray
from client.contributions.inputs import Inputs
from client.contributions.item_item import total as pairs_total
from client.contributions.registry import CONTRIBUTIONS
from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.item_item import ItemItemTask
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact, PopularityTask, RecentPopularityTask
from consent.tasks.task import Task
from crypto.errors import InvalidInputError
from server.artefacts import item_item, ranker
from server.artefacts.registry import finish
from simulations.evaluation.protocol import Fold

RECENT_BASKETS = 3
DELTA = 1e-5
# How the budget is split over the tasks: shares of μ² = Σ 1/z².
BUDGET = {
    TaskName.POPULARITY: 0.12,
    TaskName.RECENT_POPULARITY: 0.24,
    TaskName.ITEM_ITEM: 0.44,
    TaskName.RANKER: 0.20,
}
ALL_TASKS = frozenset(BUDGET)
# What a ranker weighs, and what is released where item-item isn't worth its share.
INPUTS = ALL_TASKS - {TaskName.RANKER}
WITHOUT_PAIRS = ALL_TASKS - {TaskName.ITEM_ITEM}
TWO_TASKS = frozenset({TaskName.POPULARITY, TaskName.RECENT_POPULARITY})


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Noise standard deviations of the sums, for contributions of norm at most 1.

    Attributes:
        stddev: per task that is released; 0 for none.
    """

    stddev: Mapping[TaskName, float]

    @classmethod
    def none(cls, tasks: frozenset[TaskName] = ALL_TASKS) -> "Noise":
        """The given tasks without noise."""
        return cls(stddev={task: 0.0 for task in BUDGET if task in tasks})

    @classmethod
    def of(
        cls,
        epsilon: float,
        *,
        tasks: frozenset[TaskName] = TWO_TASKS,
        delta: float = DELTA,
        overhead: float = 1.0,
    ) -> "Noise":
        """Noise for an epsilon over all the given tasks together, zero-out adjacency.

        Args:
            epsilon: of the whole release.
            tasks: the released ones; they share the budget in the proportions of ``BUDGET``.
            delta: of the whole release.
            overhead: factor on the standard deviation, such as 1.2 for survivors beyond the plan.
        """
        if TaskName.ITEM_ITEM in tasks and TaskName.POPULARITY not in tasks:
            raise InvalidInputError("Item-item lists its items by popularity: release that too.")
        total = gaussian_multiplier(epsilon, delta)
        whole = sum(BUDGET[task] for task in tasks)
        return cls(
            stddev={
                task: float(overhead * total / np.sqrt(share / whole))
                for task, share in BUDGET.items()
                if task in tasks
            }
        )

    def scaled(self, factor: float) -> "Noise":
        """The same with every standard deviation times a factor."""
        return Noise(stddev={task: factor * value for task, value in self.stddev.items()})


def gaussian_multiplier(epsilon: float, delta: float) -> float:
    """The noise multiplier z of one Gaussian release with sensitivity 1 at (epsilon, delta).

    Exact, by the analytic Gaussian mechanism (Balle and Wang 2018): the smallest z with
    Φ(1/(2z) - εz) - e^ε Φ(-1/(2z) - εz) <= δ.
    """
    if not (epsilon > 0 and 0 < delta < 1):
        raise InvalidInputError(f"Expected epsilon={epsilon} > 0 and 0 < delta={delta} < 1.")

    def excess(z: float) -> float:
        gap = 1 / (2 * z)
        second = np.exp(epsilon + norm.logcdf(-gap - epsilon * z))
        return float(norm.cdf(gap - epsilon * z) - second - delta)

    return float(brentq(excess, 1e-3, 1e6, xtol=1e-12, rtol=1e-12))


def release(fold: Fold, noise: Noise, *, rng: np.random.Generator) -> dict[TaskName, Artefact]:
    """The artefacts of a fold's training data; item-item is planned from the released popularity.

    Guarantee: nothing but training baskets is read.
    """
    catalogue = fold.training.catalogue
    released: dict[TaskName, Artefact] = {}
    # In this order, whatever the order of the mapping: each builds on those before it.
    for name in BUDGET:
        if name not in noise.stddev:
            continue
        task = _task(name, catalogue, released, moments=fold.granted is not None)
        if isinstance(task, ItemItemTask) and TaskName.RANKER in noise.stddev:
            task = replace(task, withheld=ranker.BASKETS)
        stddev = noise.stddev[name]
        values = total(fold, task, released) + stddev * rng.standard_normal(task.dimension)
        released[name] = finish(task, values, noise_stddev=stddev, catalogue=catalogue)
    return released


def total(
    fold: Fold, task: Task, released: Mapping[TaskName, Artefact] = MappingProxyType({})
) -> FloatArray:
    """The sum of every training shopper's contribution, without noise, shape (dimension,)."""
    if isinstance(task, ItemItemTask):
        return pairs_total(task, fold.histories.values())
    values = np.zeros(task.dimension)
    for history in fold.histories.values():
        inputs = Inputs(history=history, catalogue=fold.training.catalogue, artefacts=released)
        values += CONTRIBUTIONS[task.name](task, inputs)
    return values


def _task(
    name: TaskName,
    catalogue: Catalogue,
    released: Mapping[TaskName, Artefact],
    *,
    moments: bool,
) -> Task:
    match name:
        case TaskName.POPULARITY:
            return PopularityTask(items=len(catalogue))
        case TaskName.RECENT_POPULARITY:
            return RecentPopularityTask(items=len(catalogue), baskets=RECENT_BASKETS)
        case TaskName.ITEM_ITEM:
            popularity = released[TaskName.POPULARITY]
            if not isinstance(popularity, PopularityArtefact):
                raise InvalidInputError("Expected a popularity artefact.")
            return item_item.plan_task(popularity)
        case TaskName.RANKER:
            return ranker.plan_task(released.values(), catalogue, moments=moments)
    raise InvalidInputError(f"Task {name} measures; nothing is recommended from it.")
