"""The ranker, planned and finished: which features are weighed, and one Newton step on their sum.

The noisy sum holds the gradient g and the curvature A at the weights of the round. In the
directions in which A is diagonal, with h its eigenvalue, σ the noise and τ² how far weights may be
from where they start (their prior variance), the step is that of the best linear estimate:

    step = h · g / (h² + (σ² + h) / τ² + σ² K / 2)

The first term of what is added is the noise of the gradient and the sampling of the shoppers, the
second the noise of the curvature itself (half its spectrum's edge, squared). A direction in which
the sum says nothing stays where it starts; without noise the step is Newton's on the likelihood
and the prior.
"""

from collections.abc import Iterable

import numpy as np

from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.item_item import ItemItemArtefact
from consent.tasks.names import TaskName
from consent.tasks.parameters import FloatArray
from consent.tasks.ranker import MAX_WEIGHT, START, Feature, RankerArtefact, RankerTask
from crypto.errors import InvalidInputError

CANDIDATES = 100
# Lists of each shopper that are foretold; item-item is summed without them.
BASKETS = 1
# Prior variance of a weight about its start.
SPREAD = 0.3
CONTEXT = frozenset({Feature.WEEKDAY, Feature.DAYPART, Feature.SEASON, Feature.STORE})
LIFTS = frozenset({Feature.LIFT_BOUGHT, Feature.LIFT_NEW, Feature.LIFT_LATELY})
SEASONS = frozenset({Feature.SEASON_BOUGHT, Feature.SEASON_NEW})


def plan_task(
    artefacts: Iterable[Artefact],
    catalogue: Catalogue,
    *,
    moments: bool = False,
    inputs: tuple[str, ...] = (),
    previous: RankerArtefact | None = None,
) -> RankerTask:
    """The next round of the ranker; post-processing of releases, costs no privacy.

    Features that no artefact, catalogue or moment can fill are left out: they would be 0 on every
    device and bring noise alone.

    Args:
        artefacts: what was released and devices will have.
        catalogue: the item list.
        moments: whether lists are made for the moments of their baskets.
        inputs: hex SHA-256 of the encoded artefacts.
        previous: the round before, whose weights this one starts from.
    """
    found = {artefact.task: artefact for artefact in artefacts}
    item_item = found.get(TaskName.ITEM_ITEM)
    empty = set() if moments else set(CONTEXT)
    if not isinstance(item_item, ItemItemArtefact) or not item_item.directions:
        empty |= LIFTS
    if not {TaskName.POPULARITY, TaskName.RECENT_POPULARITY} <= found.keys():
        empty |= SEASONS
    if not any(catalogue.categories):
        empty.add(Feature.CATEGORY)
    features = tuple(feature for feature in Feature if feature not in empty)
    learned = (
        {} if previous is None else dict(zip(previous.features, previous.weights, strict=True))
    )
    return RankerTask(
        features=features,
        weights=tuple(float(learned.get(name, START.get(name, 0.0))) for name in features),
        candidates=CANDIDATES,
        baskets=BASKETS,
        moments=moments,
        inputs=inputs,
    )


def finish(
    task: RankerTask, values: FloatArray, *, noise_stddev: float, catalogue: Catalogue
) -> RankerArtefact:
    """The weights after one step.

    Args:
        task: the features, and the weights at which the sum was taken.
        values: float64, shape (task.dimension,): the noisy sum, in shoppers.
        noise_stddev: of the noise in each value, in the same unit; 0 for a sum without noise.
        catalogue: the item list.

    Raises:
        InvalidInputError: wrong length, a value that is not finite, or a negative noise.
    """
    if values.shape != (task.dimension,) or not np.isfinite(values).all():
        raise InvalidInputError(f"Expected {task.dimension} finite values, not {values.shape}.")
    if not 0 <= noise_stddev < np.inf:
        raise InvalidInputError(f"Expected noise_stddev={noise_stddev} to be finite and >= 0.")
    size = len(task.features)
    gradient, curvature = values[:size], symmetric(values[size:], size)
    start = np.array([START.get(feature, 0.0) for feature in task.features])
    # As seen from the start, whichever weights the sum was taken at.
    pull = gradient + curvature @ (np.array(task.weights) - start)
    weights = start + step(pull, curvature, noise_stddev=noise_stddev)
    return RankerArtefact(
        catalogue=catalogue.hash,
        features=task.features,
        weights=np.clip(weights, -MAX_WEIGHT, MAX_WEIGHT),
    )


def symmetric(values: FloatArray, size: int) -> FloatArray:
    """The symmetric matrix, shape (size, size), of its upper triangle; off it √2 times."""
    row, column = np.triu_indices(size)
    matrix = np.zeros((size, size))
    matrix[row, column] = values / np.where(row == column, 1.0, np.sqrt(2.0))
    both: FloatArray = matrix + matrix.T - np.diag(np.diag(matrix))
    return both


def step(
    gradient: FloatArray, curvature: FloatArray, *, noise_stddev: float, spread: float = SPREAD
) -> FloatArray:
    """The damped Newton step, shape (features,); zero where the curvature says nothing."""
    values, vectors = np.linalg.eigh(curvature)
    h, variance = np.maximum(values, 0.0), noise_stddev**2
    damped = h**2 + (variance + h) / spread + variance * h.size / 2.0
    along = np.divide(h * (vectors.T @ gradient), damped, out=np.zeros(h.size), where=damped > 0)
    found: FloatArray = vectors @ along
    return found
