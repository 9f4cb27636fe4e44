"""The next task of a run: what a round sums, from what was released before it.

Post-processing of releases and public lists alone, so it costs no privacy; and a function of them
alone, so a coordinator that starts again arrives at the same task.
"""

from collections.abc import Mapping

from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.factors import FactorsArtefact, FactorsTask
from consent.tasks.item_item import ItemItemTask
from consent.tasks.names import MEASURING, TaskName
from consent.tasks.popularity import PopularityArtefact, PopularityTask, RecentPopularityTask
from consent.tasks.ranker import RankerArtefact, RankerTask
from consent.tasks.task import Task
from crypto.errors import PlanError
from server.artefacts import evaluation, factors, fairness, item_item, ranker
from server.schedule import TrainingPlan


def next_task(
    name: TaskName,
    plan: TrainingPlan,
    catalogue: Catalogue,
    releases: Mapping[TaskName, Artefact],
    previous: Artefact | None = None,
) -> Task:
    """The task of the next round.

    Args:
        name: of the task.
        plan: what the operator decided.
        catalogue: the item list.
        releases: of the tasks before it in this run.
        previous: what this task's round before released; None in its first round.

    Raises:
        PlanError: it builds on a release that is not there.
    """
    match name:
        case TaskName.POPULARITY:
            return PopularityTask(items=len(catalogue))
        case TaskName.RECENT_POPULARITY:
            return RecentPopularityTask(items=len(catalogue), baskets=plan.recent_baskets)
        case TaskName.ITEM_ITEM:
            return _item_item(plan, releases)
        case TaskName.FACTORS:
            return _factors(plan, catalogue, releases, previous)
        case TaskName.RANKER:
            return _ranker(catalogue, releases, previous)
    return _measuring(name, plan, catalogue, releases)


def _item_item(plan: TrainingPlan, releases: Mapping[TaskName, Artefact]) -> ItemItemTask:
    source = releases.get(TaskName.POPULARITY)
    if not isinstance(source, PopularityArtefact):
        raise PlanError(
            "item-item takes its item list and weights from a popularity release; put popularity "
            "before it in the plan."
        )
    withheld = ranker.BASKETS if TaskName.RANKER in plan.weights else 0
    return item_item.plan_task(source, listed=plan.item_item_items, withheld=withheld)


def _factors(
    plan: TrainingPlan,
    catalogue: Catalogue,
    releases: Mapping[TaskName, Artefact],
    previous: Artefact | None,
) -> FactorsTask:
    source = releases.get(TaskName.POPULARITY)
    if not isinstance(source, PopularityArtefact):
        raise PlanError(
            "factors takes its item list and weights from a popularity release; put popularity "
            "before it in the plan."
        )
    return factors.plan_task(
        source,
        catalogue,
        listed=plan.item_item_items,
        withheld=ranker.BASKETS if TaskName.RANKER in plan.weights else 0,
        released=releases,
        previous=previous if isinstance(previous, FactorsArtefact) else None,
    )


def _ranker(
    catalogue: Catalogue, releases: Mapping[TaskName, Artefact], previous: Artefact | None
) -> RankerTask:
    inputs = [each for task, each in releases.items() if task not in MEASURING]
    if not inputs:
        raise PlanError("The ranker weighs what was released; put popularity before it.")
    return ranker.plan_task(
        inputs,
        catalogue,
        inputs=evaluation.input_hashes(inputs),
        previous=previous if isinstance(previous, RankerArtefact) else None,
    )


def _measuring(
    name: TaskName, plan: TrainingPlan, catalogue: Catalogue, releases: Mapping[TaskName, Artefact]
) -> Task:
    inputs = [each for task, each in releases.items() if task not in MEASURING]
    if not inputs:
        raise PlanError(f"{name} measures what was released; put other tasks before it.")
    if name is TaskName.EVALUATION:
        return evaluation.plan_task(catalogue, inputs)
    return fairness.plan_task(catalogue, inputs, schema=plan.groups)
