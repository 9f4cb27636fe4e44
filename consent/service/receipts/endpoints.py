"""HTTP endpoints for receipts."""

import json
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response

from consent.log.head import MAX_SIZE
from consent.notice import Language
from consent.receipt import MEDIA_TYPE
from consent.service.auth import BearerToken, ShopperId, scope
from consent.service.context import ContextDep
from consent.service.principals import Role
from consent.service.problems import answers
from consent.service.receipts import page, service
from consent.service.receipts.schemas import Receipts

router = APIRouter(prefix="/v1/shoppers/{shopper}/receipts", tags=["receipts"])


@router.get("", responses=answers(401, 404, 422), openapi_extra=scope(Role.SHOPPER))
def read_all(
    shopper: ShopperId,
    token: BearerToken,
    context: ContextDep,
    cursor: Annotated[int | None, Query(ge=0, le=MAX_SIZE)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Receipts:
    """Every change of the shopper's consent, oldest first, a page at a time."""
    return service.read_all(context, shopper, token, cursor, limit)


@router.get(
    "/{record}",
    openapi_extra=scope(Role.SHOPPER),
    response_class=Response,
    responses=answers(401, 404, 422)
    | {
        200: {
            "description": "The signed receipt, or its readable page.",
            "content": {
                MEDIA_TYPE: {"schema": {"type": "object"}},
                "text/html": {"schema": {"type": "string"}},
            },
        }
    },
)
def read(
    shopper: ShopperId,
    record: Annotated[int, Path(ge=0, le=MAX_SIZE)],
    token: BearerToken,
    context: ContextDep,
    language: Language = Language.EN,
    accept: Annotated[str, Header(max_length=1024)] = "*/*",
) -> Response:
    """One receipt: ISO/IEC TS 27560 as signed JSON-LD, or the same as a page to read.

    The page is sent to whoever accepts ``text/html`` and no JSON. ``fedcart consent verify`` checks
    the JSON-LD document offline.
    """
    found = service.read(context, shopper, token, record)
    if "text/html" in accept and "json" not in accept:
        return Response(
            page.render(found, language, context.key.public_key()),
            media_type="text/html",
            headers={"Content-Security-Policy": page.POLICY, "Content-Language": language},
        )
    body = json.dumps(found.to_json(), ensure_ascii=False, indent=1)
    return Response(body, media_type=MEDIA_TYPE)
