"""Axes: round numbers, as many as can be read, whatever the range."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulations.report.axes import BOTTOM, TOP, QualityAxis
from simulations.report.chart import round_steps
from simulations.report.record import Figure


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0.2407, 0.2884, ["0.25", "0.26", "0.27", "0.28"]),
        (-0.012, 0.21, ["0.00", "0.05", "0.10", "0.15", "0.20"]),
        (17.6, 21.4, ["18", "19", "20", "21"]),
        (0.0, 1.0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0.97401, 0.97609, ["0.9745", "0.9750", "0.9755", "0.9760"]),
        (104.0, 1250.0, ["200", "400", "600", "800", "1000", "1200"]),
    ],
)
def test_steps_are_round_and_told_with_the_digits_they_need(
    low: float, high: float, texts: list[str]
) -> None:
    assert [text for _, text in round_steps(low, high)] == texts


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4))
def test_steps_are_inside_even_and_a_few(low: float, span: float) -> None:
    found = [value for value, _ in round_steps(low, low + span)]
    assert 2 <= len(found) <= 7
    assert all(low - 1e-6 * span <= value <= low + span * (1 + 1e-6) for value in found)
    gaps = [later - earlier for earlier, later in pairwise(found)]
    assert all(math.isclose(gap, gaps[0], rel_tol=1e-6, abs_tol=1e-9) for gap in gaps)
    assert len({text for _, text in round_steps(low, low + span)}) == len(found)


def test_ticks_of_quality_stand_inside_the_plot() -> None:
    axis = QualityAxis.over([Figure(value=0.25, low=0.24, high=0.26)])
    assert all(TOP <= tick.place <= BOTTOM for tick in axis.ticks())
