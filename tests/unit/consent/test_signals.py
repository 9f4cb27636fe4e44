"""What Global Privacy Control binds."""

import pytest

from consent import signals
from consent.purpose import CELLS, Category, Cell, ConsentState, Decision, Purpose
from consent.standing import ShopperConsent

PERSONAL = Cell(Purpose.PERSONALISE, Category.PURCHASES)
TRAIN = Cell(Purpose.TRAIN, Category.PURCHASES)
POINTS = Cell(Purpose.VALUE_SHARING, Category.PURCHASES)


@pytest.mark.parametrize(
    ("value", "on"),
    [("1", True), (" 1 ", True), ("0", False), ("", False), ("true", False), ("11", False)],
)
def test_only_one_is_the_signal(value: str, on: bool) -> None:
    assert signals.is_on(value) is on
    assert not signals.is_on(None)


def test_it_stops_everything_that_leaves_the_device_and_nothing_else() -> None:
    given = ShopperConsent(epoch=1, floor=0, cells=dict.fromkeys(CELLS, ConsentState.GIVEN))
    stopped = signals.stopped(given)
    assert {cell for cell in CELLS if cell.purpose is not Purpose.PERSONALISE} == stopped
    assert signals.stopped(ShopperConsent(epoch=0, floor=0)) == frozenset()


def test_only_a_yes_that_contradicts_it_is_affirmed() -> None:
    decisions = {PERSONAL: Decision.GIVEN, TRAIN: Decision.GIVEN, POINTS: Decision.REFUSED}
    assert signals.to_affirm(decisions) == {TRAIN}


def test_the_well_known_resource_is_of_the_specification() -> None:
    assert signals.well_known() == {"gpc": True, "lastUpdate": signals.LAST_UPDATE.isoformat()}
