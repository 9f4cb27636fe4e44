"""Which lines are one visit, and in which order visits came, where the files say so in part."""

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from client.importers.times import DAY_SECONDS, MOST_DAYS, Clock
from crypto.errors import InvalidInputError

IndexArray = npt.NDArray[np.int64]


def ranks(texts: Sequence[str]) -> IndexArray:
    """Position of each text in text order."""
    rank = {text: position for position, text in enumerate(sorted(set(texts)))}
    return np.fromiter((rank[text] for text in texts), np.int64, len(texts))


def name_baskets(
    shoppers: list[str], times: IndexArray, baskets: list[str] | None, clock: Clock
) -> list[str]:
    """Basket ids that no two shoppers share.

    Without a basket column: shopper and day. Where shoppers share an id (numbers that begin anew
    for each, say), all ids get the shopper's in front.
    """
    if baskets is None:
        days = (times // DAY_SECONDS).tolist()
        dated = clock is Clock.WALL
        dates = {day: str(np.datetime64(day, "D")) if dated else str(day) for day in set(days)}
        pairs = list(zip(shoppers, days, strict=True))
        names = {pair: f"{pair[0]}/{dates[pair[1]]}" for pair in set(pairs)}
        return [names[pair] for pair in pairs]
    owned = list(zip(shoppers, baskets, strict=True))
    distinct = set(owned)
    if len(distinct) == len(set(baskets)):
        return baskets
    renamed = {pair: f"{pair[0]}/{pair[1]}" for pair in distinct}
    return [renamed[pair] for pair in owned]


def times_in_order(shoppers: list[str], visits: Sequence[Hashable]) -> IndexArray:
    """Times of lines that stand in the order in which things happened: a day a visit.

    A shopper's visit comes where its first line stands.

    Raises:
        InvalidInputError: a shopper has more than MOST_DAYS visits.
    """
    seen: dict[str, dict[Hashable, int]] = {}
    found = np.empty(len(shoppers), dtype=np.int64)
    for line, (shopper, visit) in enumerate(zip(shoppers, visits, strict=True)):
        mine = seen.setdefault(shopper, {})
        found[line] = mine.setdefault(visit, len(mine))
    return _days(found, shoppers)


def follow_on(shoppers: list[str], times: IndexArray, file: IndexArray) -> IndexArray:
    """Times with each shopper's visits numbered anew, those of later files after the earlier ones.

    Raises:
        InvalidInputError: a shopper has more than MOST_DAYS visits.
    """
    who = ranks(shoppers)
    order = np.lexsort((times, file, who))
    keys = np.stack((who, file, times))[:, order]
    changed = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    visit = np.concatenate(([0], np.cumsum(changed)))
    first = np.concatenate(([True], keys[0, 1:] != keys[0, :-1]))
    begin = np.maximum.accumulate(np.where(first, visit, 0))
    numbers = np.empty(len(shoppers), dtype=np.int64)
    numbers[order] = visit - begin
    return _days(numbers, shoppers)


def _days(numbers: IndexArray, shoppers: list[str]) -> IndexArray:
    if numbers.size and numbers.max() > MOST_DAYS:
        line = int(numbers.argmax())
        raise InvalidInputError(
            f"Shopper {shoppers[line]!r} has more than {MOST_DAYS:,} visits; without dates that "
            "is the most. Is the shopper column the right one?"
        )
    return numbers * DAY_SECONDS


def apart_by_file(shoppers: list[str], baskets: list[str], file: IndexArray) -> list[str]:
    """Basket ids of files of which one goes on from the other: an id in two files is two visits.

    Ids of a later file get that file's number behind them if the shopper has any of them before.
    """
    owned = list(zip(shoppers, baskets, file.tolist(), strict=True))
    seen: dict[tuple[str, str], int] = {}
    if all(seen.setdefault((who, basket), number) == number for who, basket, number in owned):
        return baskets
    return [f"{basket}+{number}" if number else basket for _, basket, number in owned]


def refuse_two_meanings(
    shoppers: list[str], times: IndexArray, baskets: list[str] | None, file: IndexArray
) -> None:
    """Refuse a visit number that a shopper has in two files, for it may mean one visit or two.

    Raises:
        InvalidInputError: there is one; the message says how to settle it.
    """
    named: Sequence[str] = baskets if baskets is not None else [""] * len(shoppers)
    inside: set[tuple[str, int, str]] = set()
    numbers: set[tuple[str, int]] = set()
    lines = list(zip(shoppers, times.tolist(), named, strict=True))
    for number in range(int(file.max()) + 1):
        places = np.flatnonzero(file == number).tolist()
        for who, time, basket in (lines[place] for place in places):
            known = (who, time, basket) in inside and baskets is not None
            if (who, time) in numbers and not known:
                raise InvalidInputError(
                    f"Shopper {who!r} has visit {time // DAY_SECONDS} in two files. If the later "
                    "file goes on from the earlier one, give --sequel; if both hold lines of the "
                    "same visits, put them into one file."
                )
        inside.update(lines[place] for place in places)
        numbers.update((lines[place][0], lines[place][1]) for place in places)
