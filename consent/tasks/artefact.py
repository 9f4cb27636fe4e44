"""Released artefacts: what a finished task publishes, in the form that devices read.

An artefact is post-processing of a noisy sum, so it may be stored, copied and served freely.
Each is one JSON document with its privacy record beside the numbers.
"""

from collections.abc import Callable, Mapping
from typing import Any

from consent.tasks.evaluation import EvaluationArtefact
from consent.tasks.factors import FactorsArtefact
from consent.tasks.fairness import FairnessArtefact
from consent.tasks.item_item import ItemItemArtefact
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact
from consent.tasks.ranker import RankerArtefact
from crypto.errors import WireError
from crypto.wire import canonical, get_str, parse_object

Artefact = (
    PopularityArtefact
    | ItemItemArtefact
    | FactorsArtefact
    | RankerArtefact
    | EvaluationArtefact
    | FairnessArtefact
)

_PARSERS: Mapping[str, Callable[[dict[str, Any]], Artefact]] = {
    TaskName.POPULARITY: PopularityArtefact.parse,
    TaskName.RECENT_POPULARITY: PopularityArtefact.parse,
    TaskName.ITEM_ITEM: ItemItemArtefact.parse,
    TaskName.FACTORS: FactorsArtefact.parse,
    TaskName.RANKER: RankerArtefact.parse,
    TaskName.EVALUATION: EvaluationArtefact.parse,
    TaskName.FAIRNESS: FairnessArtefact.parse,
}


def encode_artefact(artefact: Artefact) -> bytes:
    """Write an artefact as canonical JSON (numbers as little-endian float32 in base64url)."""
    head = {"task": artefact.task, "catalogue": artefact.catalogue}
    return canonical(head | artefact.to_json())


def decode_artefact(data: bytes) -> Artefact:
    """Parse what ``encode_artefact`` wrote.

    Raises:
        WireError: an unknown task, wrong lengths, or numbers that are not finite.
    """
    body = parse_object(data, what="artefact")
    task = get_str(body, "task")
    parse = _PARSERS.get(task)
    if parse is None:
        raise WireError(f"Unknown artefact {task!r}; this version knows {', '.join(TaskName)}.")
    return parse(body)
