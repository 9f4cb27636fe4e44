"""The shared tasks: what client and server must agree on.

A task is ``contribution(shopper's consented events) -> vector of L2 norm <= C`` and
``finish(noisy sum) -> artefact``. Beside this module each task has a file with its parameters and
its artefact; the two halves live in ``client/contributions`` and ``server/artefacts``, a file a
task each.
"""

from collections.abc import Callable, Mapping
from typing import Any

from consent.tasks.evaluation import EvaluationTask
from consent.tasks.factors import FactorsTask
from consent.tasks.fairness import FairnessTask
from consent.tasks.item_item import ItemItemTask
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityTask, RecentPopularityTask
from consent.tasks.ranker import RankerTask
from crypto.errors import WireError

Task = (
    PopularityTask
    | RecentPopularityTask
    | ItemItemTask
    | FactorsTask
    | RankerTask
    | EvaluationTask
    | FairnessTask
)

_PARSERS: Mapping[str, Callable[[dict[str, Any]], Task]] = {
    TaskName.POPULARITY: PopularityTask.parse,
    TaskName.RECENT_POPULARITY: RecentPopularityTask.parse,
    TaskName.ITEM_ITEM: ItemItemTask.parse,
    TaskName.FACTORS: FactorsTask.parse,
    TaskName.RANKER: RankerTask.parse,
    TaskName.EVALUATION: EvaluationTask.parse,
    TaskName.FAIRNESS: FairnessTask.parse,
}


def parse_task(name: str, parameters: dict[str, Any]) -> Task:
    """Read a task from a manifest.

    Raises:
        WireError: an unknown task, or parameters out of bounds.
    """
    parse = _PARSERS.get(name)
    if parse is None:
        raise WireError(f"Unknown task {name!r}; this version knows {', '.join(TaskName)}.")
    return parse(parameters)
