"""Every task's contribution, by name: the one door from consented events to a raw vector."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

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

_logger = logging.getLogger("fedcart.client")


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
        groups: what she stated of herself; only a task that needs a grant for demographics is
            given them.

    Returns:
        float64, shape (task.dimension,), unitless. Guarantee: finite, L2 norm at most 1 up to
        rounding; an empty history gives zeros. Whether this returns or raises does not depend on
        what she bought or stated.

    Raises:
        ConsentError: the events were admitted for another purpose, or without a category that the
            task needs.
        InvalidInputError: the task or an artefact does not fit the catalogue.
    """
    purpose, categories = REQUIRED_PURPOSE[task.name], REQUIRED_CATEGORIES[task.name]
    if events.purpose is not purpose:
        raise ConsentError(
            f"Task {task.name} needs events for {purpose}; these were granted for {events.purpose}."
        )
    if missing := categories - events.categories:
        raise ConsentError(f"Task {task.name} also needs a grant for {', '.join(sorted(missing))}.")
    inputs = Inputs(
        history=History.of(events, catalogue),
        catalogue=catalogue,
        artefacts=artefacts or {},
        groups=groups if groups and Category.DEMOGRAPHICS in categories else {},
    )
    return _computed(task, inputs)


def _computed(task: Task, inputs: Inputs) -> FloatArray:
    """The contribution, or zeros where it fails for her and would not for everybody.

    A coordinator sees whether an upload comes. One that failed for some histories alone would tell
    it something of hers without any noise, and artefacts can be made up so that it does.
    """
    compute = CONTRIBUTIONS[task.name]
    try:
        return compute(task, inputs)
    except Exception as error:
        kind = type(error).__name__
    # What nobody's history avoids is the task's fault: it raises here again, and tells nothing.
    compute(task, replace(inputs, history=inputs.history.latest(0), groups={}))
    _logger.error("a contribution to %s failed (%s) and was left at zero", task.name, kind)
    return np.zeros(task.dimension)
