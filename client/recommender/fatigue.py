"""Repeat fatigue: what she was shown again and again and did not buy rests for a while.

Both rules below read her own device's record of what was shown and what she bought afterwards
(``client/impressions.py``); nothing else knows it.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from client.contributions.history import IndexArray
from crypto.errors import InvalidInputError


@dataclass(frozen=True, kw_only=True)
class Patience:
    """When something rests, in lists.

    Attributes:
        shown: it was in so many lists since she last bought it.
        rest: it stays away from so many lists, and then may come back as if new.
    """

    shown: int
    rest: int

    def __post_init__(self) -> None:
        if self.shown < 1 or self.rest < 0:
            raise InvalidInputError(f"Expected shown >= 1 and rest >= 0: {self}.")


ITEMS: Final = Patience(shown=2, rest=8)
CATEGORIES: Final = Patience(shown=4, rest=4)


def resting(
    shown: Sequence[Collection[int]], bought: Sequence[Collection[int]], patience: Patience
) -> frozenset[int]:
    """What stays away from the next list.

    Args:
        shown: what each list held, oldest first.
        bought: one a list: what she bought after it and before the next.
        patience: the rule.

    Guarantee: nothing rests that was not shown ``patience.shown`` times without being bought, and
    nothing rests for longer than ``patience.rest`` lists.
    """
    if len(shown) != len(bought):
        raise InvalidInputError(f"{len(shown)} lists need as many outcomes, not {len(bought)}.")
    streak: Counter[int] = Counter()
    until: dict[int, int] = {}
    for number, (listed, taken) in enumerate(zip(shown, bought, strict=True)):
        for one in set(taken):
            streak.pop(one, None)
            until.pop(one, None)
        for one in set(listed) - set(taken):
            streak[one] += 1
            if streak[one] >= patience.shown:
                until[one] = number + patience.rest
                del streak[one]
    return frozenset(one for one, last in until.items() if last >= len(shown))


def weary(
    shown: Sequence[Collection[int]],
    bought: Sequence[Collection[int]],
    category: IndexArray,
    *,
    patience: Mapping[str, Patience] | None = None,
) -> frozenset[int]:
    """The items that stay out of the next discovery zone: resting ones, and resting categories'.

    Args:
        shown: the discovery items of each list, oldest first.
        bought: one a list, as for ``resting``.
        category: each item's, shape (items,).
        patience: the rules for "items" and "categories"; ``ITEMS`` and ``CATEGORIES`` if None.
    """
    rules = patience or {"items": ITEMS, "categories": CATEGORIES}
    items = resting(shown, bought, rules["items"])
    kinds = resting(_kinds(shown, category), _kinds(bought, category), rules["categories"])
    tired = np.flatnonzero(np.isin(category, list(kinds)))
    return items | frozenset(tired.tolist())


def _kinds(lists: Sequence[Collection[int]], category: IndexArray) -> list[set[int]]:
    return [{int(category[item]) for item in items} for items in lists]
