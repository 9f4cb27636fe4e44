"""Every task's contribution, by name: the one door from consented events to a raw vector."""

from collections.abc import Callable, Mapping
from typing import Any

from client.contributions import (
    evaluation,
    factors,
    fairness,
    item_item,
    popularity,
    ranker,
    recent_popularity,
)
from client.contributions.history import FloatArray, History
from client.contributions.inputs import Inputs
from consent.admit import ConsentedEvents
from consent.purpose import Category
from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.names import REQUIRED_CATEGORIES, REQUIRED_PURPOSE, TaskName
from consent.tasks.task import Task
from crypto.errors import ConsentError


def _of_history(
    contribution: Callable[[Any, History], FloatArray],
) -> Callable[[Any, Inputs], FloatArray]:
    """A contribution that reads nothing but the history."""
    return lambda task, inputs: contribution(task, inputs.history)


CONTRIBUTIONS: Mapping[TaskName, Callable[[Any, Inputs], FloatArray]] = {
    TaskName.POPULARITY: _of_history(popularity.contribution),
    TaskName.RECENT_POPULARITY: _of_history(recent_popularity.contribution),
    TaskName.ITEM_ITEM: _of_history(item_item.contribution),
    TaskName.FACTORS: _of_history(factors.contribution),
    TaskName.RANKER: ranker.contribution,
    TaskName.EVALUATION: evaluation.contribution,
    TaskName.FAIRNESS: fairness.contribution,
}


def contribute(
    task: Task,
    events: ConsentedEvents,
    catalogue: Catalogue,
    *,
    artefacts: Mapping[TaskName, Artefact] | None = None,
    groups: Mapping[str, str] | None = None,
) -> FloatArray:
    """One shopper's contribution to a task.

    Args:
        task: what is summed.
        events: hers, as she granted them for the task's purpose.
        catalogue: the public item list.
        artefacts: released ones that the task builds on.
        groups: what she stated of herself; read only where she granted demographics as well.

    Returns:
        float64, shape (task.dimension,), unitless. Guarantee: finite, L2 norm at most 1 up to
        rounding; an empty history gives zeros.

    Raises:
        ConsentError: the events were admitted for another purpose, or without a category that the
            task needs.
        InvalidInputError: the task does not fit the catalogue.
    """
    purpose, categories = REQUIRED_PURPOSE[task.name], REQUIRED_CATEGORIES[task.name]
    if events.purpose is not purpose:
        raise ConsentError(
            f"Task {task.name} needs events for {purpose}; these were granted for {events.purpose}."
        )
    if missing := categories - events.categories:
        raise ConsentError(f"Task {task.name} also needs a grant for {', '.join(sorted(missing))}.")
    stated = groups if groups and Category.DEMOGRAPHICS in events.categories else {}
    inputs = Inputs(
        history=History.of(events, catalogue),
        catalogue=catalogue,
        artefacts=artefacts or {},
        groups=stated,
    )
    return CONTRIBUTIONS[task.name](task, inputs)
