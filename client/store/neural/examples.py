"""What a shopper's history teaches: some of her latest baskets, each with all that came before it.

All examples of one shopper are one row. That is what makes the shopper the unit of privacy: her
row's gradient is clipped as a whole, however often she shops.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from client.contributions.history import History

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """How histories become examples; public, and the same at every store.

    Attributes:
        baskets: a shopper's latest baskets that are foretold, at most.
        decay: weight of a purchase per basket since.
    """

    baskets: int = 6
    decay: float = 0.95

    def __post_init__(self) -> None:
        if self.baskets < 1 or not 0 < self.decay <= 1:
            raise ValueError(
                f"Expected baskets={self.baskets} >= 1 and 0 < decay={self.decay} <= 1."
            )


@dataclass(frozen=True, kw_only=True, repr=False)
class Rows:
    """Examples of several shoppers, one row each.

    Attributes:
        before: float32, shape (shoppers, baskets, items): decayed purchase counts before the
            basket that is foretold.
        wanted: float32, shape (shoppers, baskets, items): that basket, entries adding up to 1;
            zeros where she has fewer baskets.
    """

    before: Float32Array
    wanted: Float32Array

    def __repr__(self) -> str:
        return f"Rows({len(self.before)} shoppers)"

    def __reduce__(self) -> str:
        raise TypeError("Rows must not leave the store: contribute a sealed update.")

    def __len__(self) -> int:
        return len(self.before)

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_] | slice) -> "Rows":
        """The rows at the given positions or under the given mask."""
        return Rows(before=self.before[rows], wanted=self.wanted[rows])


def rows_of(histories: Sequence[History], lesson: Lesson, *, items: int) -> Rows:
    """One row a shopper, in their order; one with fewer than two baskets teaches nothing."""
    shape = (len(histories), lesson.baskets, items)
    before, wanted = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for row, history in enumerate(histories):
        _fill(before[row], wanted[row], history, lesson)
    return Rows(before=before, wanted=wanted)


def decayed(history: History, lesson: Lesson) -> Float32Array:
    """Decayed purchase counts up to now, shape (items,): what the next basket is foretold from."""
    weight = lesson.decay ** history.age.astype(np.float64)
    return np.bincount(history.item, weight, minlength=history.items).astype(np.float32)


def _fill(before: Float32Array, wanted: Float32Array, history: History, lesson: Lesson) -> None:
    count = min(lesson.baskets, history.baskets - 1)
    if count < 1:
        return
    edges = np.searchsorted(history.basket, np.arange(history.baskets + 1))
    first = history.baskets - count
    early = slice(0, edges[first])
    age = first - 1 - history.basket[early]
    weight = lesson.decay ** age.astype(np.float64)
    state: npt.NDArray[np.float64] = np.zeros(history.items)
    np.add.at(state, history.item[early], weight)
    for place, basket in enumerate(range(first, history.baskets)):
        bought = history.item[edges[basket] : edges[basket + 1]]
        before[place] = state
        wanted[place, bought] = 1.0 / bought.size
        state *= lesson.decay
        state[bought] += 1.0
