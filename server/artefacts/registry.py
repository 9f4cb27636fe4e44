"""Every task's finish, by name: from a noisy sum in real units to the released artefact."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.names import TaskName
from consent.tasks.task import Task
from server.artefacts import evaluation, factors, fairness, item_item, popularity, ranker

FINISHES: Mapping[TaskName, Callable[..., Any]] = {
    TaskName.POPULARITY: popularity.finish,
    TaskName.RECENT_POPULARITY: popularity.finish,
    TaskName.ITEM_ITEM: item_item.finish,
    TaskName.FACTORS: factors.finish,
    TaskName.RANKER: ranker.finish,
    TaskName.EVALUATION: evaluation.finish,
    TaskName.FAIRNESS: fairness.finish,
}


def finish(
    task: Task, values: npt.NDArray[np.float64], *, noise_stddev: float, catalogue: Catalogue
) -> Artefact:
    """The artefact of a task's noisy sum.

    Args:
        task: what was summed.
        values: float64, shape (task.dimension,): the noisy sum in real units.
        noise_stddev: of the noise in each value, in the same unit.
        catalogue: the list the task is over.

    Raises:
        InvalidInputError: the sum doesn't fit the task or the catalogue.
    """
    artefact: Artefact = FINISHES[task.name](
        task, values, noise_stddev=noise_stddev, catalogue=catalogue
    )
    return artefact
