"""Factors, planned and finished: where items begin, and one step on the shoppers' noisy sum.

With F the places of the round, the sum holds G = Σ w r xᵀ and A = Σ w x xᵀ over shoppers' own
places x, w being what bounds each of them. F A + G is what their targets say of each item once the
part that F already explains is put back, so

    F' = (F A + G) (A + ridge)⁻¹

is the items' half of an alternating ridge regression: a gradient step, preconditioned by a
curvature that no item exceeds, so without noise it never makes the weighted loss larger. With noise
of σ in every value, F A + G is a low-rank matrix under noise whose singular values end at
σ (√M + √k); what doesn't clear that edge goes to 0, and the rest is shrunk to what it was before
the noise. A taste that vanished begins the next round in a public direction or a random one.

Post-processing of the noisy sum: costs no privacy. Source of the shrinkage: Gavish and Donoho,
"Optimal shrinkage of singular values", IEEE Transactions on Information Theory 2017.
"""

from collections.abc import Mapping
from hashlib import sha256

import numpy as np

from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.factors import MAX_FACTOR, FactorsArtefact, FactorsTask
from consent.tasks.item_item import ItemItemArtefact, ItemItemTask
from consent.tasks.names import TaskName
from consent.tasks.parameters import FloatArray
from consent.tasks.popularity import PopularityArtefact
from crypto.errors import InvalidInputError
from server.artefacts import item_item
from server.artefacts.ranker import symmetric
from server.artefacts.subspace import public_basis

WIDTH = 16
# On the device: how strongly a shopper's place is held, and what an item she hasn't bought counts.
PLACE_RIDGE = 0.1
UNSEEN = 1.0
# Shorter than nearly all: everybody's direction counts alike.
LENGTH = 0.05
# Of the items' step, in shoppers.
RIDGE = 10.0
# A column of less than this share of the longest is no taste.
LEAST_TASTE = 1e-6


def plan_task(
    popularity: PopularityArtefact,
    catalogue: Catalogue,
    *,
    listed: int | None = None,
    width: int = WIDTH,
    withheld: int = 0,
    released: Mapping[TaskName, Artefact] | None = None,
    previous: FactorsArtefact | None = None,
) -> FactorsTask:
    """The next round; post-processing of releases and the public item list, costs no privacy.

    It begins where the round before ended; the first one from the released directions of item-item
    where there are any. What is left of the width begins in directions that the item list spans,
    then in random ones that anybody can draw again from the catalogue's hash and what came before.

    Args:
        popularity: the items, their weights and the mean direction are taken from it.
        catalogue: the item list.
        listed: how many of the most popular items; see ``item_item.plan_task``.
        width: how many tastes, at most as many as items are listed.
        withheld: last lists of each shopper that stay out of the sum.
        released: what else may say where items begin.
        previous: the round before.
    """
    terms = item_item.plan_task(popularity, listed=listed, withheld=withheld)
    width = min(width, len(terms.indices))
    known = _known(terms, (released or {}).get(TaskName.ITEM_ITEM), previous)
    places = begun(known, public_basis(terms, catalogue), width=width, name=catalogue.hash)
    return FactorsTask(
        indices=terms.indices,
        weights=terms.weights,
        mean=terms.mean,
        places=tuple(places.astype(np.float32).ravel().tolist()),
        width=width,
        ridge=PLACE_RIDGE,
        unseen=UNSEEN,
        length=LENGTH,
        withheld=withheld,
    )


def begun(known: FloatArray, described: FloatArray, *, width: int, name: str) -> FloatArray:
    """Places to begin from, shape (M, width), every column of them something.

    Args:
        known: shape (M, any), the strongest column first; kept as it is, up to the width.
        described: shape (M, any): public directions for what is left.
        width: how many.
        name: of the item list; with ``known`` it fixes the random directions for what is left then.
    """
    length = np.linalg.norm(known, axis=0)
    kept = known[:, length > LEAST_TASTE * length.max(initial=0.0)][:, :width]
    kept = kept.astype(np.float32).astype(np.float64)
    seed = sha256(name.encode() + np.ascontiguousarray(kept).tobytes()).digest()
    rng = np.random.default_rng(int.from_bytes(seed, "big"))
    items = len(known)
    span = np.linalg.qr(kept)[0]
    fresh = np.hstack([described, rng.standard_normal((items, width))])
    columns = [kept]
    for column in fresh.T:
        if sum(each.shape[1] for each in columns) == width:
            break
        beside = column - span @ (span.T @ column)
        size = float(np.linalg.norm(beside))
        if size > LEAST_TASTE * float(np.linalg.norm(column)):
            span = np.hstack([span, (beside / size)[:, None]])
            columns.append(span[:, -1:])
    return np.hstack(columns)


