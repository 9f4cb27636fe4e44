"""Fairness: how the recommender serves a shopper, counted in the groups that she stated.

Computed only under her grant for fairness audits, and only from statements that she made on this
device for that. Each stated attribute gets a block in the group's place; the others stay zero, and
so does everything where she stated nothing. What leaves is the vector, under the task's noise.
"""

import numpy as np

from client.contributions.foretold import Foretold, check_items, foretold_for
from client.contributions.history import FloatArray, History
from client.contributions.inputs import Inputs
from consent.tasks.catalogue import Catalogue
from consent.tasks.fairness import BANDS, BANDS_SHARE, MEASURES, FairnessTask
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact
from crypto.errors import InvalidInputError


def contribution(task: FairnessTask, inputs: Inputs) -> FloatArray:
    """A block for each group of each attribute, filled where she stated that group.

    Returns:
        float64, shape (task.dimension,), unitless. Guarantee: finite, and of L2 norm at most 1 for
        every history, all artefacts and all statements; all zero for a shopper who stated nothing
        of what the task asks, or whom it doesn't count.

    Raises:
        InvalidInputError: the task or an artefact is over other items than the catalogue, or no
            popularity was given to tell popular items from others.
    """
    check_items(task, inputs)
    popularity = popularity_of(inputs)
    # Also where she stated nothing: neither a refusal nor the time it takes shall tell that.
    seen = foretold_for(task, inputs)
    starts = group_starts(task)
    stated = [starts[pair] for pair in inputs.groups.items() if pair in starts]
    vector = np.zeros(task.dimension)
    if seen is None or not stated:
        return vector
    block = task.scale * _block(seen, inputs.history, inputs.catalogue, popularity)
    for start in stated:
        vector[start : start + task.block] = block
    return vector


def group_starts(task: FairnessTask) -> dict[tuple[str, str], int]:
    """Where each group's block begins, by (attribute, group)."""
    pairs = [(name, group) for name, groups in task.schema.attributes.items() for group in groups]
    return {pair: place * task.block for place, pair in enumerate(pairs)}


def popularity_of(inputs: Inputs) -> FloatArray:
    """The released popularity of every item, from 0 to 1, shape (items,).

    Raises:
        InvalidInputError: it was not given.
    """
    for name in (TaskName.POPULARITY, TaskName.RECENT_POPULARITY):
        found = inputs.artefacts.get(name)
        if isinstance(found, PopularityArtefact):
            return np.clip(found.scores, 0.0, 1.0)
    raise InvalidInputError(
        "A fairness audit needs a released popularity among its inputs: name one in the task."
    )


def _block(
    seen: Foretold, history: History, catalogue: Catalogue, popularity: FloatArray
) -> FloatArray:
    own = history.item[history.age > 0]
    listed = float(popularity[seen.listed].mean()) if seen.listed.size else 0.0
    bought = float(popularity[own].mean()) if own.size else 0.0
    values = {
        "ndcg": seen.quality(seen.wanted)["ndcg"],
        "popularity_lift": 0.5 * (1.0 + listed - bought),
        "new_share": seen.new_share,
        "diversity": _diversity(seen, catalogue),
    }
    measures = MEASURES.write(frozenset({"shoppers"}), values)
    return np.concatenate([measures, np.sqrt(BANDS_SHARE) * _bands(seen, popularity)])


def _diversity(seen: Foretold, catalogue: Catalogue) -> float:
    """Share of the pairs in a list that are of different categories; 0 of a list without pairs."""
    size = seen.listed.size
    if size < 2:
        return 0.0
    names = [catalogue.categories[item] or f"item {item}" for item in seen.listed]
    _, same = np.unique(names, return_counts=True)
    return 1.0 - float((same * (same - 1)).sum() / (size * (size - 1)))


def _bands(seen: Foretold, popularity: FloatArray) -> FloatArray:
    """Share of the list in each popularity band, shape (bands,); adds to 1, or 0 without a list."""
    rank = np.empty(popularity.size, dtype=np.int64)
    rank[np.argsort(-popularity, kind="stable")] = np.arange(popularity.size)
    edges = np.ceil(np.array(list(BANDS.values())) * popularity.size)
    place = np.searchsorted(edges, rank[seen.listed], side="right")
    return np.bincount(place, minlength=len(BANDS)) / max(seen.listed.size, 1)
