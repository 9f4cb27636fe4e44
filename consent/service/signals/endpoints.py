"""HTTP endpoints for Global Privacy Control."""

from fastapi import APIRouter

from consent import signals
from consent.service.auth import BearerToken, ShopperId, SignalDep, scope
from consent.service.context import ContextDep
from consent.service.principals import Role
from consent.service.problems import answers
from consent.service.signals import service
from consent.service.signals.schemas import Signals, WellKnown

router = APIRouter(tags=["signals"])


@router.get("/.well-known/gpc.json", openapi_extra=scope())
async def well_known() -> WellKnown:
    """That this service honours Global Privacy Control, and since when in this way."""
    return WellKnown.model_validate(signals.well_known())


@router.get(
    "/v1/shoppers/{shopper}/signals",
    responses=answers(401, 404, 422),
    openapi_extra=scope(Role.SHOPPER),
)
def read(shopper: ShopperId, token: BearerToken, context: ContextDep) -> Signals:
    """Whether a signal of the shopper's is honoured, what it ended, and what she affirmed since.

    Every request with her token that carries `Sec-GPC: 1` counts, from a browser or a device.
    """
    return service.read(context, shopper, token)


@router.delete(
    "/v1/shoppers/{shopper}/signals/gpc",
    status_code=204,
    responses=answers(401, 404, 409, 422),
    openapi_extra=scope(Role.SHOPPER),
)
def clear(shopper: ShopperId, token: BearerToken, context: ContextDep, signal: SignalDep) -> None:
    """Say that no browser or device of hers sends the signal any more.

    Nothing is given back by it. A request that itself carries the signal is a conflict.
    """
    service.clear(context, shopper, token, signal=signal)
