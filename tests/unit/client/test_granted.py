"""No task sees a category that was not granted, whatever the task; with the grant, the control.

Sensitive product classes have a file of their own (``test_sensitive``).
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

import numpy as np
import pytest

from client.contributions.registry import CONTRIBUTIONS, contribute
from consent.admit import admit
from consent.events import Events
from consent.purpose import Category
from consent.tasks.artefact import Artefact
from consent.tasks.names import REQUIRED_CATEGORIES, REQUIRED_PURPOSE, TaskName
from consent.tasks.ranker import Feature, RankerArtefact, RankerTask
from consent.tasks.task import Task
from tests.unit.client.test_contributions import events
from tests.unit.client.test_sensitive import FLAGGED, RELEASED
from tests.unit.client.test_sensitive import TASKS as PLAIN

# A ranker reads moments where it is asked to, and so does what measures its lists.
CONTEXT = (Feature.BASE, Feature.WEEKDAY, Feature.DAYPART, Feature.SEASON, Feature.STORE)
TASKS: dict[TaskName, Task] = PLAIN | {
    TaskName.RANKER: RankerTask(
        features=CONTEXT, weights=(1.0,) * 5, candidates=6, baskets=1, moments=True
    )
}
MEASURED: Mapping[TaskName, Artefact] = {
    **RELEASED,
    TaskName.RANKER: RankerArtefact(
        catalogue=FLAGGED.hash, features=CONTEXT, weights=np.array([1.0, *[9.0] * 4])
    ),
}
CONTENTS = ("ab", "ad", "b", "abd", "d", "ad")
HOURS, OTHER = (8, 20, 8, 20, 8, 20), (20, 8, 8, 8, 8, 8)
STATED = {"age": "35-44", "income": "top-fifth"}


def shopping(*, hours: tuple[int, ...], stores: str) -> Events:
    """The same baskets on the same days, at these hours and in these stores."""
    made = events(*CONTENTS)
    number = np.array([int(name[1:]) for name in made.basket])
    return replace(
        made,
        time=number * 86_400 + np.array(hours)[number] * 3600,
        store=np.array([stores[place] for place in number], dtype=object),
    )


def contribution(
    task: Task, lines: Events, extra: AbstractSet[Category], **groups: str
) -> list[float]:
    consented = admit(
        lines,
        purpose=REQUIRED_PURPOSE[task.name],
        categories=REQUIRED_CATEGORIES[task.name] | extra,
        sensitive_items=frozenset(),
    )
    vector = contribute(task, consented, FLAGGED, artefacts=MEASURED, groups=groups)
    found: list[float] = vector.tolist()
    return found


def test_every_task_is_tried_here() -> None:
    """A new task needs a line in ``TASKS`` of ``test_sensitive``."""
    assert set(TASKS) == set(CONTRIBUTIONS)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_hours_and_places_change_nothing_without_a_grant(name: TaskName) -> None:
    task = TASKS[name]
    one = contribution(task, shopping(hours=HOURS, stores="xyxyxy"), set(), **STATED)
    other = contribution(task, shopping(hours=OTHER, stores="yyyyxx"), set(), **STATED)
    assert any(one)
    assert one == other


@pytest.mark.parametrize("name", [TaskName.RANKER, TaskName.EVALUATION, TaskName.FAIRNESS])
@pytest.mark.parametrize("granted", [Category.TIME_CONTEXT, Category.LOCATION])
def test_with_a_grant_they_are_read(name: TaskName, granted: Category) -> None:
    task = TASKS[name]
    one = contribution(task, shopping(hours=HOURS, stores="xyxyxy"), {granted}, **STATED)
    other = contribution(task, shopping(hours=OTHER, stores="yyyyxx"), {granted}, **STATED)
    assert one != other


@pytest.mark.parametrize("name", sorted(set(TASKS) - {TaskName.FAIRNESS}))
def test_no_task_but_the_audit_sees_what_she_stated(name: TaskName) -> None:
    """Not even with a grant of demographics for its own purpose: she stated it for audits."""
    task, lines = TASKS[name], shopping(hours=HOURS, stores="xyxyxy")
    silent = contribution(task, lines, {Category.DEMOGRAPHICS})
    assert contribution(task, lines, {Category.DEMOGRAPHICS}, **STATED) == silent


def test_the_audit_sees_it() -> None:
    task, lines = TASKS[TaskName.FAIRNESS], shopping(hours=HOURS, stores="xyxyxy")
    assert any(contribution(task, lines, set(), **STATED))
    assert not any(contribution(task, lines, set()))
