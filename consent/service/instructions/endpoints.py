"""HTTP endpoints for instructions to clients."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from consent.service.auth import BearerToken, scope
from consent.service.context import ContextDep
from consent.service.instructions import delivery, reading
from consent.service.instructions.schemas import (
    Instructions,
    ReportedAll,
    Reports,
    ShopperInstructions,
)
from consent.service.principals import Role
from consent.service.problems import answers
from consent.service.schemas import SignedRecordSchema
from crypto.wire import SignedRecord

router = APIRouter(prefix="/v1", tags=["instructions"])


@router.post("/instructions/fetch", responses=answers(422), openapi_extra=scope())
def fetch(request: SignedRecordSchema, context: ContextDep) -> Instructions:
    """Open instructions to the client that signed the request, by number; 100 a page.

    The request is a signed record of type ``instruction-fetch`` with the body fields
    ``client_key, issued_at, after``: the key that signs it, Unix seconds, and the number after
    which to start (0 for all). Each answer is a record of type ``instruction``, signed by the
    service. A client that nobody knows has none.
    """
    return delivery.fetch(context, SignedRecord.from_json(request.model_dump()))


@router.post("/instructions/report", responses=answers(422), openapi_extra=scope())
def report(request: Reports, context: ContextDep) -> ReportedAll:
    """Report what came of instructions, many at once, as often as needed.

    A report is a signed record of type ``instruction-report`` with the body fields ``instruction,
    client_key, status, outcome, counts, at``, signed by the key of the client that was instructed.
    The first report of ``done`` or ``refused`` stands.
    """
    return delivery.report(
        context, [SignedRecord.from_json(each.model_dump()) for each in request.reports]
    )


@router.get(
    "/shoppers/{shopper}/instructions",
    responses=answers(401, 404, 422),
    openapi_extra=scope(Role.SHOPPER),
)
def read_all(
    shopper: Annotated[str, Path(description="The shopper's opaque id.", max_length=64)],
    token: BearerToken,
    context: ContextDep,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,15}-[0-9a-f]{32}$")] = None,
    limit: Annotated[int, Query(ge=1, le=reading.PAGE)] = reading.PAGE,
) -> ShopperInstructions:
    """What the shopper's device and stores were told to do with her data, and how far it came."""
    return reading.of_shopper(context, shopper, token, cursor, limit)
