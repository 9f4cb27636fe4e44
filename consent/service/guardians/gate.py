"""Whose *yes* counts: what age does to decisions, inside the caller's transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.orm import Session

from consent.ages import AgeBand, Capacity, bound, capacity, consent_age
from consent.purpose import LIVE_STATES, Cell, ConsentState, Decision
from consent.rights.clock import Residence
from consent.service.context import Context
from consent.service.guardians.repository import AgeRepository, GuardianRepository
from consent.service.problems import Problem
from consent.service.tables import Shopper
from consent.standing import ShopperConsent

STATE_AGE: Final = "urn:fedcart:problem:age-band"
NEVER: Final = "urn:fedcart:problem:minor"
# Where a shopper said that she lives, as the table of ages names it; elsewhere is unknown there.
_RESIDENCES: Final[Mapping[str, str]] = {Residence.EEA: "EU", Residence.CALIFORNIA: "US-CA"}
# What a guardian may say yes to: what her ward has asked for, or had.
_GRANTABLE: Final = LIVE_STATES | {
    ConsentState.REQUESTED,
    ConsentState.REQUEST_DEFERRED,
    ConsentState.EXPIRED,
}


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """Decisions that take effect, and cells whose *yes* waits for a guardian."""

    taken: Mapping[Cell, Decision]
    waiting: Mapping[Cell, ConsentState] = field(default_factory=dict)

    @property
    def cells(self) -> list[Cell]:
        """Every cell that changes."""
        return [*self.taken, *self.waiting]


def place(context: Context, residence: str = "") -> str:
    """The place whose law counts: the stricter of the controller's and the shopper's own."""
    ours = context.settings.controller.jurisdiction
    hers = _RESIDENCES.get(residence, residence)
    if not hers or consent_age(ours) >= consent_age(hers):
        return ours
    return hers


def rule(
    before: ShopperConsent,
    decisions: Mapping[Cell, Decision],
    *,
    band: AgeBand,
    where: str,
    guarded: bool,
) -> Ruling:
    """What a shopper's own decisions come to.

    Raises:
        Problem: 409 of type ``urn:fedcart:problem:age-band``, she has to state her age band first;
            of type ``urn:fedcart:problem:minor``, minors are never asked for this.
    """
    given = [cell for cell, decision in decisions.items() if decision is Decision.GIVEN]
    judged = {cell: capacity(band, cell, where) for cell in given}
    _refuse(judged)
    asked = [cell for cell, how in judged.items() if how is Capacity.WITH_GUARDIAN]
    state = ConsentState.REQUESTED if guarded else ConsentState.REQUEST_DEFERRED
    return Ruling(
        taken={cell: decision for cell, decision in decisions.items() if cell not in asked},
        waiting={cell: state for cell in asked if before.state(cell) not in LIVE_STATES},
    )


def rule_for_guardian(
    before: ShopperConsent, decisions: Mapping[Cell, Decision], *, band: AgeBand, where: str
) -> Ruling:
    """What a guardian's decisions for her ward come to.

    Raises:
        Problem: 409, the ward did not ask for it, or minors are never asked for this.
    """
    given = [cell for cell, decision in decisions.items() if decision is Decision.GIVEN]
    _refuse({cell: capacity(band, cell, where) for cell in given})
    if any(before.state(cell) not in _GRANTABLE for cell in given):
        raise Problem(409, "A guardian agrees to what the minor has asked for, and to no more.")
    return Ruling(taken=decisions)


def of_stored(
    context: Context,
    session: Session,
    shopper: Shopper,
    before: ShopperConsent,
    decisions: Mapping[Cell, Decision],
    *,
    by_guardian: bool,
) -> Ruling:
    """``rule``, or ``rule_for_guardian``, with what is stored of a shopper.

    Raises:
        Problem: as they do.
    """
    band, _ = AgeRepository(session).stated(shopper.id)
    where = place(context, shopper.residence)
    if by_guardian:
        return rule_for_guardian(before, decisions, band=band, where=where)
    guarded = bound(band, where) and GuardianRepository(session).link(shopper.id) is not None
    return rule(before, decisions, band=band, where=where, guarded=guarded)


def _refuse(judged: Mapping[Cell, Capacity]) -> None:
    if Capacity.STATE_FIRST in judged.values():
        raise Problem(
            409,
            "Whoever agrees to what leaves the device states an age band first: age_band when "
            "registering, or PUT /v1/shoppers/{shopper}/age.",
            kind=STATE_AGE,
        )
    if Capacity.NEVER in judged.values():
        raise Problem(409, "Minors of this age band are never asked for this.", kind=NEVER)
