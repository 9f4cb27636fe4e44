"""The rules of standing: how consent changes, and when a participation grant still counts.

Every change of a shopper's consent raises her *epoch*. A change that says no (a refusal or a
withdrawal of anything) also lifts her *floor* to the new epoch, and a grant below the floor is
dead for ever: giving consent again does not revive it. Saying yes to more kills nothing.

========================================  =====  =====  ======
change                                    epoch  floor  older grants
========================================  =====  =====  ======
only cells given or renewed               + 1    same   stand
a minor's yes waits for her guardian      + 1    same   stand
any cell refused or withdrawn             + 1    epoch  dead
any given cell expired                    + 1    epoch  dead
another client paired in place of hers    + 1    epoch  dead
her data restricted                       + 1    epoch  dead
the restriction lifted                    + 1    same   stay dead
the same client paired again              same   same   stand
========================================  =====  =====  ======

Consent expires when its time is over or when a new notice changes what it was given for. Time
needs no job to pass: ``at`` is her consent as the clock makes it, whether or not the expiry was
written down yet, so a grant never outlives the consent that it rests on.

While her data is *restricted* (GDPR art. 18) nothing permits anything: what she decided is kept,
may still be changed, and counts again once she has the restriction lifted.

The rules know no framework and no storage; the service asks them inside its transactions.
Source: W3C DPV 2 consent states; GDPR art. 7(3) (withdrawing is as easy as giving).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from consent.purpose import (
    ENDED_STATES,
    LIVE_STATES,
    Category,
    Cell,
    ConsentState,
    Decision,
    Purpose,
)
from consent.tasks.names import REQUIRED_CATEGORIES, REQUIRED_PURPOSE, TaskName
from crypto.errors import InvalidInputError

# Consent that was given once can be withdrawn, also when it has ended meanwhile.
_WITHDRAWABLE = LIVE_STATES | {ConsentState.EXPIRED, ConsentState.WITHDRAWN}


class TransitionError(InvalidInputError):
    """A decision does not follow from the state that the cell is in; nothing was changed."""


def next_state(state: ConsentState, decision: Decision) -> ConsentState:
    """The state that a shopper's decision leads to.

    Guarantee: a *no* never leaves a cell live: refusing what was given withdraws it.

    Raises:
        TransitionError: a withdrawal of what was never given.
    """
    live = state in LIVE_STATES
    if decision is Decision.GIVEN:
        return ConsentState.RENEWED if live else ConsentState.GIVEN
    if decision is Decision.REFUSED:
        return ConsentState.WITHDRAWN if live else ConsentState.REFUSED
    if state not in _WITHDRAWABLE:
        raise TransitionError(
            f"Consent in state {state} was never given, so it can't be withdrawn; refuse it."
        )
    return ConsentState.WITHDRAWN


@dataclass(frozen=True, kw_only=True)
class ShopperConsent:
    """One shopper's consent at one instant.

    Attributes:
        epoch: counts her changes; never falls.
        floor: the oldest epoch whose grants may still stand; at most ``epoch``.
        cells: state of each decided cell; a cell that is missing is unknown.
        ends: when the consent of a given cell ends, Unix milliseconds; a cell that is missing
            ends only when she or a new notice ends it.
        restricted: her data is kept and not used: no cell permits anything.
    """

    epoch: int
    floor: int
    cells: Mapping[Cell, ConsentState] = field(default_factory=dict)
    ends: Mapping[Cell, int] = field(default_factory=dict)
    restricted: bool = False

    def state(self, cell: Cell) -> ConsentState:
        """The state of a cell; unknown where nothing was decided."""
        return self.cells.get(cell, ConsentState.UNKNOWN)

    def decide(
        self,
        decisions: Mapping[Cell, Decision],
        *,
        waiting: Mapping[Cell, ConsentState] | None = None,
    ) -> Self:
        """Her consent after one set of decisions, all or none.

        ``waiting`` are cells that somebody else has to agree to first, as requested or deferred:
        they permit nothing until then. A cell that is given stays given.

        Raises:
            TransitionError: one of them does not follow; the message names its cell.
        """
        changed = {cell: self._next(cell, decision) for cell, decision in decisions.items()}
        changed |= waiting or {}
        epoch = self.epoch + 1
        ended = any(state in ENDED_STATES for state in changed.values())
        return replace(
            self,
            epoch=epoch,
            floor=epoch if ended else self.floor,
            cells={**self.cells, **changed},
        )

    def _next(self, cell: Cell, decision: Decision) -> ConsentState:
        try:
            return next_state(self.state(cell), decision)
        except TransitionError as error:
            raise TransitionError(f"{cell.purpose} / {cell.category}: {error}") from error

    def due(self, now: int) -> frozenset[Cell]:
        """The given cells whose time is over at ``now`` (Unix milliseconds)."""
        live = (cell for cell, end in self.ends.items() if end <= now)
        return frozenset(cell for cell in live if self.state(cell) in LIVE_STATES)

    def touched(self, purposes: Collection[Purpose]) -> frozenset[Cell]:
        """The given cells of some purposes: what a notice that changes those purposes ends."""
        return frozenset(
            cell
            for cell, state in self.cells.items()
            if cell.purpose in purposes and state in LIVE_STATES
        )

    def lapse(self, cells: Collection[Cell]) -> Self:
        """Her consent after some given cells expired; unchanged if there are none.

        Raises:
            TransitionError: one of them is not given, so there is nothing that could expire.
        """
        if not cells:
            return self
        idle = [cell for cell in cells if self.state(cell) not in LIVE_STATES]
        if idle:
            raise TransitionError(f"{idle[0].purpose} / {idle[0].category} is not given.")
        return replace(
            self,
            epoch=self.epoch + 1,
            floor=self.epoch + 1,
            cells={**self.cells, **dict.fromkeys(cells, ConsentState.EXPIRED)},
        )

    def at(self, now: int) -> Self:
        """Her consent at ``now`` (Unix milliseconds): whatever is due has expired."""
        return self.lapse(self.due(now))

    def moved(self) -> Self:
        """Her consent after another client took the place of hers: grants of the old one die."""
        return replace(self, epoch=self.epoch + 1, floor=self.epoch + 1)

    def restrict(self) -> Self:
        """Her consent once her data is restricted: grants die; unchanged if it is already."""
        return self if self.restricted else replace(self.moved(), restricted=True)

    def lift(self) -> Self:
        """Her consent once the restriction is lifted; unchanged if there is none.

        Guarantee: what she had given permits use again, and no grant of before is revived.
        """
        if not self.restricted:
            return self
        return replace(self, epoch=self.epoch + 1, restricted=False)

    def categories(self, purpose: Purpose) -> frozenset[Category]:
        """All categories that she gives for a purpose; none while her data is restricted."""
        if self.restricted:
            return frozenset()
        return frozenset(
            cell.category
            for cell, state in self.cells.items()
            if cell.purpose is purpose and state in LIVE_STATES
        )

    def allows(self, task: TaskName) -> bool:
        """Whether everything that the task requires is given now, and may be used."""
        given = self.categories(REQUIRED_PURPOSE[task])
        return not self.restricted and given >= REQUIRED_CATEGORIES[task]


def stands(*, task: TaskName, epoch: int, consent: ShopperConsent) -> bool:
    """Whether a grant for ``task``, issued at ``epoch``, still counts under this consent.

    Guarantee: False if anything was refused or withdrawn after the grant was issued, if the
    shopper's client was replaced, if the required consent is not live, or if the epoch is one
    that she has not reached.
    """
    return consent.floor <= epoch <= consent.epoch and consent.allows(task)
