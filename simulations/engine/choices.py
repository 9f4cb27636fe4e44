"""What simulated shoppers choose: a seeded draw per shopper, told to the consent service."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from consent.incentive import OPT_IN
from consent.purpose import Category, Cell, Decision, Purpose
from simulations.engine.scenario import Consent

_ON_DEVICE = Cell(Purpose.PERSONALISE, Category.PURCHASES)
TRAINING = Cell(Purpose.TRAIN, Category.PURCHASES)
_MEASURED = Cell(Purpose.MEASUREMENT, Category.PURCHASES)
_AUDITED = Cell(Purpose.FAIRNESS, Category.DEMOGRAPHICS)
_AUDITED_PURCHASES = Cell(Purpose.FAIRNESS, Category.PURCHASES)
_EXTRAS = (Category.TIME_CONTEXT, Category.LOCATION)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One shopper's decisions, and whether she will withdraw while a round is under way.

    Attributes:
        decisions: every cell she was asked about.
        withdraws: a number in [0, 1) that places her withdrawal in the run; None if she won't.
    """

    decisions: dict[Cell, Decision]
    withdraws: float | None

    @property
    def trains(self) -> bool:
        """Whether she lets her purchases train shared models."""
        return self.decisions[TRAINING] is Decision.GIVEN

    @property
    def collects(self) -> bool:
        """Whether she opted in to points."""
        return self.decisions[OPT_IN] is Decision.GIVEN

    @property
    def personalises(self) -> bool:
        """Whether she wants recommendations on her device."""
        return self.decisions[_ON_DEVICE] is Decision.GIVEN

    def given(self, purpose: Purpose) -> frozenset[Category]:
        """What may be used for a purpose."""
        return frozenset(
            cell.category
            for cell, decision in self.decisions.items()
            if cell.purpose is purpose and decision is Decision.GIVEN
        )

    @property
    def states(self) -> bool:
        """Whether she states her groups, for audits that she agreed to."""
        return self.decisions.get(_AUDITED) is Decision.GIVEN

    def also(self, rates: Consent, measured: float, audited: float) -> "Choice":
        """The same with her say on measurement and audits, where the rates ask for it."""
        more: dict[Cell, Decision] = {}
        if rates.measurement:
            more[_MEASURED] = _decision(agrees=self.trains and measured < rates.measurement)
        if rates.fairness:
            agrees = self.trains and audited < rates.fairness
            more |= dict.fromkeys((_AUDITED, _AUDITED_PURCHASES), _decision(agrees=agrees))
        return replace(self, decisions={**self.decisions, **more})


def draw(shoppers: Sequence[str], rates: Consent, *, seed: int) -> dict[str, Choice]:
    """Each shopper's choice; the same seed gives the same."""
    rng, points = np.random.default_rng([seed, 0xC0]), np.random.default_rng([seed, 0xC1])
    audits = np.random.default_rng([seed, 0xC2])
    return {
        shopper: _choose(rates, rng.random(5), points.random()).also(rates, *audits.random(2))
        for shopper in shoppers
    }


def _choose(
    rates: Consent, chance: np.ndarray[tuple[int], np.dtype[np.float64]], points: float
) -> Choice:
    which, withdraws, place, time_context, location = chance.tolist()
    personal = which >= rates.refuse
    trains = which >= rates.refuse + rates.personal_only
    decisions = {_ON_DEVICE: _decision(agrees=personal), TRAINING: _decision(agrees=trains)}
    for category, share, drawn in zip(
        _EXTRAS, (rates.time_context, rates.location), (time_context, location), strict=True
    ):
        decisions[Cell(Purpose.PERSONALISE, category)] = _decision(
            agrees=personal and drawn < share
        )
        decisions[Cell(Purpose.TRAIN, category)] = _decision(agrees=trains and drawn < share)
    decisions[OPT_IN] = _decision(agrees=trains and points < rates.value_sharing)
    leaves = trains and withdraws < rates.withdraw
    return Choice(decisions=decisions, withdraws=place if leaves else None)


def _decision(*, agrees: bool) -> Decision:
    return Decision.GIVEN if agrees else Decision.REFUSED
