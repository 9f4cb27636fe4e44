"""Made-up histories of a few items, and models small enough for exact comparisons."""

from collections.abc import Sequence

import numpy as np
import torch

from client.contributions.history import History
from client.store.neural.examples import Lesson, Rows, rows_of
from client.store.neural.model import NextBasket, Shape, set_weights, weights_of

ITEMS = 15
LESSON = Lesson(baskets=3)
SHAPE = Shape(group=np.arange(ITEMS, dtype=np.int64) % 4, width=3)


def history(baskets: Sequence[Sequence[int]]) -> History:
    basket = np.repeat(np.arange(len(baskets)), [len(each) for each in baskets])
    item = np.array([item for each in baskets for item in sorted(each)], dtype=np.int64)
    return History(items=ITEMS, basket=basket.astype(np.int64), item=item)


def drawn(count: int, *, seed: int = 0, baskets: int = 5) -> list[History]:
    rng = np.random.default_rng(seed)
    return [
        history([rng.choice(ITEMS, size=4, replace=False).tolist() for _ in range(baskets)])
        for _ in range(count)
    ]


def rows(count: int, *, seed: int = 0, baskets: int = 5) -> Rows:
    return rows_of(drawn(count, seed=seed, baskets=baskets), LESSON, items=ITEMS)


def model(*, seed: int = 1) -> NextBasket:
    """With weights that are nowhere zero, so that every parameter has a gradient."""
    made = NextBasket(SHAPE)
    set_weights(made, np.random.default_rng(seed).normal(0, 0.3, weights_of(made).size))
    return made.to(torch.float32)
