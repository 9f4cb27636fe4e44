"""When and where a list is for, as far as she lets her device know.

The day belongs to her purchases. The hour counts only where she granted time of day, and the store
only where she granted places: ``Moment.granted`` leaves the rest out, and what is left out changes
no score.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np

from client.contributions.history import FloatArray, History, IndexArray
from consent.purpose import Category

DAY_S = 86_400
# 1 January 1970 was a Thursday.
FIRST_WEEKDAY = 3
# A day's parts begin at these hours: morning, midday, afternoon, evening; the night is before.
DAYPARTS = (6, 11, 14, 18)
# How many purchases of an item must speak before her own baskets' habit is outweighed.
PRIOR = 3.0
BOUND = 1.0


class Setting(StrEnum):
    """What a moment is made of; evidence tells them apart by the ranges of their codes."""

    WEEKDAY = "weekday"
    DAYPART = "daypart"
    SEASON = "season"
    STORE = "store"


# The first code of each: 0 to 6 Monday to Sunday, 7 to 11 night to evening, 12 to 15 winter to
# autumn (of the northern half), 16 the store that the list is for.
CODES = {Setting.WEEKDAY: 0, Setting.DAYPART: 7, Setting.SEASON: 12, Setting.STORE: 16}
SIZES = {Setting.WEEKDAY: 7, Setting.DAYPART: 5, Setting.SEASON: 4, Setting.STORE: 2}


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When and where a list is for.

    Attributes:
        time: Unix seconds (the shop's local time read as UTC); None where it is not known.
        hour: whether the time of day may count.
        store: where; None where it is not known or not granted.
    """

    time: int | None = None
    hour: bool = False
    store: str | None = None

    @classmethod
    def granted(
        cls, categories: AbstractSet[Category], *, time: int, store: str | None = None
    ) -> Self:
        """The moment reduced to what she granted."""
        hour = Category.TIME_CONTEXT in categories
        return cls(
            time=time if hour else time - time % DAY_S,
            hour=hour,
            store=(store or None) if Category.LOCATION in categories else None,
        )

    @classmethod
    def of_basket(cls, history: History, number: int) -> Self:
        """When and where a basket of hers was bought, as far as her history knows; 0 the oldest."""
        if history.time is None or not 0 <= number < history.baskets:
            return cls()
        return cls(
            time=int(history.time[number]),
            hour=history.hour,
            store=None if history.store is None else history.store[number] or None,
        )


UNKNOWN = Moment()


@dataclass(frozen=True, kw_only=True)
class Match:
    """How one setting of the moment bears on her items.

    Attributes:
        code: which weekday, part of the day, season or store, see ``CODES``.
        times: float64, shape (items,): in how many baskets of this setting each item was.
        pull: float64, shape (items,), within ±``BOUND``: log of how much more often she buys the
            item in this setting than her baskets as a whole; 0 for what she never bought.
    """

    code: int
    times: FloatArray
    pull: FloatArray


def matches(history: History, moment: Moment) -> dict[Setting, Match]:
    """Every setting that is known of both the moment and her baskets."""
    found = {}
    for setting in Setting:
        known = _codes(history, moment, setting)
        if known is not None and history.baskets:
            found[setting] = _match(history, setting, *known)
    return found


def _codes(history: History, moment: Moment, setting: Setting) -> tuple[IndexArray, int] | None:
    """Each basket's code, shape (baskets,), and the moment's; None where either is not known."""
    if setting is Setting.STORE:
        if moment.store is None or history.store is None:
            return None
        same = np.array([store == moment.store for store in history.store], dtype=np.int64)
        return same, 1
    if moment.time is None or history.time is None:
        return None
    if setting is Setting.DAYPART and not (moment.hour and history.hour):
        return None
    read = {Setting.WEEKDAY: weekday, Setting.DAYPART: daypart, Setting.SEASON: season}[setting]
    return read(history.time), int(read(np.array([moment.time], dtype=np.int64))[0])


def _match(history: History, setting: Setting, codes: IndexArray, code: int) -> Match:
    here = codes == code
    times = np.bincount(history.item[here[history.basket]], minlength=history.items)
    share = (here.sum() + 1.0) / (history.baskets + SIZES[setting])
    expected = (history.counts + PRIOR) * share
    pull = np.log((times + PRIOR * share) / expected)
    bounded = np.where(history.counts > 0, np.clip(pull, -BOUND, BOUND), 0.0)
    first = CODES[setting]
    return Match(
        code=first if setting is Setting.STORE else first + code,
        times=times.astype(np.float64),
        pull=bounded,
    )


def weekday(time: IndexArray) -> IndexArray:
    """0 for Monday to 6 for Sunday, shape like ``time``."""
    return (time // DAY_S + FIRST_WEEKDAY) % 7


def daypart(time: IndexArray) -> IndexArray:
    """0 night, 1 morning, 2 midday, 3 afternoon, 4 evening, shape like ``time``."""
    hour = time % DAY_S // 3600
    return np.searchsorted(np.array(DAYPARTS), hour, side="right").astype(np.int64)


def season(time: IndexArray) -> IndexArray:
    """0 December to February, 1 March to May, 2 June to August, 3 the rest, shape like ``time``."""
    month = time.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64) % 12
    return (month + 1) % 12 // 3
