"""How well the recommender foretells a shopper's last basket, worked out on her own device.

The list is made from what lay before that basket and from released artefacts, for when and where
it was bought as far as she granted that: as she would have got it then. It is compared with what
she bought. The artefacts may hold that basket, as one among all shoppers' and under their noise;
``not_before`` counts only baskets bought after they were made.

Definitions as in next-basket evaluation (Li et al., TOIS 2023): of a list of k, recall is the share
of the basket that it names, NDCG its discounted hits over the best possible, PHR whether it names
anything. Each also for what repeats and for what is new to her.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from client.contributions.history import FloatArray, History, IndexArray
from client.contributions.inputs import Inputs
from client.recommender.moment import Moment
from client.recommender.scores import Model
from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.evaluation import EvaluationTask
from consent.tasks.fairness import FairnessTask
from crypto.errors import InvalidInputError

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, repr=False)
class Foretold:
    """A list and the basket that it was to foretell.

    Attributes:
        length: how long the list was to be.
        listed: int64: its items, best first; shorter where the recommender knew no more.
        wanted: bool, shape (items,): the basket.
        owned: bool, shape (items,): what she had bought before it.
    """

    length: int
    listed: IndexArray
    wanted: BoolArray
    owned: BoolArray

    def __reduce__(self) -> str:
        raise TypeError("What was foretold must not leave the client: contribute a sealed update.")

    def parts(self) -> Mapping[str, BoolArray]:
        """The basket whole, what of it repeats, and what is new to her; empty parts left out."""
        found = {
            "": self.wanted,
            "_repeat": self.wanted & self.owned,
            "_explore": self.wanted & ~self.owned,
        }
        return {name: part for name, part in found.items() if part.any()}

    def quality(self, part: BoolArray) -> dict[str, float]:
        """Recall, NDCG and PHR on a part of the basket that is not empty; each from 0 to 1."""
        hits = part[self.listed]
        discount = 1.0 / np.log2(np.arange(2, self.length + 2))
        size = int(part.sum())
        return {
            "recall": float(hits.sum() / size),
            "ndcg": float(hits @ discount[: hits.size] / discount[: min(size, self.length)].sum()),
            "phr": float(hits.any()),
        }

    @property
    def new_share(self) -> float:
        """Share of the list that she had not bought before; 0 of an empty list."""
        return float((~self.owned[self.listed]).mean()) if self.listed.size else 0.0


def check_items(task: EvaluationTask | FairnessTask, inputs: Inputs) -> None:
    """Refuse a task over other items than the catalogue.

    Raises:
        InvalidInputError: it is.
    """
    if task.items != len(inputs.catalogue):
        raise InvalidInputError(
            f"The task is over {task.items} items and the catalogue has {len(inputs.catalogue)}: "
            "fetch the catalogue that the task's manifest names."
        )


def foretold_for(task: EvaluationTask | FairnessTask, inputs: Inputs) -> Foretold | None:
    """``foretell`` as a task that measures asks for it.

    Raises:
        InvalidInputError: the task or an artefact is over other items than the catalogue.
    """
    check_items(task, inputs)
    return foretell(
        inputs.history,
        inputs.catalogue,
        inputs.artefacts.values(),
        length=task.length,
        least_baskets=task.least_baskets,
        not_before=task.not_before,
    )


def foretell(
    history: History,
    catalogue: Catalogue,
    artefacts: Iterable[Artefact],
    *,
    length: int,
    least_baskets: int,
    not_before: int | None,
) -> Foretold | None:
    """Make the list for a shopper's last basket from what lay before it.

    Returns:
        None where she has fewer than ``least_baskets`` baskets, or where it is not known that she
        bought the last one at ``not_before`` (Unix seconds) or later.

    Raises:
        InvalidInputError: an artefact does not fit the catalogue, whatever her history.
    """
    # Of everybody, before it is known whether she counts: neither a refusal of the artefacts nor
    # the time that a list takes shall tell a coordinator how often or when she bought.
    model = _model(_Same((catalogue, *artefacts)))
    before = history.without_latest(1)
    moment = Moment.of_basket(history, history.baskets - 1)
    listed = best(model.scores(before, moment).total, length)
    if history.baskets < max(least_baskets, 2) or not _late_enough(history, not_before):
        return None
    wanted = np.zeros(history.items, dtype=bool)
    wanted[history.item[history.age == 0]] = True
    return Foretold(length=length, listed=listed, wanted=wanted, owned=before.counts > 0)


@dataclass(frozen=True, eq=False)
class _Same:
    """Objects that are equal to the very same objects only, and live as long as they are asked for.

    A store's shoppers share one item list and one set of artefacts, and what a model works out of
    those takes longer than a shopper's scores.
    """

    parts: tuple[Any, ...]

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.parts)))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Same)
            and len(self.parts) == len(other.parts)
            and all(one is two for one, two in zip(self.parts, other.parts, strict=True))
        )


@lru_cache(maxsize=1)
def _model(same: _Same) -> Model:
    catalogue, *artefacts = same.parts
    return Model.of(catalogue, artefacts)


def best(scores: FloatArray, length: int) -> IndexArray:
    """The best items that score anything, best first; ties go to the item listed first."""
    order = np.argsort(-scores, kind="stable")[:length]
    return order[scores[order] > 0].astype(np.int64)


def _late_enough(history: History, not_before: int | None) -> bool:
    if not_before is None:
        return True
    return history.time is not None and int(history.time[-1]) >= not_before
