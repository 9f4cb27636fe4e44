"""Every task's contribution, by name: the one door from consented events to a raw vector."""

from collections.abc import Callable, Mapping
from typing import Any

from client.contributions import item_item, popularity, recent_popularity
from client.contributions.history import FloatArray, History
from consent.admit import ConsentedEvents
from consent.tasks.catalogue import Catalogue
from consent.tasks.task import REQUIRED_CATEGORIES, REQUIRED_PURPOSE, Task, TaskName
from crypto.errors import ConsentError

CONTRIBUTIONS: Mapping[TaskName, Callable[[Any, History], FloatArray]] = {
    TaskName.POPULARITY: popularity.contribution,
    TaskName.RECENT_POPULARITY: recent_popularity.contribution,
    TaskName.ITEM_ITEM: item_item.contribution,
}


def contribute(task: Task, events: ConsentedEvents, catalogue: Catalogue) -> FloatArray:
    """One shopper's contribution to a task.

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
    return CONTRIBUTIONS[task.name](task, History.of(events, catalogue))
