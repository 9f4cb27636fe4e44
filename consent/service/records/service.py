"""Changes of consent as they are kept: the cells, their history, and what time has ended."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy.orm import Session

from consent.log.leaf import LoggedEvent
from consent.purpose import LIVE_STATES, Cell, ConsentState, Decision
from consent.retention import DAY_MS
from consent.service.context import Context
from consent.service.database import after_commit
from consent.service.instructions import service as instructions
from consent.service.records.repository import LogRepository
from consent.service.shoppers.repository import Held, ShopperRepository
from consent.service.tables import Consent
from consent.service.webhooks import service as webhooks
from consent.standing import ShopperConsent

BATCH: Final = 500


@dataclass(frozen=True, kw_only=True)
class Change:
    """What one step changed for one shopper: her consent after it, and which cells it decided.

    ``notice`` is the version that the step refers to, ``language`` the one it was shown in.
    """

    shopper: str
    consent: ShopperConsent
    cells: Collection[Cell]
    notice: str
    language: str = ""


def save(context: Context, session: Session, changes: Iterable[Change]) -> None:
    """Store changed cells, their events and the leaves of those: all in the given transaction.

    Epoch and floor are saved by the caller.
    """
    now = context.now_ms()
    ends = now + context.settings.validity_days * DAY_MS
    events = [
        _event(change, cell, now=now, ends=ends) for change in changes for cell in change.cells
    ]
    ShopperRepository(session).save_cells(_row(event) for event in events)
    LogRepository(session).append(events, entropy=context.settings.entropy)
    _tell(context, session, events)


def _tell(context: Context, session: Session, events: Iterable[LoggedEvent]) -> None:
    """Tell webhooks and metrics what shoppers decided; what time has ended is nobody's decision."""
    given = {(each.shopper, each.epoch) for each in events if each.state in LIVE_STATES}
    ended = [each for each in events if each.state is ConsentState.WITHDRAWN]
    for shopper, epoch in sorted(given):
        webhooks.emit(context, session, "consent.given", {"shopper": shopper, "epoch": epoch})
    for shopper, epoch in sorted({(each.shopper, each.epoch) for each in ended}):
        webhooks.emit(context, session, "consent.withdrawn", {"shopper": shopper, "epoch": epoch})
    if ended:
        after_commit(session, partial(context.metrics.withdrawals.inc, len(ended)))


def lapse(
    context: Context,
    session: Session,
    shoppers: Iterable[str],
    choose: Callable[[ShopperConsent], Collection[Cell]],
    *,
    notice: str | None = None,
) -> None:
    """End what ``choose`` names of these shoppers' given consent, as expired.

    Raises epochs and floors as a withdrawal would. The events name ``notice``, or else the notice
    under which each cell was given. Where nothing is chosen, nothing is written.
    """
    _end(context, session, shoppers, choose, ShopperConsent.lapse, notice=notice)


def withdraw(
    context: Context,
    session: Session,
    shoppers: Iterable[str],
    choose: Callable[[ShopperConsent], Collection[Cell]],
) -> None:
    """Withdraw what ``choose`` names of these shoppers' given consent, as they would themselves.

    What has expired before is written down first. The events name the notice under which each cell
    was given. Where nothing is chosen, nothing is written.
    """
    known = list(shoppers)
    settle(context, session, known)
    _end(context, session, known, choose, _withdrawn)


def _withdrawn(consent: ShopperConsent, cells: Collection[Cell]) -> ShopperConsent:
    return consent.decide(dict.fromkeys(cells, Decision.WITHDRAWN))


def _end(
    context: Context,
    session: Session,
    shoppers: Iterable[str],
    choose: Callable[[ShopperConsent], Collection[Cell]],
    end: Callable[[ShopperConsent, Collection[Cell]], ShopperConsent],
    *,
    notice: str | None = None,
) -> None:
    repository = ShopperRepository(session)
    after: dict[str, ShopperConsent] = {}
    changes: list[Change] = []
    told: dict[str, instructions.Change] = {}
    for held in repository.held(shoppers):
        if cells := choose(held.consent):
            after[held.shopper] = end(held.consent, cells)
            changes += _endings(held, after[held.shopper], cells, notice)
            told[held.shopper] = instructions.Change.between(held.consent, after[held.shopper])
    repository.save_standings(after)
    save(context, session, changes)
    instructions.consent_changed(context, session, told)


def settle(context: Context, session: Session, shoppers: Iterable[str]) -> None:
    """Write down what time has ended for these shoppers, so that stored epochs say it too."""
    now = context.now_ms()
    lapse(context, session, shoppers, lambda consent: consent.due(now))


def settle_client(context: Context, session: Session, client: str) -> None:
    """``settle`` for the shoppers of one client."""
    due = ShopperRepository(session).due(context.now_ms(), client=client)
    if due:
        settle(context, session, due)


def write_expiries(context: Context) -> int:
    """Write down everything that has expired, a batch a transaction; returns for how many shoppers.

    Safety does not wait for it: expired consent permits nothing from the moment it expires.
    """
    done = 0
    while True:
        with context.database.writing() as session:
            due = ShopperRepository(session).due(context.now_ms(), limit=BATCH)
            if not due:
                return done
            settle(context, session, due)
        done += len(due)


def _endings(
    held: Held, after: ShopperConsent, cells: Collection[Cell], notice: str | None
) -> list[Change]:
    """One change a notice: the given one for all cells, or each cell's own."""
    by_notice: dict[str, list[Cell]] = {}
    for cell in sorted(cells):
        by_notice.setdefault(notice or held.notices[cell], []).append(cell)
    return [
        Change(shopper=held.shopper, consent=after, cells=group, notice=named)
        for named, group in by_notice.items()
    ]


def _event(change: Change, cell: Cell, *, now: int, ends: int) -> LoggedEvent:
    state = change.consent.state(cell)
    return LoggedEvent(
        shopper=change.shopper,
        epoch=change.consent.epoch,
        purpose=cell.purpose,
        category=cell.category,
        state=state,
        notice=change.notice,
        language=change.language,
        time=now,
        expires_at=ends if state in LIVE_STATES else None,
    )


def _row(event: LoggedEvent) -> Consent:
    return Consent(
        shopper_id=event.shopper,
        purpose=event.purpose,
        category=event.category,
        state=event.state,
        notice_version=event.notice,
        epoch=event.epoch,
        since=event.time,
        expires_at=event.expires_at,
    )
