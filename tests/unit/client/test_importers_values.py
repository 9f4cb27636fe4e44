"""Single values of foreign files: what is taken, what is refused, and what the error says."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.importers.times import parse_time
from client.importers.values import parse_id, parse_label, parse_price, parse_quantity


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01", 0),
        ("2017-03-05", 1_488_672_000),
        ("2017-03-05T18:30:00", 1_488_738_600),
        ("2017-03-05 18:30", 1_488_738_600),
        ("2017-03-05T18:30:00.999", 1_488_738_600),
        ("2017-03-05T18:30:00+02:00", 1_488_738_600),
        ("2017-03-05T18:30:00Z", 1_488_738_600),
        ("1488738600", 1_488_738_600),
        (" 1488738600 ", 1_488_738_600),
        ("1488738600.0", 1_488_738_600),
        ("1488738600.987", 1_488_738_600),
        ("2100-12-31T23:59:59", 4_133_980_799),
    ],
)
def test_times_that_are_taken(text: str, seconds: int) -> None:
    assert parse_time(text) == seconds


@given(st.datetimes(min_value=datetime(1973, 4, 1), max_value=datetime(2100, 12, 31)))
def test_text_and_seconds_of_one_moment_agree(moment: datetime) -> None:
    seconds = math.floor(moment.replace(tzinfo=UTC).timestamp())
    assert parse_time(moment.isoformat()) == parse_time(str(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "ISO 8601"),
        ("12/1/2010 8:26", "ISO 8601"),
        ("1969-12-31", "1970 to 2100"),
        ("2101-01-01", "1970 to 2100"),
        ("-5", "Unix seconds"),
        ("20170305", "nine digits"),
        ("17", "nine digits"),
        ("17.5", "nine digits"),
        ("1488738600.", "ISO 8601"),
        ("12/1/2010", "--time-format"),
        ("1488738600000", "milliseconds"),
        ("9" * 5000, "milliseconds"),
        ("4133980800", "milliseconds"),
        ("١٤٨٨٧٣٨٦٠٠", "ISO 8601"),
        ("2017-02-30", "ISO 8601"),
    ],
)
def test_times_that_are_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_time(text)


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "1_000", "", "two", "1e10", "２"])
def test_quantities_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a number from 0 to 1e\\+09"):
        parse_quantity(text)


def test_a_decimal_comma_is_explained() -> None:
    with pytest.raises(ValueError, match="not a comma"):
        parse_quantity("1,5")


def test_numbers_that_are_taken() -> None:
    assert parse_quantity("0") == 0.0
    assert parse_quantity(" 0.75 ") == 0.75
    assert parse_price("-2.5") == -2.5
    assert math.isnan(parse_price(" "))
    with pytest.raises(ValueError, match=r"such as 3\.49"):
        parse_price("nan")


def test_ids_are_trimmed_bounded_and_not_empty() -> None:
    assert parse_id(" 1702 ") == "1702"
    assert parse_label("  ") == ""
    assert parse_id("é" * 256) == "é" * 256
    for bad in ("", "   ", "x" * 257, "a\0b"):
        with pytest.raises(ValueError, match="characters"):
            parse_id(bad)
