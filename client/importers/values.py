"""One value of a foreign file: text in, a checked value out.

Each parser raises ValueError whose message says what was expected; the importer adds file, line,
column and value.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime

MAX_TEXT = 256
MAX_QUANTITY = 1e9
MAX_PRICE = 1e12
FIRST_YEAR, LAST_YEAR = 1970, 2100
# Digits alone are Unix seconds. Shorter numbers are day counts or dates without dashes, which
# would all pass for days of the early seventies: they are refused.
_MIN_UNIX = 100_000_000
_END_UNIX = int(datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp())
_DAY_SECONDS = 86_400
_MOST_DAYS = 40_000

NUMBER, MILLISECONDS = "number", "ms"
TIME_FORMS = (
    "an ISO 8601 date or date and time (2017-03-05 or 2017-03-05T18:30:00) or Unix seconds "
    f"(1488738600), in the years {FIRST_YEAR} to {LAST_YEAR}"
)


def parse_time(text: str) -> int:
    """Unix seconds of a local time read as UTC.

    A date alone is its midnight; an offset such as +02:00 is dropped, for the hour that counts is
    the shop's; fractions of a second are dropped. Digits alone are Unix seconds from March 1973.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return _unix(text)
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
        raise ValueError(f"{TIME_FORMS}; digits alone are Unix seconds, of nine digits at least")
    if seconds >= _END_UNIX:
        raise ValueError(f"{TIME_FORMS}; this would be later: are these milliseconds?")
    return seconds


def time_parser(form: str | None) -> Callable[[str], int]:
    """What reads the times of a file.

    Args:
        form: None for ``parse_time``; "number" for a day or visit number, of which only the order
            counts (0 is the first of January 1970, and each number a day); "ms" for Unix
            milliseconds; else a pattern of ``strptime`` such as %m/%d/%Y.
    """
    if form is None:
        return parse_time
    if form == NUMBER:
        return _numbered
    if form == MILLISECONDS:
        return _milliseconds
    return lambda text: _patterned(text, form)


def _numbered(text: str) -> int:
    expected = f"a day or visit number from 0 to {_MOST_DAYS}, as --time-format {NUMBER} says"
    number = _number(text.strip(), expected)
    if not 0 <= number <= _MOST_DAYS:
        raise ValueError(expected)
    return int(number * _DAY_SECONDS)


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


def parse_id(text: str) -> str:
    """An id: text without the spaces around it, of 1 to MAX_TEXT characters, no NUL."""
    text = parse_label(text)
    if not text:
        raise ValueError(f"text of 1 to {MAX_TEXT} characters, not nothing")
    return text


def parse_label(text: str) -> str:
    """Like an id, but may be empty where unknown."""
    text = text.strip()
    if len(text) > MAX_TEXT or "\0" in text:
        raise ValueError(f"text of at most {MAX_TEXT} characters without NUL")
    return text


def parse_quantity(text: str) -> float:
    """A count or weight, 0 to MAX_QUANTITY."""
    expected = f"a number from 0 to {MAX_QUANTITY:.0e} such as 2 or 0.75"
    number = _number(text, expected)
    if not 0 <= number <= MAX_QUANTITY:
        raise ValueError(expected)
    return number


def parse_price(text: str) -> float:
    """A sum of money, below zero for money back; NaN where empty."""
    if not text.strip():
        return math.nan
    expected = f"a number of at most {MAX_PRICE:.0e} such as 3.49, or nothing if unknown"
    number = _number(text, expected)
    if not abs(number) <= MAX_PRICE:
        raise ValueError(expected)
    return number


def _number(text: str, expected: str) -> float:
    """A finite decimal number; ``float`` alone would also take 1_000, nan and other digits."""
    try:
        number = float(text)
    except ValueError:
        comma = " with a point, not a comma" if "," in text else ""
        raise ValueError(expected + comma) from None
    if not text.isascii() or "_" in text or not math.isfinite(number):
        raise ValueError(expected)
    return number
