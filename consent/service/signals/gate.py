"""What a shopper's privacy signal does to her consent, inside the caller's transaction."""

from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy.orm import Session

from consent import signals
from consent.purpose import Cell, Decision
from consent.service.context import Context
from consent.service.problems import Problem
from consent.service.records import service as records
from consent.service.shoppers.repository import ShopperRepository
from consent.service.signals.repository import SignalRepository
from consent.signals import SignalEvent

CONFLICT: Final = "urn:fedcart:problem:signal"


def see(context: Context, session: Session, shoppers: Iterable[str]) -> None:
    """Honour a signal that was seen from these shoppers: the first sight ends what it binds."""
    notes = SignalRepository(session)
    for shopper in shoppers:
        if notes.since(shopper) is None:
            _first(context, session, shopper)


def refuse_unaffirmed(decisions: Mapping[Cell, Decision], *, affirmed: bool) -> None:
    """Refuse a *yes* that contradicts a signal that holds, unless she affirms it.

    Raises:
        Problem: 409 of type ``urn:fedcart:problem:signal``.
    """
    if signals.to_affirm(decisions) and not affirmed:
        raise Problem(
            409,
            "Your browser or device sends Global Privacy Control, which says no to this. If you "
            "want it all the same, send confirm_signal.",
            kind=CONFLICT,
        )


def holds(session: Session, shopper_id: str) -> bool:
    """Whether a shopper's signal holds."""
    return SignalRepository(session).since(shopper_id) is not None


def note_affirmed(context: Context, session: Session, shopper_id: str, *, epoch: int) -> None:
    """Note that she affirmed decisions against her signal, which are of this epoch."""
    notes = SignalRepository(session)
    notes.add(shopper_id, SignalEvent.AFFIRMED, epoch=epoch, time=context.now_ms())


def note_seen(context: Context, session: Session, shopper_id: str, *, epoch: int) -> None:
    """Note the first sight of a shopper who has nothing yet that it could end."""
    notes = SignalRepository(session)
    notes.add(shopper_id, SignalEvent.SEEN, epoch=epoch, time=context.now_ms())


def _first(context: Context, session: Session, shopper_id: str) -> None:
    records.withdraw(context, session, [shopper_id], signals.stopped)
    held = ShopperRepository(session).held([shopper_id])
    if held:
        note_seen(context, session, shopper_id, epoch=held[0].consent.epoch)
