"""Carrying a request out: what the service does at once, and what it tells her clients to do."""

import json
from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy.orm import Session

from consent.credentials import account_name
from consent.instruction import InstructionKind
from consent.rights import request as rules
from consent.rights.request import Action, RequestKind
from consent.service.accounts.repository import AccountRepository
from consent.service.context import Context
from consent.service.erasure import service as erasure
from consent.service.guardians import service as guardians
from consent.service.instructions import service as instructions
from consent.service.problems import Problem
from consent.service.records import service as records
from consent.service.rights.progress import SERVICE, move
from consent.service.rights.repository import RightsRepository
from consent.service.rights.schemas import OwnData
from consent.service.rights.tables import RightsRequest
from consent.service.shoppers.repository import ShopperRepository
from consent.service.tables import Shopper


def carry_out(context: Context, session: Session, request: RightsRequest, by: str) -> None:
    """Do what a request asks, in the caller's transaction, and close it if nothing is left.

    Raises:
        RequestError: it is not in a state from which it can be begun.
        Problem: 404, she is gone; 409, what she wants to be called is taken.
    """
    shopper = ShopperRepository(session).find(request.shopper_id)
    if shopper is None:
        raise Problem(404, "There is no such shopper.")
    move(context, session, request, Action.START, by=by)
    told = _EFFECTS[rules.carried_out_as(RequestKind(request.kind))](
        context, session, shopper, request
    )
    if json.loads(request.details).get("note"):
        return  # an operator takes it from here
    if told:
        move(context, session, request, Action.INSTRUCT, by=SERVICE)
    else:
        move(context, session, request, Action.COMPLETE, by=SERVICE)


def _export(
    context: Context, session: Session, shopper: Shopper, request: RightsRequest
) -> list[str]:
    return instructions.issue(
        context, session, shopper.id, InstructionKind.EXPORT, request=request.id
    )


def _rectify(
    context: Context, session: Session, shopper: Shopper, request: RightsRequest
) -> list[str]:
    details = json.loads(request.details)
    if details["own"]:
        _change_own(context, session, shopper, OwnData.model_validate(details["own"]))
    if not details["purchases"]:
        return []
    return instructions.issue(
        context,
        session,
        shopper.id,
        InstructionKind.CORRECT,
        request=request.id,
        details={"corrections": details["purchases"]},
    )


def _change_own(context: Context, session: Session, shopper: Shopper, own: OwnData) -> None:
    rights, accounts = RightsRepository(session), AccountRepository(session)
    if own.residence is not None:
        guardians.relocate(context, session, shopper.id, own.residence)
    if own.age_band is not None:
        guardians.restate(context, session, shopper, own.age_band)
    if own.name is None and own.language is None:
        return
    account = rights.account(shopper.id)
    if account is None:
        raise Problem(409, "There is no account whose name or language could be corrected.")
    if own.name is not None:
        name = account_name(own.name)
        other = accounts.by_name(name)
        if other is not None and other.id != account.id:
            raise Problem(409, "This name is taken; choose another.")
        account.name = name
    if own.language is not None:
        account.language = own.language
    accounts.save(account)


def _erase(
    context: Context, session: Session, shopper: Shopper, request: RightsRequest
) -> list[str]:
    return erasure.erase(context, session, shopper, request)


def _restrict(
    context: Context, session: Session, shopper: Shopper, request: RightsRequest
) -> list[str]:
    _save(context, session, shopper, restricted=True)
    return instructions.issue(
        context, session, shopper.id, InstructionKind.RESTRICT, request=request.id
    )


def _lift(
    context: Context, session: Session, shopper: Shopper, request: RightsRequest
) -> list[str]:
    _save(context, session, shopper, restricted=False)
    return instructions.issue(
        context,
        session,
        shopper.id,
        InstructionKind.RESUME,
        request=request.id,
        details={"lifts": [InstructionKind.RESTRICT.value]},
    )


def _save(context: Context, session: Session, shopper: Shopper, *, restricted: bool) -> None:
    """Store the restriction; what has expired before is written down first."""
    records.settle(context, session, [shopper.id])
    shoppers = ShopperRepository(session)
    (held,) = shoppers.held([shopper.id])
    consent = held.consent.restrict() if restricted else held.consent.lift()
    if consent != held.consent:
        shoppers.save_restriction(shopper.id, consent, since=context.now_ms())
        session.expire(shopper)


def _end(context: Context, session: Session, shopper: Shopper, request: RightsRequest) -> list[str]:
    """End the cells concerned, as her own withdrawal would, and tell her clients.

    It is complete at once, because nothing more is used from this moment; the status of each
    client's stop is shown with it.
    """
    kind = RequestKind(request.kind)
    records.settle(context, session, [shopper.id])
    (held,) = ShopperRepository(session).held([shopper.id])
    cells = list(rules.withdrawals(kind, held.consent))
    if cells:
        records.withdraw(context, session, [shopper.id], lambda _: cells)
        instructions.issue(
            context, session, shopper.id, InstructionKind.OBJECT, request=request.id, cells=cells
        )
    return []


_Effect = Callable[[Context, Session, Shopper, RightsRequest], list[str]]
_EFFECTS: Final[Mapping[RequestKind, _Effect]] = {
    RequestKind.ACCESS: _export,
    RequestKind.RECTIFICATION: _rectify,
    RequestKind.ERASURE: _erase,
    RequestKind.RESTRICTION: _restrict,
    RequestKind.LIFT_RESTRICTION: _lift,
    RequestKind.OBJECTION: _end,
    RequestKind.OPT_OUT: _end,
    RequestKind.LIMIT: _end,
}
