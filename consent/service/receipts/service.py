"""Making receipts: what was recorded, who answers for it, and its place in the log."""

from collections.abc import Mapping, Sequence

from consent.log.leaf import LoggedEvent
from consent.notice import Language
from consent.receipt import Receipt, sign_receipt
from consent.service.context import Context
from consent.service.log.service import prove
from consent.service.notices.repository import NoticeRepository
from consent.service.principals import authorised
from consent.service.problems import Problem
from consent.service.receipts.repository import ReceiptRepository
from consent.service.receipts.schemas import Receipts, ReceiptSummary
from consent.service.records.repository import LogRepository


def read_all(
    context: Context, shopper_id: str, token: str, cursor: int | None, limit: int
) -> Receipts:
    """A page of a shopper's receipts.

    Raises:
        Problem: 404, no such shopper, or not her token.
    """
    with context.database.reading() as session:
        authorised(context, session, shopper_id, token)
        found = ReceiptRepository(session).after(shopper_id, cursor or 0, limit=limit)
    return Receipts(
        receipts=[
            ReceiptSummary(record=row.epoch, time=row.time, changes=row.changes) for row in found
        ],
        next=found[-1].epoch if len(found) == limit else None,
    )


def history(
    context: Context, shopper_id: str, token: str, *, before: int, limit: int
) -> list[list[LoggedEvent]]:
    """What a shopper's records before one changed, newest first: the events of each together.

    Raises:
        Problem: 404, no such shopper, or not her token.
    """
    with context.database.reading() as session:
        authorised(context, session, shopper_id, token)
        log = LogRepository(session)
        epochs = ReceiptRepository(session).before(shopper_id, before, limit=limit)
        events = log.events_by_epoch(shopper_id, epochs)
    return [events[each] for each in epochs]


def read(context: Context, shopper_id: str, token: str, record: int) -> Receipt:
    """One receipt, signed now.

    What it says of the decision never changes; it names the controller as she is set up now, and
    proves the events against the log as it is now.

    Raises:
        Problem: 404, no such shopper, not her token, or she has no such receipt.
    """
    with context.database.reading() as session:
        authorised(context, session, shopper_id, token)
        found = LogRepository(session).events_of_epoch(shopper_id, record)
        hashes = NoticeRepository(session).hashes()
    if not found:
        raise Problem(404, "There is no such receipt.")
    return made(context, shopper_id, found, hashes)


def made(
    context: Context,
    shopper_id: str,
    found: Sequence[tuple[int, LoggedEvent]],
    hashes: Mapping[str, Mapping[Language, str]],
) -> Receipt:
    """The receipt of the events of one record, signed now; ``hashes`` are of the notices' texts.

    Raises:
        Problem: 404, her key was destroyed.
    """
    events = [event for _, event in found]
    signed = sign_receipt(
        events,
        controller=context.settings.controller,
        text_hashes={event.notice: hashes[event.notice] for event in events},
        issued_at=context.now_ms(),
        key=context.key,
    )
    return Receipt(record=signed, log=prove(context, shopper_id, found))
