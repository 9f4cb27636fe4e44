"""Discount codes: made of points by a shopper, redeemed once by a store's till.

A code is 120 bits of an HMAC under a key that only the service has, over its random id. So it is
stored as a hash only, and the same request gets the same code again if its answer was lost.
"""

import base64
import hmac
from typing import Final

from sqlalchemy.orm import Session

from consent.client_record import MAX_AGE_S
from consent.redemption import Redemption
from consent.retention import DAY_MS
from consent.service import rates
from consent.service.context import Context
from consent.service.points.repository import PointsRepository
from consent.service.points.schemas import CodeRequest, CodeState, IssuedCode, Redeemed
from consent.service.points.tables import CodeUse, DiscountCode
from consent.service.principals import Role, authorised, required
from consent.service.problems import Problem
from consent.service.shoppers.repository import ShopperRepository
from consent.service.shoppers.schemas import ClientKind
from consent.service.tokens import token_hash
from consent.typed_codes import as_shown
from crypto.wire import SignedRecord

_CODE_BYTES: Final = 15
MAX_SHOWN: Final = 100


def issue(
    context: Context, shopper_id: str, token: str, request: CodeRequest, key: str
) -> IssuedCode:
    """Turn points into a code; the same idempotency key gets the same code and costs once.

    Raises:
        Problem: 404, no such shopper, or not her token; 409, the balance is too small; 422, the
            key was used for another request.
    """
    with context.database.writing() as session:
        authorised(context, session, shopper_id, token)
        ledger = PointsRepository(session)
        code = ledger.code_of_request(shopper_id, token_hash(key))
        if code is None:
            code = _made(context, shopper_id, request.points, token_hash(key))
            balance = ledger.balance(shopper_id)
            if balance < code.points:
                raise Problem(409, f"There are {balance} points; {code.points} were asked for.")
            ledger.redeem(code)
        balance = ledger.balance(shopper_id)
    if code.points != request.points:
        raise Problem(422, "This Idempotency-Key was used for another number of points.")
    return IssuedCode(
        id=code.id,
        code=_shown(context, code),
        points=code.points,
        value=code.value,
        expires_at=code.expires_at,
        balance=balance,
    )


def read_all(context: Context, shopper_id: str, token: str) -> list[CodeState]:
    """A shopper's latest codes, newest first.

    A code is made of its id, so it can be shown to her again; the service still keeps no code.

    Raises:
        Problem: 404, no such shopper, or not her token.
    """
    with context.database.reading() as session:
        authorised(context, session, shopper_id, token)
        found = PointsRepository(session).codes(shopper_id, limit=MAX_SHOWN)
    return [_state(context, code, used_at) for code, used_at in found]


def redeem(context: Context, token: str, record: SignedRecord) -> Redeemed:
    """Use a code, once. The same store and sale again gets the same answer.

    The till shows the store's token and signs with a client key that is registered as that store's:
    neither a code nor a token alone is worth anything.

    Guarantee: a code that does not exist, one that has expired and one that was used for another
    sale are answered alike.

    Raises:
        WireError: the record is malformed or not signed by the key that it names.
        Problem: 401, nobody's token; 422, made more than MAX_AGE_S from now; 404, not a store's
            token, not a client of that store, or there is nothing to redeem; 429, this store tries
            too often; 503, attempts can't be counted.
    """
    request = Redemption.parse(record)
    if not request.is_fresh(context.now()):
        raise Problem(422, f"This request was not made within {MAX_AGE_S} s of now; sign anew.")
    with context.database.reading() as session:
        store = required(context, session, token, Role.STORE).store
    rates.check(context, "redeem", str(store))
    with context.database.writing() as session:
        store = required(context, session, token, Role.STORE).store
        client = ShopperRepository(session).client(request.client)
        if client is None or client.kind != ClientKind.STORE or client.store != store:
            raise Problem(404, "There is no such client of this store.")
        code, use = _used(PointsRepository(session), request, now=context.now_ms())
    return Redeemed(
        id=code.id, sale=use.sale, points=code.points, value=code.value, redeemed_at=use.used_at
    )


def give_back_expired(context: Context, session: Session, before: int, limit: int) -> int:
    """Give the points of codes that expired unused before a time back to their shoppers.

    In the caller's writing transaction. Guarantee: once a code, however often it is called; a code
    that was used is left alone. Returns for how many codes.
    """
    ledger, now = PointsRepository(session), context.now_ms()
    found = ledger.lost(before=min(before, now), limit=limit)
    for code in found:
        ledger.give_back(code, time=now)
    return len(found)


def _used(
    ledger: PointsRepository, request: Redemption, *, now: int
) -> tuple[DiscountCode, CodeUse]:
    code = ledger.code(token_hash(request.code))
    use = None if code is None else ledger.use(code.id)
    if code is not None and use is None and now < code.expires_at:
        if ledger.was_returned(code.id):  # the clock went back since
            raise Problem(404, "There is no such code that could be redeemed.")
        use = CodeUse(code_id=code.id, client_id=request.client, sale=request.sale, used_at=now)
        ledger.add_use(use)
    if code is None or use is None or (use.client_id, use.sale) != (request.client, request.sale):
        raise Problem(404, "There is no such code that could be redeemed.")
    return code, use


def _state(context: Context, code: DiscountCode, used_at: int | None) -> CodeState:
    text = _text(context, code.id)
    usable = used_at is None and context.now_ms() < code.expires_at
    return CodeState(
        id=code.id,
        code=as_shown(text) if usable and token_hash(text) == code.code_hash else None,
        points=code.points,
        value=code.value,
        created_at=code.created_at,
        expires_at=code.expires_at,
        used_at=used_at,
    )


def _made(context: Context, shopper_id: str, points: int, request_hash: str) -> DiscountCode:
    code_id, now = context.new_id(), context.now_ms()
    return DiscountCode(
        id=code_id,
        shopper_id=shopper_id,
        request_hash=request_hash,
        code_hash=token_hash(_text(context, code_id)),
        points=points,
        value=context.settings.incentive.value(points),
        created_at=now,
        expires_at=now + context.settings.incentive.code_days * DAY_MS,
    )


def _shown(context: Context, code: DiscountCode) -> str:
    text = _text(context, code.id)
    if token_hash(text) != code.code_hash:  # the service's key was replaced since
        raise Problem(409, "This code was made before and can't be shown again.")
    return as_shown(text)


def _text(context: Context, code_id: str) -> str:
    key = context.derived_key("discount codes")
    code = hmac.digest(key, code_id.encode(), "sha256")[:_CODE_BYTES]
    return base64.b32encode(code).decode()
