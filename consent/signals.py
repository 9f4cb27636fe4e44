"""Global Privacy Control: what the signal of a browser or device binds, and what may follow it.

The signal says: do not sell or share. fedcart sells nothing, and takes the signal as a *no* to
everything that leaves the device, sealed sums and points included. What stays on the device is not
its subject.

======================================  =========================================================
event                                   effect
======================================  =========================================================
first sight, for a known shopper        given cells that it binds are withdrawn, once
seen again                              nothing; what she affirmed since stays
a *yes* to a bound cell                 only with her affirmation, which names the signal
a *no*                                  at once, as ever
the points programme                    she stays only if she affirms; no new points until then,
                                        and none that she has are taken back
she says that it is gone                the next sight counts as the first
======================================  =========================================================

Sources: Global Privacy Control, W3C; 11 CCR §7025(c): (1) pseudonymous profiles are bound,
(3) consent after a prompt, (4) conflict with a financial incentive, (6) the displayed status.
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Final

from consent.purpose import Cell, Decision, Purpose
from consent.standing import ShopperConsent

HEADER: Final = "Sec-GPC"
_ON: Final = "1"
BOUND: Final = frozenset(Purpose) - {Purpose.PERSONALISE}
# When this service's answer to the signal last changed, as its well-known resource states.
LAST_UPDATE: Final = date(2026, 11, 23)


class SignalEvent(StrEnum):
    """What can happen with a shopper's signal."""

    SEEN = "seen"
    AFFIRMED = "affirmed"
    CLEARED = "cleared"


def is_on(value: str | None) -> bool:
    """Whether a header's value is the signal. Only ``1`` is; anything else says nothing."""
    return value is not None and value.strip() == _ON


def stopped(consent: ShopperConsent) -> frozenset[Cell]:
    """The given cells that end when the signal is first seen."""
    return consent.touched(BOUND)


def to_affirm(decisions: Mapping[Cell, Decision]) -> frozenset[Cell]:
    """Which of some decisions contradict the signal, so that she has to affirm them."""
    return frozenset(
        cell
        for cell, decision in decisions.items()
        if cell.purpose in BOUND and decision is Decision.GIVEN
    )


def well_known() -> dict[str, object]:
    """What ``/.well-known/gpc.json`` says."""
    return {"gpc": True, "lastUpdate": LAST_UPDATE.isoformat()}
