"""Pairing a device by a short code, and removing it.

The code is bound to one shopper, lives ten minutes and works once. It is short, so it is guarded:
its first half names it and wrong second halves count against it, five in all; tries of one network
address are counted; and it is stored as an HMAC under a key that is not in the database. A new
code needs a login with a fresh proof: a device can't bring in another device by itself.
"""

import hmac
from typing import Final

from sqlalchemy.orm import Session

from consent import pairing as rules
from consent.client_record import MAX_AGE_S
from consent.pairing import PairingRequest
from consent.service import rates
from consent.service.accounts.repository import AccountRepository
from consent.service.accounts.service import signed_in
from consent.service.context import Context
from consent.service.pairing.repository import PairingRepository, Tie
from consent.service.pairing.schemas import (
    CodeWish,
    NewCode,
    PairedClient,
    PairedClients,
    PairedDevice,
)
from consent.service.pairing.tables import DeviceToken, PairingCode
from consent.service.principals import authorised, proved
from consent.service.problems import Problem
from consent.service.shoppers import clients
from consent.service.shoppers.repository import ShopperRepository
from consent.service.shoppers.schemas import ClientKey, ClientKind
from consent.service.tables import Shopper
from consent.service.tokens import token_hash
from consent.tasks.names import TaskName
from consent.typed_codes import as_shown
from crypto.wire import SignedRecord, b64, public_bytes

CODE_LASTS_MS: Final = 10 * 60 * 1000
MAX_WRONG: Final = 5


def new_code(context: Context, shopper_id: str, token: str, request: CodeWish) -> NewCode:
    """A pairing code for the shopper who is logged in; an earlier one of hers is useless.

    Raises:
        Problem: 401, nobody's token; 403, no fresh proof; 404, no such shopper, or not her login;
            429, too many codes.
    """
    with context.database.reading() as session:
        _may_ask(context, session, shopper_id, token)  # only her own tries are counted
    rates.check(context, "pairing", f"shopper {shopper_id}")
    with context.database.writing() as session:
        _may_ask(context, session, shopper_id, token)
        codes, now = PairingRepository(session), context.now_ms()
        codes.forget_expired(now)
        code = rules.new_code(context.settings.entropy)
        while codes.by_handle(code[: rules.HANDLE]) is not None:
            code = rules.new_code(context.settings.entropy)
        row = PairingCode(
            shopper_id=shopper_id,
            handle=code[: rules.HANDLE],
            code_mac=_mac(context, code),
            label=request.label.strip(),
            created_at=now,
            expires_at=now + CODE_LASTS_MS,
        )
        codes.replace_code(row)
    return NewCode(code=as_shown(code), expires_at=row.expires_at)


def pair(context: Context, record: SignedRecord, *, peer: str) -> PairedDevice:
    """Make a device the client of the shopper whose code it answers.

    Guarantee: of two devices with one code, at once or later, one is paired. Whatever is wrong
    with a code, the answer is the same.

    Raises:
        WireError: the record is malformed or not signed by the key that it names.
        Problem: 404, no code that is good now; 409, the client is known as another kind; 422, made
            more than MAX_AGE_S from now; 429, too many tries of this peer.
    """
    request = PairingRequest.parse(record)
    if not request.is_fresh(context.now()):
        raise Problem(422, f"This request was not made within {MAX_AGE_S} s of now; sign anew.")
    rates.check(context, "pairing", peer)
    with context.database.writing() as session:
        code = _used_up(context, session, request.code)
        made = None if code is None else _paired(context, session, request, code)
    if made is None:  # outside, so that a wrong try is counted
        raise Problem(404, "There is no such code, or its time is over; ask for a new one.")
    return made


def read(context: Context, shopper_id: str, token: str) -> PairedClients:
    """A shopper's clients, and whether a code of hers is open.

    Raises:
        Problem: 404, no such shopper, or not her token.
    """
    with context.database.reading() as session:
        authorised(context, session, shopper_id, token)
        pairing = PairingRepository(session)
        ties, code = pairing.ties(shopper_id), pairing.code_of(shopper_id)
    is_open = code is not None and code.expires_at > context.now_ms()
    return PairedClients(
        clients=_grouped(ties), code_expires_at=code.expires_at if code and is_open else None
    )


