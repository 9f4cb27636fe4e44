"""Registering a shopper, deciding about consent, pairing a client: one transaction each."""

from sqlalchemy.orm import Session

from consent.ages import AgeBand
from consent.purpose import CELLS, Cell
from consent.service import etag
from consent.service.context import Context
from consent.service.guardians import gate as ages
from consent.service.guardians.repository import AgeRepository
from consent.service.instructions import service as instructions
from consent.service.notices.repository import NoticeRepository
from consent.service.principals import authorised
from consent.service.records import service as records
from consent.service.shoppers import clients
from consent.service.shoppers.repository import ShopperRepository
from consent.service.shoppers.schemas import (
    CellState,
    ClientKey,
    Consents,
    Decisions,
    Paired,
    Registered,
    Registration,
)
from consent.service.signals import gate as signals
from consent.service.tables import Consent, Shopper
from consent.service.tokens import token_hash
from consent.signals import to_affirm
from consent.standing import ShopperConsent


def register(
    context: Context,
    request: Registration,
    *,
    store_token: str | None = None,
    signal: bool = False,
) -> Registered:
    """Create a shopper with her first decisions and, if named, her client.

    ``store_token`` is a store's own, which a client that is a store needs. ``signal`` is whether
    the request carries Global Privacy Control. A minor's *yes* that needs a guardian waits.

    Raises:
        Problem: 401 or 404, the client is a store and the token no store's; 409, the client is
            known as another kind, or as another store's; or she states her age first, or affirms
            what contradicts her privacy signal.
        InvalidInputError: the notice is not published or does not cover a decision.
        OutdatedNoticeError: consent to what a later notice has changed.
    """
    with context.database.writing() as session:
        return add(context, session, request, store_token=store_token, signal=signal)


def add(
    context: Context,
    session: Session,
    request: Registration,
    *,
    store_token: str | None = None,
    signal: bool = False,
) -> Registered:
    """``register`` in the caller's writing transaction.

    Raises:
        Problem: 401 or 404, the client is a store and the token no store's; 409, the client is
            known as another kind, or as another store's.
        InvalidInputError: the notice is not published or does not cover a decision.
        OutdatedNoticeError: consent to what a later notice has changed.
    """
    token, shopper_id = context.new_token(), context.new_id()
    decisions = {entry.cell: entry.decision for entry in request.consents}
    NoticeRepository(session).history().check(decisions, request.notice_version)
    if signal:
        signals.refuse_unaffirmed(decisions, affirmed=request.confirm_signal)
    consent = ShopperConsent(epoch=0, floor=0)
    where = ages.place(context)
    ruling = ages.rule(consent, decisions, band=request.age_band, where=where, guarded=False)
    if ruling.cells:
        consent = consent.decide(ruling.taken, waiting=ruling.waiting)
    shopper = Shopper(
        id=shopper_id,
        token_hash=token_hash(token),
        epoch=consent.epoch,
        floor=consent.floor,
        created_at=context.now_ms(),
    )
    change = records.Change(
        shopper=shopper_id,
        consent=consent,
        cells=ruling.cells,
        notice=request.notice_version,
        language=str(request.language or ""),
    )
    shoppers = ShopperRepository(session)
    shoppers.add(shopper)
    if request.age_band is not AgeBand.NOT_STATED:
        AgeRepository(session).state(shopper_id, request.age_band, time=shopper.created_at)
    if request.client is not None:
        client_id = clients.new_client(context, session, request.client, store_token)
        shoppers.join(shopper_id, client_id)
    records.save(context, session, [change])
    if signal:
        signals.note_seen(context, session, shopper_id, epoch=consent.epoch)
        if to_affirm(decisions):
            signals.note_affirmed(context, session, shopper_id, epoch=consent.epoch)
    return Registered(shopper=shopper_id, token=token, epoch=consent.epoch)


def read_consents(context: Context, shopper_id: str, token: str) -> Consents:
    """A shopper's matrix.

    Raises:
        Problem: 404, no such shopper, or not her token.
    """
    with context.database.reading() as session:
        return matrix(context, session, authorised(context, session, shopper_id, token))


def matrix(context: Context, session: Session, shopper: Shopper) -> Consents:
    """A shopper's matrix now, for whoever may see it."""
    shoppers = ShopperRepository(session)
    return _matrix(shoppers, shopper.id, shoppers.consent(shopper).at(context.now_ms()))


