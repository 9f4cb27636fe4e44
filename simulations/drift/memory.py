"""What the town's devices remember, and what is estimated from it: as in a federation, unsealed.

For research only: the contributions and the finishing are the ones of a real round; between them
nothing is clipped, rounded or sealed, and the noise is drawn in one place.
"""

from collections.abc import Mapping

import numpy as np

from client.contributions.history import FloatArray, History, IndexArray
from client.contributions.inputs import Inputs
from client.contributions.item_item import total as pairs_total
from client.contributions.registry import CONTRIBUTIONS
from client.recommender.scores import Model
from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact, PopularityTask, RecentPopularityTask
from consent.tasks.task import Task
from server.artefacts import item_item
from server.artefacts.registry import finish
from simulations.drift.town import Bools

RECENT_BASKETS = 3


class Memory:
    """Every shopper's baskets, oldest first; each device knows its own alone."""

    def __init__(self, shoppers: int, items: int) -> None:
        self._items = items
        self._baskets: list[list[IndexArray]] = [[] for _ in range(shoppers)]

    def add(self, bought: Bools) -> None:
        """One week's baskets, shape (shoppers, items)."""
        for mine, row in zip(self._baskets, bought, strict=True):
            found = np.flatnonzero(row).astype(np.int64)
            if found.size:
                mine.append(found)

    def histories(self) -> list[History]:
        """Every shopper's history as her device reads it."""
        return [
            History(
                items=self._items,
                basket=np.repeat(np.arange(len(mine)), [each.size for each in mine]),
                item=np.concatenate(mine),
            )
            for mine in self._baskets
        ]


def estimate(
    histories: list[History],
    catalogue: Catalogue,
    noise: Mapping[TaskName, float],
    rng: np.random.Generator,
) -> Model:
    """The model that all devices get; item-item where ``noise`` has it.

    Args:
        histories: every shopper's.
        catalogue: the public item list.
        noise: standard deviation by task, for contributions of norm at most 1.
        rng: draws it.
    """
    size, found = len(catalogue), dict[TaskName, Artefact]()
    tasks: tuple[Task, ...] = (
        PopularityTask(items=size),
        RecentPopularityTask(items=size, baskets=RECENT_BASKETS),
    )
    for task in tasks:
        total = np.zeros(task.dimension)
        for history in histories:
            total += CONTRIBUTIONS[task.name](task, Inputs(history=history, catalogue=catalogue))
        found[task.name] = _finished(task, total, catalogue, noise, rng)
    popularity = found[TaskName.POPULARITY]
    if TaskName.ITEM_ITEM in noise and isinstance(popularity, PopularityArtefact):
        pairs = item_item.plan_task(popularity)
        total = pairs_total(pairs, histories)
        found[pairs.name] = _finished(pairs, total, catalogue, noise, rng)
    return Model.of(catalogue, found.values())


def _finished(
    task: Task,
    total: FloatArray,
    catalogue: Catalogue,
    noise: Mapping[TaskName, float],
    rng: np.random.Generator,
) -> Artefact:
    stddev = noise[task.name]
    values = total + stddev * rng.standard_normal(task.dimension)
    return finish(task, values, noise_stddev=stddev, catalogue=catalogue)
