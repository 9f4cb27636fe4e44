"""The rule of three ledgers: composed, within the cap, or nothing."""

import math

import pytest

from crypto.dp.accounting import GaussianRelease, Release, SkellamRelease, epsilon
from crypto.dp.budget import admit
from crypto.errors import BudgetError

DELTA = 1e-6
ONE = SkellamRelease(variance=4e6, squared_l2=1.1e6, l1=2.5e5)
OTHER = GaussianRelease(variance=9.0, squared_l2=1.0)
BOTH = epsilon([ONE, OTHER], delta=DELTA)


def test_composes_what_was_and_what_is_new() -> None:
    assert admit([], [], cap=1.0, delta=DELTA) == 0.0
    assert admit([ONE], [OTHER], cap=9.0, delta=DELTA) == pytest.approx(BOTH, rel=1e-9)
    assert admit(iter([OTHER]), iter([ONE]), cap=9.0, delta=DELTA) == pytest.approx(BOTH, rel=1e-9)
    assert epsilon([ONE], delta=DELTA) + epsilon([OTHER], delta=DELTA) > BOTH


def test_exactly_the_cap_fits_and_a_little_less_does_not() -> None:
    admit([ONE], [OTHER], cap=BOTH, delta=DELTA)
    with pytest.raises(BudgetError, match=r"of .* in Ann's \(already spent: .*nothing is released"):
        admit([ONE], [OTHER], cap=BOTH * (1 - 1e-6), delta=DELTA, whose="Ann's")


def test_refuses_the_same_release_once_it_is_too_many() -> None:
    cap, spent = epsilon([ONE] * 4, delta=DELTA), list[Release]()
    for _ in range(4):
        admit(spent, [ONE], cap=cap, delta=DELTA)
        spent.append(ONE)
    with pytest.raises(BudgetError):
        admit(spent, [ONE], cap=cap, delta=DELTA)


def test_no_noise_needs_an_infinite_cap() -> None:
    silent = GaussianRelease(variance=0.0, squared_l2=1.0)
    assert admit([silent], [ONE], cap=math.inf, delta=DELTA) == math.inf
    with pytest.raises(BudgetError, match="ε = inf of 1e"):
        admit([], [silent], cap=1e9, delta=DELTA)


@pytest.mark.parametrize(
    ("cap", "delta"), [(0.0, DELTA), (-1.0, DELTA), (math.nan, DELTA), (1.0, 0.0), (1.0, 1.0)]
)
def test_settings(cap: float, delta: float) -> None:
    with pytest.raises(BudgetError, match="Expected cap > 0"):
        admit([], [ONE], cap=cap, delta=delta)