def decide(
    context: Context,
    shopper_id: str,
    token: str,
    request: Decisions,
    *,
    seen_epoch: int | None = None,
    if_match: str | None = etag.ANY,
    signal: bool = False,
) -> Consents:
    """Take decisions together and raise the epoch, all in one transaction.

    What has expired before is written down first, as a change of its own. With ``seen_epoch`` the
    decisions count only if her consent is still what she saw then; ``if_match`` says the same as
    an entity tag. ``signal`` is whether the request carries Global Privacy Control.

    Raises:
        Problem: 404, no such shopper, or not her token; 412, her consent has changed since
            ``seen_epoch``, and nothing was changed; 409, she states her age first, or affirms what
            contradicts her privacy signal.
        InvalidInputError: the notice is not published or does not cover a decision.
        OutdatedNoticeError: consent to what a later notice has changed.
        TransitionError: a decision does not follow from its cell's state; nothing was changed.
    """
    with context.database.writing() as session:
        shopper = authorised(context, session, shopper_id, token)
        if signal:
            signals.see(context, session, [shopper_id])
        seen = if_match if seen_epoch is None else etag.tag(seen_epoch)
        return take(context, session, shopper, request, if_match=seen)


def take(
    context: Context,
    session: Session,
    shopper: Shopper,
    request: Decisions,
    *,
    if_match: str | None,
    by_guardian: bool = False,
) -> Consents:
    """``decide`` for a shopper whose decision, or whose guardian's, it is known to be.

    Raises:
        Problem, InvalidInputError, OutdatedNoticeError, TransitionError: as ``decide``.
    """
    shopper_id = shopper.id
    decisions = {entry.cell: entry.decision for entry in request.decisions}
    NoticeRepository(session).history().check(decisions, request.notice_version)
    records.settle(context, session, [shopper_id])
    shoppers = ShopperRepository(session)
    (before,) = shoppers.held([shopper_id])
    etag.demand(if_match, before.consent.epoch)
    affirms = signals.holds(session, shopper_id) and bool(to_affirm(decisions))
    if affirms:
        signals.refuse_unaffirmed(decisions, affirmed=request.confirm_signal)
    ruling = ages.of_stored(
        context, session, shopper, before.consent, decisions, by_guardian=by_guardian
    )
    if not ruling.cells:
        return _matrix(shoppers, shopper_id, before.consent)
    consent = before.consent.decide(ruling.taken, waiting=ruling.waiting)
    shoppers.save_standing(shopper_id, consent)
    change = records.Change(
        shopper=shopper_id,
        consent=consent,
        cells=ruling.cells,
        notice=request.notice_version,
        language=str(request.language or ""),
    )
    records.save(context, session, [change])
    if affirms:
        signals.note_affirmed(context, session, shopper_id, epoch=consent.epoch)
    told = instructions.Change.between(before.consent, consent)
    instructions.consent_changed(context, session, {shopper_id: told})
    return _matrix(shoppers, shopper_id, consent)


def pair(context: Context, shopper_id: str, token: str, request: ClientKey) -> Paired:
    """Make a client the one that stands for a shopper; grants of another client die.

    Where a client is named for a single task, it goes on to stand for her in that.

    Raises:
        Problem: 404, no such shopper, or not her token; 409, the client is known as another kind,
            or is a store that is not registered.
    """
    with context.database.writing() as session:
        shopper = authorised(context, session, shopper_id, token)
        client_id = clients.chosen_client(session, request)
        consent = clients.stand(context, session, shopper, client_id)
        return Paired(client=client_id, epoch=consent.epoch)


def _matrix(shoppers: ShopperRepository, shopper_id: str, consent: ShopperConsent) -> Consents:
    rows = {(row.purpose, row.category): row for row in shoppers.cells(shopper_id)}
    cells = [_cell(cell, consent, rows.get((cell.purpose, cell.category))) for cell in CELLS]
    return Consents(
        shopper=shopper_id, epoch=consent.epoch, restricted=consent.restricted, consents=cells
    )


def _cell(cell: Cell, consent: ShopperConsent, row: Consent | None) -> CellState:
    return CellState(
        purpose=cell.purpose,
        category=cell.category,
        state=consent.state(cell),
        notice_version=row and row.notice_version,
        since=row and row.since,
        expires_at=row and row.expires_at,
    )
