"""HTTP endpoints for pairing devices."""

from fastapi import APIRouter

from consent.service.auth import BearerToken, ShopperId, scope
from consent.service.context import ContextDep
from consent.service.pairing import service
from consent.service.pairing.schemas import CodeWish, NewCode, PairedClients, PairedDevice
from consent.service.peer import PeerDep
from consent.service.principals import Role
from consent.service.problems import answers
from consent.service.schemas import SignedRecordSchema, Thumbprint
from crypto.wire import SignedRecord

router = APIRouter(prefix="/v1", tags=["pairing"])


@router.post(
    "/shoppers/{shopper}/pairing-code",
    status_code=201,
    responses=answers(401, 403, 404, 422, 429, 503),
    openapi_extra=scope(Role.SHOPPER),
)
def new_code(
    shopper: ShopperId, request: CodeWish, token: BearerToken, context: ContextDep
) -> NewCode:
    """A code with which one device can be paired within ten minutes.

    Needs a login with a fresh proof; a device's token gets no code. An earlier code is useless.
    """
    return service.new_code(context, shopper, token, request)


@router.post(
    "/pairings",
    status_code=201,
    responses=answers(404, 409, 422, 429, 503),
    openapi_extra=scope(),
)
def pair(request: SignedRecordSchema, context: ContextDep, peer: PeerDep) -> PairedDevice:
    """Pair a device with the shopper whose code it answers.

    The request is a signed record of type ``pairing`` with the body fields ``code, client_key,
    tasks, issued_at``, signed by the device's identity key. The answer holds the only copy of the
    device's token. Grants of a client that it replaces are dead at once.
    """
    return service.pair(context, SignedRecord.from_json(request.model_dump()), peer=peer)


@router.get(
    "/shoppers/{shopper}/clients",
    responses=answers(401, 404, 422),
    openapi_extra=scope(Role.SHOPPER),
)
def read(shopper: ShopperId, token: BearerToken, context: ContextDep) -> PairedClients:
    """The clients that stand for the shopper, each with its tasks."""
    return service.read(context, shopper, token)


@router.delete(
    "/shoppers/{shopper}/clients/{client}",
    status_code=204,
    responses=answers(401, 404, 422),
    openapi_extra=scope(Role.SHOPPER),
)
def unpair(shopper: ShopperId, client: Thumbprint, token: BearerToken, context: ContextDep) -> None:
    """Remove a client: its grants and its token are dead at once."""
    service.unpair(context, shopper, token, client)
