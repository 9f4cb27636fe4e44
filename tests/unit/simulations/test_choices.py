"""Simulated shoppers choose as often as the scenario says, and the same way for the same seed."""

from consent.purpose import Category, Cell, Decision, Purpose
from simulations.engine.choices import TRAINING, draw
from simulations.engine.scenario import Consent

SHOPPERS = [f"s{number}" for number in range(4000)]
RATES = Consent(refuse=0.2, personal_only=0.1, withdraw=0.25, time_context=0.5, location=0.0)


def test_shares_come_out_as_asked() -> None:
    choices = draw(SHOPPERS, RATES, seed=5).values()
    training = [choice for choice in choices if choice.trains]
    assert abs(sum(choice.personalises for choice in choices) / 4000 - 0.8) < 0.03
    assert abs(len(training) / 4000 - 0.7) < 0.03
    assert abs(sum(c.withdraws is not None for c in training) / len(training) - 0.25) < 0.03


def test_the_seed_decides() -> None:
    assert draw(SHOPPERS, RATES, seed=5) == draw(SHOPPERS, RATES, seed=5)
    assert draw(SHOPPERS, RATES, seed=5) != draw(SHOPPERS, RATES, seed=6)


def test_extras_are_never_granted_to_a_purpose_that_is_refused() -> None:
    time = Cell(Purpose.TRAIN, Category.TIME_CONTEXT)
    for choice in draw(SHOPPERS, RATES, seed=5).values():
        assert choice.trains or choice.decisions[time] is Decision.REFUSED
        assert choice.decisions[Cell(Purpose.TRAIN, Category.LOCATION)] is Decision.REFUSED
        assert choice.personalises or choice.decisions[TRAINING] is not Decision.GIVEN


def test_points_are_an_opt_in_of_those_who_train() -> None:
    choices = draw(SHOPPERS, RATES, seed=5).values()
    training = [choice for choice in choices if choice.trains]
    assert abs(sum(choice.collects for choice in training) / len(training) - 0.6) < 0.03
    assert not any(choice.collects for choice in choices if not choice.trains)


def test_only_those_who_train_withdraw() -> None:
    for choice in draw(SHOPPERS, RATES, seed=9).values():
        assert choice.trains or choice.withdraws is None
