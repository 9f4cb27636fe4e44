"""iALS: implicit-feedback matrix factorisation by alternating least squares, from all data."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from client.contributions.history import FloatArray
from simulations.evaluation.evaluate import Recommender
from simulations.evaluation.metrics import Scorer
from simulations.evaluation.models.shoppers import matrix, once, rows_of_tested
from simulations.evaluation.protocol import Fold


def ials(
    *,
    factors: int,
    regularisation: float,
    confidence: float,
    iterations: int = 15,
    seed: int = 0,
) -> Recommender:
    """Implicit ALS by the package ``implicit``, on one thread so that a seed gives one result.

    Args:
        factors: dimensions.
        regularisation: λ.
        confidence: weight of one purchase against the 1 of an item not bought (α).
        iterations: of both sides.
        seed: of the start.

    Source: Hu, Koren and Volinsky, "Collaborative filtering for implicit feedback datasets",
    ICDM 2008; how to tune it: Rendle et al., "Revisiting the performance of iALS", RecSys 2022.
    """

    def fit(fold: Fold) -> Scorer:
        counts = sp.csr_matrix(matrix(fold, once), dtype=np.float32)
        model = _model(
            factors=factors,
            regularization=regularisation,
            alpha=confidence,
            iterations=iterations,
            random_state=seed,
            num_threads=1,
            use_gpu=False,
        )
        model.fit(counts, show_progress=False)
        shoppers, items = model.user_factors[rows_of_tested(fold)], model.item_factors

        def scores(part: slice) -> FloatArray:
            found: FloatArray = (shoppers[part] @ items.T).astype(np.float64)
            return found

        return scores

    return fit


def _model(**options: Any) -> Any:
    """The package's model; it warns unless BLAS is held to one thread while it is made."""
    # Neither ships types; slow to import, so only where a model is made.
    from implicit.als import AlternatingLeastSquares  # type: ignore[import-untyped]  # noqa: PLC0415
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415

    with threadpool_limits(1, "blas"):
        return AlternatingLeastSquares(**options)
