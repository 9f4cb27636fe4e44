"""How open a shopper is to what is new to her, from her own baskets, and the slider in her hands.

Nobody else knows it: it is computed on her device from her own purchases, and only her list shows
it. The means it is compared with are public constants.
"""

from enum import StrEnum
from typing import Final

import numpy as np

from client.contributions.history import History

# Share of a basket that its shopper had never bought before, over Complete Journey's shoppers
# (public data; validation training baskets, weighted as below).
MEAN_SHARE: Final = 0.40
# How much a basket counts against the one after it, and how many lines of a mean shopper stand in
# for the lines that a new shopper does not have yet.
DECAY: Final = 0.95
PRIOR_LINES: Final = 20.0


class Breadth(StrEnum):
    """Her slider: how much that is new to her she wants to be shown."""

    NONE = "none"
    LESS = "less"
    AS_I_SHOP = "as-i-shop"
    MORE = "more"
    MUCH_MORE = "much-more"


FACTORS: Final = {
    Breadth.NONE: 0.0,
    Breadth.LESS: 0.5,
    Breadth.AS_I_SHOP: 1.0,
    Breadth.MORE: 2.0,
    Breadth.MUCH_MORE: 4.0,
}


def explore_share(history: History) -> float:
    """Share of her lines that were new to her when she bought them, in (0, 1).

    Recent baskets count more, her first basket (in which everything is new) not at all. With few
    lines it is near ``MEAN_SHARE``.
    """
    later = history.basket > 0
    fresh = np.zeros(history.item.size, dtype=bool)
    # Entries ascend by basket, so the first entry of an item is the basket she met it in.
    fresh[np.unique(history.item, return_index=True)[1]] = True
    weight = DECAY ** history.age[later].astype(np.float64)
    new = float(weight @ fresh[later]) + PRIOR_LINES * MEAN_SHARE
    return new / (float(weight.sum()) + PRIOR_LINES)


def slots(history: History, breadth: Breadth, *, mean: float, most: int) -> int:
    """How many discoveries she is shown: round(mean · her share / the mean share · the slider).

    Args:
        history: hers.
        breadth: her slider; ``NONE`` gives 0 whatever she buys.
        mean: for a shopper of mean openness who left the slider alone.
        most: never more than that.

    Guarantee: from 0 to ``most``, never falling as the slider or her share rises.
    """
    return min(round(mean * FACTORS[breadth] * explore_share(history) / MEAN_SHARE), most)
