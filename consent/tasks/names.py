"""The names of the shared tasks, and what each needs consent for."""

from enum import StrEnum

from consent.purpose import Category, Purpose
from crypto.errors import WireError


class TaskName(StrEnum):
    """The tasks that exist."""

    POPULARITY = "popularity"
    RECENT_POPULARITY = "recent-popularity"
    ITEM_ITEM = "item-item"
    FACTORS = "factors"
    RANKER = "ranker"
    EVALUATION = "federated-evaluation"
    FAIRNESS = "group-fairness"


# What each task needs before any of a shopper's events may enter it.
REQUIRED_PURPOSE: dict[TaskName, Purpose] = {
    **dict.fromkeys(TaskName, Purpose.TRAIN),
    TaskName.EVALUATION: Purpose.MEASUREMENT,
    TaskName.FAIRNESS: Purpose.FAIRNESS,
}
REQUIRED_CATEGORIES: dict[TaskName, frozenset[Category]] = {
    **dict.fromkeys(TaskName, frozenset({Category.PURCHASES})),
    TaskName.FAIRNESS: frozenset({Category.PURCHASES, Category.DEMOGRAPHICS}),
}

# Tasks that measure what others released; nothing is recommended from what they release.
MEASURING = frozenset({TaskName.EVALUATION, TaskName.FAIRNESS})


def parse_task_name(name: str) -> TaskName:
    """Read the name of a task.

    Raises:
        WireError: there is none of this name.
    """
    try:
        return TaskName(name)
    except ValueError as error:
        raise WireError(f"Unknown task; this version knows {', '.join(TaskName)}.") from error
