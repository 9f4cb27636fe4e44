"""Registering a shopper, deciding about consent, pairing a client: one transaction each."""

from consent.purpose import CELLS, Cell
from consent.service.context import Context
from consent.service.notices.repository import NoticeRepository
from consent.service.principals import authorised
from consent.service.problems import Problem
from consent.service.records import service as records
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
from consent.service.tables import Client, Consent, Shopper
from consent.service.tokens import token_hash
from consent.standing import ShopperConsent
from crypto.wire import parse_public_key, thumbprint


def register(context: Context, request: Registration) -> Registered:
    """Create a shopper with her first decisions and, if named, her client.

    Raises:
        Problem: 409, the client is known as another kind.
        InvalidInputError: the notice is not published or does not cover a decision.
        OutdatedNoticeError: consent to what a later notice has changed.
    """
    token, shopper_id = context.new_token(), context.new_id()
    decisions = {entry.cell: entry.decision for entry in request.consents}
    consent = ShopperConsent(epoch=0, floor=0)
    if decisions:
        consent = consent.decide(decisions)
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
        cells=decisions,
        notice=request.notice_version,
        language=str(request.language or ""),
    )
    with context.database.writing() as session:
        NoticeRepository(session).history().check(decisions, request.notice_version)
        shoppers = ShopperRepository(session)
        shoppers.add(shopper)
        if request.client is not None:
            shoppers.join(shopper_id, _client(shoppers, request.client))
        records.save(context, session, [change])
    return Registered(shopper=shopper_id, token=token, epoch=consent.epoch)


def read_consents(context: Context, shopper_id: str, token: str) -> Consents:
    """A shopper's matrix.

    Raises:
        Problem: 404, no such shopper, or not her token.
    """
    with context.database.reading() as session:
        shopper = authorised(context, session, shopper_id, token)
        shoppers = ShopperRepository(session)
        return _matrix(shoppers, shopper_id, shoppers.consent(shopper).at(context.now_ms()))


def decide(context: Context, shopper_id: str, token: str, request: Decisions) -> Consents:
    """Take decisions together and raise the epoch, all in one transaction.

    What has expired before is written down first, as a change of its own.

    Raises:
        Problem: 404, no such shopper, or not her token.
        InvalidInputError: the notice is not published or does not cover a decision.
        OutdatedNoticeError: consent to what a later notice has changed.
        TransitionError: a decision does not follow from its cell's state; nothing was changed.
    """
    with context.database.writing() as session:
        shopper = authorised(context, session, shopper_id, token)
        decisions = {entry.cell: entry.decision for entry in request.decisions}
        NoticeRepository(session).history().check(decisions, request.notice_version)
        records.settle(context, session, [shopper_id])
        shoppers = ShopperRepository(session)
        (before,) = shoppers.held([shopper_id])
        consent = before.consent.decide(decisions)
        shoppers.save_standing(shopper_id, consent)
        change = records.Change(
            shopper=shopper_id,
            consent=consent,
            cells=decisions,
            notice=request.notice_version,
            language=str(request.language or ""),
        )
        records.save(context, session, [change])
        return _matrix(shoppers, shopper.id, consent)


def pair(context: Context, shopper_id: str, token: str, request: ClientKey) -> Paired:
    """Make a client the one that stands for a shopper; grants of another client die.

    Raises:
        Problem: 404, no such shopper, or not her token; 409, the client is known as another kind.
    """
    with context.database.writing() as session:
        shopper = authorised(context, session, shopper_id, token)
        shoppers = ShopperRepository(session)
        client_id = _client(shoppers, request)
        before = shoppers.membership(shopper_id)
        consent = ShopperConsent(epoch=shopper.epoch, floor=shopper.floor)
        if before is not None and before.client_id != client_id:
            consent = consent.moved()
            shoppers.save_standing(shopper_id, consent)
        shoppers.join(shopper_id, client_id)
        return Paired(client=client_id, epoch=consent.epoch)


def _matrix(shoppers: ShopperRepository, shopper_id: str, consent: ShopperConsent) -> Consents:
    rows = {(row.purpose, row.category): row for row in shoppers.cells(shopper_id)}
    cells = [_cell(cell, consent, rows.get((cell.purpose, cell.category))) for cell in CELLS]
    return Consents(shopper=shopper_id, epoch=consent.epoch, consents=cells)


def _cell(cell: Cell, consent: ShopperConsent, row: Consent | None) -> CellState:
    return CellState(
        purpose=cell.purpose,
        category=cell.category,
        state=consent.state(cell),
        notice_version=row and row.notice_version,
        since=row and row.since,
        expires_at=row and row.expires_at,
    )


def _client(shoppers: ShopperRepository, named: ClientKey) -> str:
    client_id = thumbprint(parse_public_key(named.public_key, what="client key"))
    known = shoppers.client(client_id)
    if known is None:
        shoppers.add_client(
            Client(thumbprint=client_id, public_key=named.public_key, kind=named.kind)
        )
    elif known.kind != named.kind:
        raise Problem(409, f"This client is known as a {known.kind}.")
    return client_id
