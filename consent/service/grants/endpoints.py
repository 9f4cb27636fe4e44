"""HTTP endpoint for taking part in a round."""

from fastapi import APIRouter

from consent.service.context import ContextDep
from consent.service.grants import service
from consent.service.grants.schemas import ParticipationAnswer
from consent.service.problems import answers
from consent.service.schemas import SignedRecordSchema
from crypto.wire import SignedRecord

router = APIRouter(prefix="/v1", tags=["participation"])


@router.post("/participation", responses=answers(409, 422))
def participate(request: SignedRecordSchema, context: ContextDep) -> ParticipationAnswer:
    """Ask for grants of one round, for one shopper or for many.

    The request is a signed record of type ``participation`` with the body fields ``task, round,
    context, client_key, issued_at, shoppers``, signed by the client's own key. Every shopper is
    answered: granted if she belongs to this client and gives what the task requires, else refused
    with a reason.
    """
    return service.participate(context, SignedRecord.from_json(request.model_dump()))
