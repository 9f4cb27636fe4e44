"""Values made from a cell: a year, its decade, or the band that a number falls in.

A content kernel compares values for equality, so a number has to become one of a few values.
"""

import math
import re
from collections.abc import Mapping

from client.importers.item_columns import BANDS, YEAR

FIRST_YEAR, LAST_YEAR = 1800, 2100
MOST_BANDS = 5
_LONG = 1e15

Values = Mapping[str, tuple[str, ...]]

_YEARS = (
    re.compile(r"\((\d{4})\)$"),  # Heat (1995)
    re.compile(r"^(\d{4})(?:\.0)?$"),  # 1995
    re.compile(r"^(\d{4})-\d{1,2}(?:-\d{1,2}.*)?$"),  # 1995-12-15, 1995-12-15T10:00
    re.compile(r"^\d{1,2}[-./ ](?:\d{1,2}|[A-Za-z]{3,9})[-./ ](\d{4})$"),  # 15-Dec-1995
)


def year_of(text: str) -> int | None:
    """The year that a text is, begins with as an ISO date, or ends with in a bracket.

    None where it has none: a number within a title is no year.
    """
    for form in _YEARS:
        found = form.search(text.strip())
        if found and FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
            return int(found[1])
    return None


def made_values(told: Values, made: str, *, most: int = MOST_BANDS) -> dict[str, tuple[str, ...]]:
    """Item to the value made from its cell; nothing where the cell has none.

    Args:
        told: item to its cell, nothing or one text.
        made: "year", "decade" or "bands".
        most: how many bands there are at most.
    """
    if made == BANDS:
        return _banded(told, most)
    found: dict[str, tuple[str, ...]] = {}
    for item, cells in told.items():
        year = year_of(cells[0]) if cells else None
        shown = year if made == YEAR or year is None else f"{year // 10 * 10}s"
        found[item] = () if shown is None else (str(shown),)
    return found


def _banded(told: Values, most: int) -> dict[str, tuple[str, ...]]:
    """Bands of as many items each, as far as equal numbers allow; a band is named by its ends."""
    numbers = {
        item: number for item, cells in told.items() if (number := _number(cells)) is not None
    }
    ordered = sorted(numbers.values())
    edges = sorted(
        {ordered[len(ordered) * part // most] for part in range(1, most)} if ordered else ()
    )
    inside: dict[int, list[float]] = {}
    band = {item: sum(number >= edge for edge in edges) for item, number in numbers.items()}
    for item, place in band.items():
        inside.setdefault(place, []).append(numbers[item])
    names = {place: _ends(min(found), max(found)) for place, found in inside.items()}
    return {item: (names[band[item]],) if item in band else () for item in told}


def _ends(low: float, high: float) -> str:
    return _shown(low) if low == high else f"{_shown(low)} to {_shown(high)}"


def _shown(number: float) -> str:
    """The number to its last digit, so that no two bands share a name."""
    return str(int(number)) if number.is_integer() and abs(number) < _LONG else repr(number)


def _number(cells: tuple[str, ...]) -> float | None:
    try:
        number = float(cells[0]) if cells else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