def unpair(context: Context, shopper_id: str, token: str, client_id: str) -> None:
    """Remove a client of a shopper's: its grants and its token are dead at once.

    A client that was not paired by a code may hold the token of her registration. If she has an
    account, and so another way in, that token dies too.

    Raises:
        Problem: 404, no such shopper, not her token, or no such client of hers.
    """
    with context.database.writing() as session:
        shopper = authorised(context, session, shopper_id, token)
        by_code = {
            tie.client.thumbprint: tie.device is not None
            for tie in PairingRepository(session).ties(shopper_id)
        }
        if not clients.remove(context, session, shopper, client_id):
            raise Problem(404, "There is no such client of this shopper.")
        if not by_code[client_id] and AccountRepository(session).of_shopper(shopper_id):
            _drop_first_token(context, session, shopper)


def _may_ask(context: Context, session: Session, shopper_id: str, token: str) -> None:
    """Refuse whoever is not the shopper in a login that she has just proved."""
    principal, _ = signed_in(context, session, token)
    authorised(context, session, shopper_id, token)
    proved(context, principal)


def _used_up(context: Context, session: Session, typed: str) -> PairingCode | None:
    """The code that was typed, now used up; a wrong second half counts against its first."""
    codes = PairingRepository(session)
    found = codes.by_handle(typed[: rules.HANDLE])
    if found is None or found.expires_at <= context.now_ms():
        return None
    if hmac.compare_digest(found.code_mac, _mac(context, typed)):
        codes.forget_code(found.shopper_id)
        return found
    found.wrong_tries += 1
    if found.wrong_tries >= MAX_WRONG:
        codes.forget_code(found.shopper_id)
    else:
        codes.save_code(found)
    return None


def _paired(
    context: Context, session: Session, request: PairingRequest, code: PairingCode
) -> PairedDevice | None:
    shoppers, pairing = ShopperRepository(session), PairingRepository(session)
    shopper = shoppers.find(code.shopper_id)
    if shopper is None:
        return None
    key = b64(public_bytes(request.client_key))
    client_id = clients.chosen_client(session, ClientKey(public_key=key, kind=ClientKind.DEVICE))
    before = {tie.client.thumbprint for tie in pairing.ties(shopper.id) if tie.device is None}
    consent = clients.stand(context, session, shopper, client_id, request.tasks)
    if before - {row.client_id for row in shoppers.memberships(shopper.id)}:
        _drop_first_token(context, session, shopper)
    token = context.new_token()
    pairing.add_device(
        DeviceToken(
            token_hash=token_hash(token),
            shopper_id=shopper.id,
            client_id=client_id,
            label=code.label,
            created_at=context.now_ms(),
        )
    )
    return PairedDevice(shopper=shopper.id, token=token, client=client_id, epoch=consent.epoch)


def _drop_first_token(context: Context, session: Session, shopper: Shopper) -> None:
    """Put a token that nobody has in the place of the one from her registration."""
    ShopperRepository(session).save_token(shopper.id, token_hash(context.new_token()))


def _grouped(ties: list[Tie]) -> list[PairedClient]:
    tasks: dict[str, list[TaskName]] = {}
    for tie in ties:
        named = tasks.setdefault(tie.client.thumbprint, [])
        if tie.task:
            named.append(TaskName(tie.task))
    first = {tie.client.thumbprint: tie for tie in reversed(ties)}
    return [
        PairedClient(
            client=client_id,
            kind=ClientKind(first[client_id].client.kind),
            label=_label(first[client_id]),
            tasks=named,
            paired_at=device.created_at if (device := first[client_id].device) else None,
        )
        for client_id, named in tasks.items()
    ]


def _label(tie: Tie) -> str:
    return tie.device.label if tie.device else tie.client.store or ""


def _mac(context: Context, code: str) -> str:
    return hmac.digest(context.derived_key("pairing codes"), code.encode(), "sha256").hex()
