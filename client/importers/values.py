"""One value of a foreign file: text in, a checked value out.

Each parser raises ValueError whose message says what was expected; the importer adds file, line,
column and value.
"""

import math

MAX_TEXT = 256
MAX_QUANTITY = 1e9
MAX_PRICE = 1e12


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
    number = parse_number(text, expected)
    if not 0 <= number <= MAX_QUANTITY:
        raise ValueError(expected)
    return number


def parse_price(text: str) -> float:
    """A sum of money, below zero for money back; NaN where empty."""
    if not text.strip():
        return math.nan
    expected = f"a number of at most {MAX_PRICE:.0e} such as 3.49, or nothing if unknown"
    number = parse_number(text, expected)
    if not abs(number) <= MAX_PRICE:
        raise ValueError(expected)
    return number


def parse_rating(text: str) -> float:
    """What a shopper gave: any number of at most MAX_PRICE."""
    expected = f"a rating: a number of at most {MAX_PRICE:.0e} such as 4 or 3.5"
    number = parse_number(text, expected)
    if not abs(number) <= MAX_PRICE:
        raise ValueError(expected)
    return number


def parse_number(text: str, expected: str) -> float:
    """A finite decimal number; ``float`` alone would also take 1_000, nan and other digits."""
    try:
        number = float(text)
    except ValueError:
        comma = " with a point, not a comma" if "," in text else ""
        raise ValueError(expected + comma) from None
    if not text.isascii() or "_" in text or not math.isfinite(number):
        raise ValueError(expected)
    return number
