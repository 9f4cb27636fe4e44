"""Who may agree alone, against a table that was written out by hand from the laws."""

import pytest

from consent.ages import (
    AgeBand,
    Capacity,
    bound,
    capacity,
    consent_age,
    may_state,
)
from consent.purpose import CELLS, Category, Cell, Purpose

B, C = AgeBand, Capacity
PERSONAL = Cell(Purpose.PERSONALISE, Category.PURCHASES)
TRAIN = Cell(Purpose.TRAIN, Category.PURCHASES)
POINTS = Cell(Purpose.VALUE_SHARING, Category.PURCHASES)
HEALTH = Cell(Purpose.TRAIN, Category.SENSITIVE)
DAY = 86_400_000


@pytest.mark.parametrize(
    ("place", "age"),
    [
        ("EU", 16),
        ("DE", 16),
        ("AT", 14),
        ("FR", 15),
        ("BE", 13),
        ("GB", 13),
        ("US-CA", 13),
        ("cn", 14),
        ("IN", 18),
        ("not stated", 18),
        ("", 18),
        ("Atlantis", 18),
    ],
)
def test_the_age_of_a_place(place: str, age: int) -> None:
    assert consent_age(place) == age


@pytest.mark.parametrize(
    ("band", "place", "expected"),
    [
        (B.UNDER_13, "US", True),
        (B.TEEN, "US-CA", False),
        (B.TEEN, "CN", True),  # she may be 13
        (B.TEEN, "AT", True),
        (B.TEEN, "DE", True),
        (B.OLDER_TEEN, "DE", False),
        (B.OLDER_TEEN, "IN", True),
        (B.OLDER_TEEN, "not stated", True),
        (B.ADULT, "IN", False),
        (B.NOT_STATED, "DE", False),
    ],
)
def test_a_band_decides_alone_only_where_its_youngest_may(
    band: AgeBand, place: str, expected: bool
) -> None:
    assert bound(band, place) is expected


@pytest.mark.parametrize(
    ("band", "cell", "expected"),
    [
        (B.NOT_STATED, PERSONAL, C.ALONE),
        (B.NOT_STATED, TRAIN, C.STATE_FIRST),
        (B.NOT_STATED, POINTS, C.STATE_FIRST),
        (B.NOT_STATED, Cell(Purpose.PERSONALISE, Category.SENSITIVE), C.STATE_FIRST),
        (B.UNDER_13, PERSONAL, C.WITH_GUARDIAN),
        (B.UNDER_13, TRAIN, C.WITH_GUARDIAN),
        (B.UNDER_13, POINTS, C.NEVER),
        (B.TEEN, POINTS, C.NEVER),
        (B.TEEN, HEALTH, C.NEVER),
        (B.OLDER_TEEN, POINTS, C.ALONE),
        (B.OLDER_TEEN, HEALTH, C.NEVER),
        (B.ADULT, HEALTH, C.ALONE),
    ],
)
def test_how_a_yes_counts_in_germany(band: AgeBand, cell: Cell, expected: Capacity) -> None:
    assert capacity(band, cell, "DE") is expected


def test_no_minor_is_ever_asked_for_sensitive_classes_and_nobody_unknown_for_sharing() -> None:
    for cell in CELLS:
        for place in ("US", "DE", "IN", "nowhere"):
            for band in (B.UNDER_13, B.TEEN, B.OLDER_TEEN):
                if cell.category is Category.SENSITIVE:
                    assert capacity(band, cell, place) is C.NEVER
            if cell.purpose is not Purpose.PERSONALISE:
                assert capacity(B.NOT_STATED, cell, place) is C.STATE_FIRST


def test_an_older_band_waits_and_a_younger_one_never_does() -> None:
    assert may_state(B.NOT_STATED, 0, B.ADULT, 0)
    assert may_state(B.ADULT, 0, B.TEEN, 1)
    assert not may_state(B.TEEN, 0, B.ADULT, 30 * DAY - 1)
    assert may_state(B.TEEN, 0, B.ADULT, 30 * DAY)
    assert not may_state(B.TEEN, 0, B.NOT_STATED, 90 * DAY)
