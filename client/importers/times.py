"""When: times of foreign files as Unix seconds, and what such a time is worth.

Each parser raises ValueError whose message says what was expected.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum

from client.importers.values import parse_number

FIRST_YEAR, LAST_YEAR = 1970, 2100
# Digits alone are Unix seconds. Shorter numbers are day counts or dates without dashes, which
# would all pass for days of the early seventies: they are refused.
_MIN_UNIX = 100_000_000
_FRACTION = re.compile(r"[0-9]+\.[0-9]+\Z")
_END_UNIX = int(datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp())
DAY_SECONDS = 86_400
MOST_DAYS = 40_000

NUMBER, DAY, MILLISECONDS = "number", "day", "ms"
TIME_FORMS = (
    "an ISO 8601 date or date and time (2017-03-05 or 2017-03-05T18:30:00) or Unix seconds "
    f"(1488738600), in the years {FIRST_YEAR} to {LAST_YEAR}; name another form with "
    "--time-format, such as %m/%d/%Y"
)


class Clock(StrEnum):
    """What the times of a data set are worth.

    ``WALL`` times are the hours on the shop's wall. ``DAYS`` are numbered days: distances between
    them are right, the calendar is not known. ``ORDINAL`` times tell earlier from later and no
    more: a rhythm in days, a weekday or a season read from them would be made up.
    """

    WALL = "wall"
    DAYS = "days"
    ORDINAL = "ordinal"


def clock_of(form: str | None) -> Clock:
    """What the times of a column in this form are worth; see ``time_parser``."""
    return {NUMBER: Clock.ORDINAL, DAY: Clock.DAYS}.get(form or "", Clock.WALL)


def parse_time(text: str) -> int:
    """Unix seconds of a local time read as UTC.

    A date alone is its midnight; an offset such as +02:00 is dropped, for the hour that counts is
    the shop's; fractions of a second are dropped. Digits alone are Unix seconds from March 1973.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return _unix(text)
    if _FRACTION.match(text):
        return _unix(text.partition(".")[0])
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC, microsecond=0)
    except ValueError:
        raise ValueError(TIME_FORMS) from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(TIME_FORMS)
    return int(moment.timestamp())


def _unix(digits: str) -> int:
    seconds = int(digits) if len(digits) <= 12 else _END_UNIX
    if seconds < _MIN_UNIX:
        raise ValueError(
            f"{TIME_FORMS}; digits alone are Unix seconds, of nine digits at least (for numbered "
            "days or visits, --time-format day or number)"
        )
    if seconds >= _END_UNIX:
        raise ValueError(f"{TIME_FORMS}; this would be later: are these milliseconds?")
    return seconds


def time_parser(form: str | None) -> Callable[[str], int]:
    """What reads the times of a file.

    Args:
        form: None for ``parse_time``; "number" for a visit number, of which only the order counts;
            "day" for a day number, of which the distance counts too (0 is the first of January
            1970, and each number a day); "ms" for Unix milliseconds; else a pattern of
            ``strptime`` such as %m/%d/%Y.
    """
    if form is None:
        return parse_time
    if form in {NUMBER, DAY}:
        return lambda text: _numbered(text, form)
    if form == MILLISECONDS:
        return _milliseconds
    return lambda text: _patterned(text, form)


def _numbered(text: str, form: str) -> int:
    expected = f"a day or visit number from 0 to {MOST_DAYS}, as --time-format {form} says"
    number = parse_number(text.strip(), expected)
    if not 0 <= number <= MOST_DAYS:
        raise ValueError(expected)
    return int(number * DAY_SECONDS)


def _milliseconds(text: str) -> int:
    text = text.strip()
    expected = f"Unix milliseconds such as 1488738600000, as --time-format {MILLISECONDS} says"
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        raise ValueError(expected)
    try:
        return _unix(str(int(text) // 1000))
    except ValueError:
        raise ValueError(expected) from None


def _patterned(text: str, form: str) -> int:
    expected = f"a time in the form {form}, in the years {FIRST_YEAR} to {LAST_YEAR}"
    try:
        moment = datetime.strptime(text.strip(), form).replace(tzinfo=UTC, microsecond=0)
    except ValueError:
        raise ValueError(expected) from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(expected)
    return int(moment.timestamp())
