"""HTTP endpoint for fetching an export."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import StreamingResponse

from consent.service.auth import BearerToken, scope
from consent.service.context import ContextDep
from consent.service.exports import service
from consent.service.exports.archive import pieces
from consent.service.exports.schemas import FetchExport
from consent.service.principals import Role
from consent.service.problems import answers
from consent.service.schemas import Identifier

router = APIRouter(prefix="/v1", tags=["rights"])


@router.post(
    "/shoppers/{shopper}/requests/{request}/export",
    response_class=StreamingResponse,
    responses={
        **answers(401, 403, 404, 422, 503),
        200: {
            "description": "A zip with a signed manifest.",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        },
    },
    openapi_extra=scope(Role.SHOPPER),
)
def fetch(
    shopper: Annotated[str, Path(description="The shopper's opaque id.", max_length=64)],
    request: Identifier,
    shown: FetchExport,
    token: BearerToken,
    context: ContextDep,
) -> StreamingResponse:
    """Everything that the service holds about the shopper: JSON, CSV, receipts, proofs, notices.

    A POST, because it asks for proof of who fetches it: a login that was shown within ten minutes,
    or a record of type `rights-proof` with the step `fetch` and the hash of `{"request": id}`.
    """
    made = service.fetch(context, shopper, token, request, shown)
    return StreamingResponse(
        pieces(made),
        media_type="application/zip",
        headers={"Content-Disposition": 'attachment; filename="fedcart-export.zip"'},
    )
