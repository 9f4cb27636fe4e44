"""How due an item is: the gaps between her purchases of it, against the days since the last one.

    due = exp(-2 · ln²((since + 1) / (gap + 1))) · exp(-unevenness)       items bought twice or more
    late = min(max(ln((since + 1) / (gap + 1)) - 1, 0), 2)

gap is the mean number of days between purchases, since the days from the last one to the list's
moment; where that is not known, her usual days between baskets are added to her last basket.
unevenness is the squared coefficient of variation of the gaps, as two gaps of 1 would have them
beside her own. Late is what she seems to have given up. Without times baskets count as days.
"""

from dataclasses import dataclass

import numpy as np

from client.contributions.history import FloatArray, History
from client.recommender.moment import DAY_S, Moment

SHARPNESS = 2.0
PRIOR_GAPS = 2.0
PRIOR_UNEVENNESS = 1.0
# Her usual days between baskets: the median of so many last ones, and never below this.
USUAL_OF = 20
LEAST_USUAL = 0.5
LATEST = 2.0


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """Each float64, shape (items,); 0 for items not bought twice, ``since`` for items not bought.

    Attributes:
        due: 0 to 1, most where she is about to buy again and buys evenly.
        late: 0 to ``LATEST``: how far beyond e times its gap an item is, in logs.
        gap: mean days between purchases.
        since: days from the last purchase to the moment; to her last basket where it is unknown.
    """

    due: FloatArray
    late: FloatArray
    gap: FloatArray
    since: FloatArray


def rhythm(history: History, moment: Moment) -> Rhythm:
    """The rhythm of every item; finite for every history."""
    zero = np.zeros(history.items)
    if not history.baskets:
        return Rhythm(due=zero, late=zero, gap=zero, since=zero)
    day = _days(history)
    now, expected = _now(history, moment, day)
    last, gap, squares = _gaps(history, day)
    bought, twice = history.counts > 0, history.counts > 1
    wait = np.log((np.maximum(expected - last, 0.0) + 1.0) / (gap + 1.0))
    uneven = np.maximum(squares / np.maximum(gap, 0.1) ** 2 - 1.0, 0.0)
    own = np.maximum(history.counts - 1.0, 0.0)
    uneven = (own * uneven + PRIOR_GAPS * PRIOR_UNEVENNESS) / (own + PRIOR_GAPS)
    due = np.exp(-SHARPNESS * wait**2 - uneven)
    return Rhythm(
        due=np.where(twice, due, 0.0),
        late=np.where(twice, np.clip(wait - 1.0, 0.0, LATEST), 0.0),
        gap=gap,
        since=np.where(bought, np.maximum(now - last, 0.0), 0.0),
    )


def _days(history: History) -> FloatArray:
    """When each basket was, in days, shape (baskets,), never falling."""
    if history.time is None:
        return np.arange(history.baskets, dtype=np.float64)
    return np.maximum.accumulate(history.time / DAY_S)


def _now(history: History, moment: Moment, day: FloatArray) -> tuple[float, float]:
    """The day that days are counted to, and the day that the list is for."""
    if moment.time is not None and history.time is not None:
        now = max(moment.time / DAY_S, float(day[-1]))
        return now, now
    gaps = np.diff(day)[-USUAL_OF:]
    usual = float(np.median(gaps)) if gaps.size else 0.0
    return float(day[-1]), float(day[-1]) + max(usual, LEAST_USUAL)


def _gaps(history: History, day: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Each item's last day, mean gap and mean squared gap, shape (items,)."""
    last, first = np.zeros(history.items), np.zeros(history.items)
    at = day[history.basket]
    last[history.item] = at  # entries ascend by basket, so the last one stays
    first[history.item[::-1]] = at[::-1]
    order = np.lexsort((history.basket, history.item))
    item, sorted_day = history.item[order], at[order]
    same = item[1:] == item[:-1]
    squared = np.diff(sorted_day)[same] ** 2
    number = np.maximum(history.counts - 1.0, 1.0)
    squares = np.bincount(item[1:][same], squared, minlength=history.items) / number
    return last, (last - first) / number, squares
