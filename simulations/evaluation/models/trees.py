"""LightGBM LambdaRank on everyone's data: a strong ranker with the inputs of the device.

It learns from what shoppers bought next within the training data. Features of a basket come from
what lay before it, the shared artefacts included, so no label is among its own features.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from client.contributions.history import FloatArray, IndexArray
from crypto.errors import InvalidInputError
from simulations.evaluation.evaluate import Recommender
from simulations.evaluation.metrics import Scorer, best
from simulations.evaluation.models.features import NAMES, Features
from simulations.evaluation.protocol import MINIMUM_BASKETS, Fold, split
from simulations.evaluation.release import INPUTS, Noise, release

# Candidates: her own items and so many popular ones; nothing else is ever listed.
POPULAR = 300
NOT_A_CANDIDATE = -1e9
MOST_TREES = 200
LEAST_IN_LEAF = 100
# Lists to learn from, of the last baskets and again of those before them.
MOST_LISTS = 4_000


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Candidates of many shoppers, one after the other.

    Attributes:
        table: float32, shape (rows, features).
        item: int64, shape (rows,): catalogue indices.
        sizes: int64, shape (shoppers,): how many candidates each has.
        bought: int32, shape (rows,): 1 where the held-out basket holds the item.
    """

    table: npt.NDArray[np.float32]
    item: IndexArray
    sizes: IndexArray
    bought: npt.NDArray[np.int32]


def lambda_rank(*, trees: int, leaves: int, rate: float) -> Recommender:
    """A LambdaRank ensemble; the candidates are ranked, everything else comes after them.

    Args:
        trees: how many, at most ``MOST_TREES``.
        leaves: of each.
        rate: shrinkage.

    Source: Burges, "From RankNet to LambdaRank to LambdaMART", 2010; Ke et al., "LightGBM",
    NeurIPS 2017.
    """
    if not 1 <= trees <= MOST_TREES:
        raise InvalidInputError(f"Expected trees={trees} from 1 to {MOST_TREES}.")

    def fit(fold: Fold) -> Scorer:
        booster = _booster(fold, leaves=leaves, rate=rate)
        candidates = _candidates(fold)
        found = np.asarray(
            booster.predict(candidates.table, num_iteration=trees, num_threads=1), dtype=np.float64
        )
        edges = np.append(0, np.cumsum(candidates.sizes))

        def scores(part: slice) -> FloatArray:
            size = (part.stop - part.start, len(fold.training.catalogue))
            table = np.full(size, NOT_A_CANDIDATE)
            for row, shopper in enumerate(range(part.start, part.stop)):
                hers = slice(edges[shopper], edges[shopper + 1])
                table[row, candidates.item[hers]] = found[hers]
            return table

        return scores

    return fit


# Boosting adds trees one by one, so a smaller ensemble is the beginning of a larger one.
@lru_cache(maxsize=4)
def _booster(fold: Fold, *, leaves: int, rate: float) -> Any:
    import lightgbm  # noqa: PLC0415 - slow to import

    options = {
        "objective": "lambdarank",
        "lambdarank_truncation_level": 20,
        "learning_rate": rate,
        "num_leaves": leaves,
        "min_data_in_leaf": LEAST_IN_LEAF,
        "num_threads": 1,
        "deterministic": True,
        "force_col_wise": True,
        "seed": 0,
        "verbose": -1,
    }
    parts = _training(fold)
    data = lightgbm.Dataset(
        np.concatenate([part.table for part in parts]),
        label=np.concatenate([part.bought for part in parts]),
        group=np.concatenate([part.sizes for part in parts]),
        feature_name=[name.replace(" ", "_") for name in NAMES],
        params={"verbose": -1},
    )
    return lightgbm.train(options, data, num_boost_round=MOST_TREES)


@lru_cache(maxsize=1)
def _training(fold: Fold) -> tuple[Examples, ...]:
    """The last two baskets of every shopper within the training data, each from what lay before.

    Of many shoppers a random part is taken: LambdaRank gains little beyond, and takes hours.
    """
    rng = np.random.default_rng(0)
    taken = []
    for part in _lessons(fold):
        size = min(MOST_LISTS, len(part.tested))
        some = np.sort(rng.choice(len(part.tested), size, replace=False))
        taken.append(part.only(some.tolist()))
    return tuple(_examples(part) for part in taken)


def _lessons(fold: Fold) -> tuple[Fold, Fold]:
    """The training data split once more: what is foretold there may be learned from.

    Raises:
        InvalidInputError: nobody has baskets enough for that.
    """
    inner = split(fold.training, minimum_baskets=MINIMUM_BASKETS)
    try:
        return replace(inner.test, granted=fold.granted), replace(
            inner.validation, granted=fold.granted
        )
    except InvalidInputError as error:
        raise InvalidInputError(
            f"LambdaRank learns from what shoppers bought next, and without the held-out baskets "
            f"nobody has {MINIMUM_BASKETS} left: leave it out of --rivals."
        ) from error


@lru_cache(maxsize=1)
def _candidates(fold: Fold) -> Examples:
    return _examples(fold)


def _examples(fold: Fold) -> Examples:
    """The candidates of a fold's tested shoppers; its truth becomes labels and nothing else."""
    artefacts = release(fold, Noise.none(INPUTS), rng=np.random.default_rng(0)).values()
    catalogue = fold.training.catalogue
    features = Features(catalogue, artefacts)
    counts = np.sum([history.counts for history in fold.histories.values()], axis=0)
    popular = best(counts[None, :], min(POPULAR, len(catalogue)))[0].astype(np.int64)
    tables, items, bought = [], [], []
    for number, (shopper, truth) in enumerate(zip(fold.tested, fold.truth, strict=True)):
        history = fold.histories[shopper]
        chosen = np.union1d(np.unique(history.item), popular)
        tables.append(features.rows(history, chosen, fold.moment(number)).astype(np.float32))
        items.append(chosen)
        bought.append(np.isin(chosen, truth).astype(np.int32))
    return Examples(
        table=np.concatenate(tables),
        item=np.concatenate(items),
        sizes=np.array([part.size for part in items], dtype=np.int64),
        bought=np.concatenate(bought),
    )
