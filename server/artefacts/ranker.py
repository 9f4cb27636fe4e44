"""The ranker, planned and finished: which features are weighed, and one Newton step on their sum.

The noisy sum holds the gradient g and the curvature A at the weights of the round. With σ the
noise of each value and S the prior variances of the weights about where they start, the step is
the best linear estimate

    step = S A (A S A + N)⁻¹ g,      N = A + (σ² + σ² tr(S) / 2) I

N is how far g scatters: by the sampling of the shoppers, by its own noise, and by the noise of the
curvature times the step. A direction in which the sum says nothing stays where it starts; without
noise the step is Newton's on the likelihood and the prior.

Some features help on some data only. How much their weights may move is not set by hand: of the
variances in ``RESERVES`` the one is taken under which this very sum was likeliest (its evidence,
the density of g under variance A S A + N). Post-processing of the noisy sum: costs no privacy.
Source: empirical Bayes, e.g. MacKay, "Bayesian interpolation", Neural Computation 1992.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.factors import FactorsArtefact
from consent.tasks.item_item import ItemItemArtefact
from consent.tasks.names import TaskName
from consent.tasks.parameters import FloatArray
from consent.tasks.ranker import MAX_WEIGHT, START, Feature, RankerArtefact, RankerTask
from crypto.errors import InvalidInputError

CANDIDATES = 100
# Lists of each shopper that are foretold; item-item is summed without them.
BASKETS = 1
# Directions of less curvature than this share of the largest say nothing.
LEAST_CURVATURE = 1e-9
# Prior variance of a weight about its start.
SPREAD = 0.3
# Features that help on some data only, and the prior variances that their weights may have.
RESERVED = frozenset(
    {
        Feature.LAST_BASKET,
        Feature.SEASON_NEW,
        Feature.POPULAR_NEW,
        Feature.LIFT_NEW,
        Feature.LIFT_LATELY,
        Feature.CONTENT,
        Feature.CONTENT_LATELY,
        Feature.LATE,
    }
)
RESERVES = (SPREAD / 16, SPREAD / 4, SPREAD, 4 * SPREAD)
CONTEXT = frozenset({Feature.WEEKDAY, Feature.DAYPART, Feature.SEASON, Feature.STORE})
LIFTS = frozenset({Feature.LIFT_BOUGHT, Feature.LIFT_NEW, Feature.LIFT_LATELY})
SEASONS = frozenset({Feature.SEASON_BOUGHT, Feature.SEASON_NEW})


def plan_task(
    artefacts: Iterable[Artefact],
    catalogue: Catalogue,
    *,
    moments: bool = True,
    inputs: tuple[str, ...] = (),
    previous: RankerArtefact | None = None,
) -> RankerTask:
    """The next round of the ranker; post-processing of releases, costs no privacy.

    Features that no artefact, catalogue or moment can fill are left out: they would be 0 on every
    device and bring noise alone.

    Args:
        artefacts: what was released and devices will have.
        catalogue: the item list.
        moments: whether lists are made for the moments of their baskets, as devices make theirs;
            what a shopper did not grant of a moment is 0 and so changes nothing of it.
        inputs: hex SHA-256 of the encoded artefacts.
        previous: the round before, whose weights this one starts from.
    """
    found = {artefact.task: artefact for artefact in artefacts}
    empty = set() if moments else set(CONTEXT)
    if not _speaks(found.get(TaskName.ITEM_ITEM, found.get(TaskName.FACTORS))):
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


def _speaks(pairs: Artefact | None) -> bool:
    """Whether anything in it is above the noise; factors stand in for item-item on devices."""
    if isinstance(pairs, FactorsArtefact):
        return bool(pairs.factors.any())
    return isinstance(pairs, ItemItemArtefact) and pairs.directions > 0


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
    reserved = np.array([feature in RESERVED for feature in task.features])
    priors = [np.where(reserved, reserve, SPREAD) for reserve in RESERVES]
    weights = start + likeliest(pull, curvature, priors, noise_stddev=noise_stddev)
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


def likeliest(
    gradient: FloatArray,
    curvature: FloatArray,
    priors: Sequence[FloatArray],
    *,
    noise_stddev: float,
) -> FloatArray:
    """The step under the prior that explains the gradient best, shape (features,)."""
    found = [step(gradient, curvature, prior, noise_stddev=noise_stddev) for prior in priors]
    best = max(range(len(found)), key=lambda place: found[place][1])
    return found[best][0]


def step(
    gradient: FloatArray, curvature: FloatArray, prior: FloatArray, *, noise_stddev: float
) -> tuple[FloatArray, float]:
    """The damped Newton step and the log evidence of its prior.

    Args:
        gradient: float64, shape (features,).
        curvature: float64, shape (features, features), symmetric; its negative part is noise and
            counts as 0.
        prior: float64, shape (features,), positive: variances of the weights about their start.
        noise_stddev: of each value of both.

    Returns:
        The step, shape (features,), zero where the curvature says nothing; and the log density of
        the gradient, up to a constant that no prior changes.
    """
    values, vectors = np.linalg.eigh(curvature)
    seen = values > LEAST_CURVATURE * max(float(values.max(initial=0.0)), 1.0)
    if not seen.any():
        return np.zeros(gradient.size), 0.0
    # In the directions that the curvature shows; elsewhere the gradient is noise alone.
    h, along = values[seen], vectors[:, seen]
    spread = along.T @ (prior[:, None] * along)
    scatter = np.diag(h + noise_stddev**2 * (1.0 + prior.sum() / 2.0))
    variance = h[:, None] * spread * h + scatter
    pull = along.T @ gradient
    solved = np.linalg.solve(variance, pull)
    moved: FloatArray = prior * (along @ (h * solved))
    evidence = -0.5 * float(pull @ solved) - 0.5 * float(np.linalg.slogdet(variance)[1])
    return moved, evidence
