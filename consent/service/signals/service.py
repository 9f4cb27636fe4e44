"""Honouring Global Privacy Control, and telling her whether it is."""

from consent import signals
from consent.incentive import OPT_IN
from consent.purpose import LIVE_STATES, Cell, ConsentState
from consent.service.context import Context
from consent.service.principals import authorised, identify
from consent.service.problems import Problem
from consent.service.records.repository import LogRepository
from consent.service.shoppers.repository import ShopperRepository
from consent.service.signals import gate
from consent.service.signals.repository import SignalRepository
from consent.service.signals.schemas import SignalCell, Signals, SignalStatus
from consent.signals import SignalEvent


def observe(context: Context, token: str) -> None:
    """Honour the signal of an authenticated request, whoever's token it is.

    A token that is no shopper's changes nothing. After the first sight this only reads.
    """
    with context.database.reading() as session:
        known = identify(context, session, token)
        if known is None or known.shopper is None or gate.holds(session, known.shopper):
            return
    with context.database.writing() as session:
        gate.see(context, session, [known.shopper])


def read(context: Context, shopper_id: str, token: str) -> Signals:
    """Whether a shopper's signal is honoured, and what it did.

    Raises:
        Problem: 404, no such shopper, or not her token.
    """
    with context.database.reading() as session:
        shopper = authorised(context, session, shopper_id, token)
        since = SignalRepository(session).since(shopper_id)
        consent = ShopperRepository(session).consent(shopper).at(context.now_ms())
        ended: list[Cell] = []
        if since is not None:
            events = LogRepository(session).events_of_epoch(shopper_id, since.epoch)
            ended = [
                Cell(event.purpose, event.category)
                for _, event in events
                if event.state is ConsentState.WITHDRAWN and event.time == since.time
            ]
    given = [cell for cell in signals.stopped(consent) if since is not None]
    return Signals(
        shopper=shopper_id,
        gpc=SignalStatus.NOT_SEEN if since is None else SignalStatus.HONOURED,
        since=since and since.time,
        bound=sorted(signals.BOUND),
        withdrawn=_cells(ended),
        affirmed=_cells(given),
        points_conflict=OPT_IN in ended and consent.state(OPT_IN) not in LIVE_STATES,
    )


def clear(context: Context, shopper_id: str, token: str, *, signal: bool) -> None:
    """Note that a shopper's browsers and devices no longer send the signal, as she says.

    Nothing is given back by it: she decides anew. The next sight counts as the first.

    Raises:
        Problem: 404, no such shopper, or not her token; 409, this very request carries it.
    """
    with context.database.writing() as session:
        shopper = authorised(context, session, shopper_id, token)
        if signal:
            raise Problem(409, "This request carries the signal; turn it off in the browser first.")
        notes = SignalRepository(session)
        if notes.since(shopper_id) is not None:
            notes.add(shopper_id, SignalEvent.CLEARED, epoch=shopper.epoch, time=context.now_ms())


def _cells(cells: list[Cell]) -> list[SignalCell]:
    return [SignalCell(purpose=c.purpose, category=c.category) for c in sorted(cells)]
