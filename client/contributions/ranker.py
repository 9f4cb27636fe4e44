"""The ranker: what a shopper's last baskets say about the weights, as one bounded vector.

For each of her last baskets the list is made from what lay before it. With p the softmax of the
candidates' scores, f their features and the bought candidates as labels, one list gives

    gradient  = mean of f over the bought - Σ p f        of the mean log-likelihood of a purchase
    curvature = Σ p f fᵀ - (Σ p f)(Σ p f)ᵀ               its negative second derivative (Fisher)

Candidates are the best by the closed form, whatever was bought, so no sampling has to be corrected
for; where lines are foretold and not baskets, they are all that is new to her. Item-item is summed
without the baskets that are foretold (``client/contributions/lists``); popularity has them, where
one shopper's share is far below what moves a weight (docs/decisions/0015).
"""

import numpy as np

from client.contributions.history import FloatArray, History, IndexArray
from client.contributions.inputs import Inputs
from client.contributions.lists import list_of, of_lines
from client.recommender.features import Knowledge
from client.recommender.moment import UNKNOWN, Moment
from client.recommender.scores import Model
from consent.tasks.names import TaskName
from consent.tasks.ranker import RankerTask

SQRT_TWO = float(np.sqrt(2.0))


def contribution(task: RankerTask, inputs: Inputs) -> FloatArray:
    """Mean gradient and √2 · upper triangle of the mean curvature over her lists, as one vector.

    Returns:
        float64, shape (task.dimension,), unitless: the gradient, then the curvature row by row from
        the diagonal on, all but the diagonal times √2. Guarantee: finite, and of L2 norm at most 1
        for every history (longer vectors are scaled to length 1 as a whole); zeros where no basket
        has another before it and a bought item among its candidates.
    """
    artefacts = [each for name, each in inputs.artefacts.items() if name is not TaskName.RANKER]
    model = Model.of(inputs.catalogue, artefacts)
    lists = [_list(task, model, inputs.history, age) for age in range(task.baskets)]
    spoken = [each for each in lists if each is not None]
    if not spoken:
        return np.zeros(task.dimension)
    vector: FloatArray = np.mean(spoken, axis=0)
    return vector / max(float(np.linalg.norm(vector)), 1.0)


def _list(task: RankerTask, model: Model, history: History, age: int) -> FloatArray | None:
    """One list's gradient and curvature; None where it has nothing to say."""
    before, wanted = list_of(history, age)
    if not before.baskets:
        return None
    know = Knowledge(shared=model, history=before, moment=_moment(task, history, age))
    chosen = (
        new_items(model, know) if of_lines(history) else candidates(model, know, task.candidates)
    )
    bought = np.isin(chosen, wanted)
    if not bought.any():
        return None
    table = know.table(task.features)[chosen]
    gradient, curvature = listwise(table, bought, np.array(task.weights))
    row, column = np.triu_indices(len(task.features))
    scale = np.where(row == column, 1.0, SQRT_TWO)
    return np.concatenate([gradient, scale * curvature[row, column]])


def candidates(model: Model, know: Knowledge, count: int) -> IndexArray:
    """The best items by the closed form that may be listed and score anything, best first."""
    scores = np.where(model.may_list(know.history), know.closed.total, 0.0)
    order = np.argsort(-scores, kind="stable")[:count]
    return order[scores[order] > 0].astype(np.int64)


def new_items(model: Model, know: Knowledge) -> IndexArray:
    """All items that are new to her and may be listed: what a list of lines is chosen from.

    Nothing comes back in such data, so her own items would crowd out what there is to foretell.
    """
    return np.flatnonzero(model.may_list(know.history) & ~know.bought)


def listwise(
    table: FloatArray, bought: np.ndarray[tuple[int], np.dtype[np.bool_]], weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Gradient, shape (features,), and curvature, shape (features, features), of one list.

    Args:
        table: float64, shape (candidates, features).
        bought: bool, shape (candidates,), at least one of them.
        weights: float64, shape (features,): where the derivatives are taken.
    """
    score = table @ weights
    p = np.exp(score - score.max())
    p /= p.sum()
    mean = p @ table
    centred = table - mean
    return table[bought].mean(axis=0) - mean, (centred * p[:, None]).T @ centred


def _moment(task: RankerTask, history: History, age: int) -> Moment:
    if not task.moments:
        return UNKNOWN
    return Moment.of_basket(history, history.baskets - 1 - (0 if of_lines(history) else age))
