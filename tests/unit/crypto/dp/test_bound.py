"""An ε that people read is never below the one that holds."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.dp.bound import rounded_up, told


@given(st.floats(0.0, 1e4))
def test_it_is_a_bound_and_a_close_one(epsilon: float) -> None:
    shown = Fraction(told(epsilon).replace(",", ""))
    assert Fraction(epsilon) - Fraction(1, 10**11) <= shown < Fraction(epsilon) + Fraction(1, 1000)
    assert rounded_up(epsilon) == float(shown)


@pytest.mark.parametrize(
    ("epsilon", "text"),
    [(0.551134, "0.552"), (1.0, "1.000"), (0.1, "0.100"), (1234.5001, "1,234.501")],
)
def test_as_text(epsilon: float, text: str) -> None:
    assert told(epsilon) == text


def test_no_bound_stays_none() -> None:
    assert rounded_up(float("inf")) == float("inf")
    assert told(float("inf")) == "inf"