def finish(
    task: FactorsTask, values: FloatArray, *, noise_stddev: float, catalogue: Catalogue
) -> FactorsArtefact:
    """Where items lie after one step.

    Args:
        task: the places at which the sum was taken.
        values: float64, shape (task.dimension,): the noisy sum, in shoppers.
        noise_stddev: of the noise in each value, in the same unit; 0 for a sum without noise.
        catalogue: the list that the indices are of.

    Returns:
        The places, the strongest taste first, zeros where no taste clears the noise.

    Raises:
        InvalidInputError: wrong length, a value that is not finite, or a negative noise.
    """
    if values.shape != (task.dimension,) or not np.isfinite(values).all():
        raise InvalidInputError(f"Expected {task.dimension} finite values, not {values.shape}.")
    if not 0 <= noise_stddev < np.inf:
        raise InvalidInputError(f"Expected noise_stddev={noise_stddev} to be finite and >= 0.")
    items, width = len(task.indices), task.width
    gradient = values[: items * width].reshape(items, width)
    curvature = symmetric(values[items * width :], width)
    places = stepped(task.factors, gradient, curvature, noise_stddev=noise_stddev)
    left, size, _ = np.linalg.svd(places, full_matrices=False)
    return FactorsArtefact(
        catalogue=catalogue.hash,
        indices=np.asarray(task.indices, dtype=np.int64),
        factors=np.clip(left * size, -MAX_FACTOR, MAX_FACTOR).astype(np.float32).astype(np.float64),
        weights=np.asarray(task.weights, dtype=np.float64),
        mean=np.asarray(task.mean, dtype=np.float64),
        ridge=task.ridge,
        unseen=task.unseen,
    )


def stepped(
    places: FloatArray, gradient: FloatArray, curvature: FloatArray, *, noise_stddev: float
) -> FloatArray:
    """The places after one step, shape (M, k), in the shoppers' own axes.

    Args:
        places: shape (M, k): where the sum was taken.
        gradient: shape (M, k): of descent.
        curvature: shape (k, k), symmetric; its negative part is noise and counts as 0.
        noise_stddev: of each value of both.
    """
    width = places.shape[1]
    strength, axes = np.linalg.eigh(curvature)
    strength = np.maximum(strength, 0.0)
    # As far as noise alone would bend it, the curvature says nothing.
    ridge = RIDGE + noise_stddev * float(np.sqrt(2.0 * width))
    said = denoised(places @ ((axes * strength) @ axes.T) + gradient, noise_stddev=noise_stddev)
    moved: FloatArray = said @ ((axes / (strength + ridge)) @ axes.T)
    return moved


def denoised(matrix: FloatArray, *, noise_stddev: float) -> FloatArray:
    """A low-rank matrix without the noise of its entries, shape (M, k), M >= k.

    Singular values s up to σ (√M + √k) are noise; those above it become
    √((s² - σ² M - σ² k)² - 4 σ⁴ M k) / s, which is best in squared error.
    """
    left, size, right = np.linalg.svd(matrix, full_matrices=False)
    if noise_stddev > 0:
        items, width = matrix.shape
        tall, wide = noise_stddev**2 * items, noise_stddev**2 * width
        kept = size > np.sqrt(tall) + np.sqrt(wide)
        inner = np.maximum((size**2 - tall - wide) ** 2 - 4.0 * tall * wide, 0.0)
        size = np.where(kept, np.sqrt(inner) / np.where(kept, size, 1.0), 0.0)
    cleaned: FloatArray = (left * size) @ right
    return cleaned


def _known(
    terms: ItemItemTask, pairs: Artefact | None, previous: FactorsArtefact | None
) -> FloatArray:
    """What releases say of where the listed items lie, shape (M, any), the strongest first."""
    if previous is not None and tuple(previous.indices.tolist()) == terms.indices:
        return previous.factors
    if not isinstance(pairs, ItemItemArtefact) or not pairs.directions:
        return np.zeros((len(terms.indices), 0))
    left, size, _ = np.linalg.svd(pairs.matrix)
    found = left[:, : pairs.directions] * (size[: pairs.directions] > LEAST_TASTE * size[0])
    place = {int(index): row for row, index in enumerate(pairs.indices)}
    rows = np.array([place.get(index, -1) for index in terms.indices])
    return np.where(rows[:, None] >= 0, found[rows], 0.0)
