"""HTTP endpoint for taking part in a round."""

from fastapi import APIRouter

from consent.service.auth import SignalDep, scope
from consent.service.context import ContextDep
from consent.service.grants import service
from consent.service.grants.schemas import ParticipationAnswer
from consent.service.problems import answers
from consent.service.schemas import SignedRecordSchema
from crypto.wire import SignedRecord

router = APIRouter(prefix="/v1", tags=["participation"])


@router.post("/participation", responses=answers(409, 422), openapi_extra=scope())
def participate(
    request: SignedRecordSchema, context: ContextDep, signal: SignalDep
) -> ParticipationAnswer:
    """Ask for grants of one round, for one shopper or for many.

    The request is a signed record of type ``participation`` with the body fields ``task, round,
    context, client_key, issued_at, shoppers``, signed by the client's own key. Every shopper is
    answered: granted if she belongs to this client and gives what the task requires, else refused
    with a reason. `Sec-GPC: 1` binds those of the asked shoppers who belong to the client.
    """
    record = SignedRecord.from_json(request.model_dump())
    return service.participate(context, record, signal=signal)
