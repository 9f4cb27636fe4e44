"""History: every decision with its receipt, and how to check all of it without us."""

import json
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response

from consent.log.head import MAX_SIZE, TreeHead
from consent.panel.page import ShopperDep, render
from consent.receipt import MEDIA_TYPE
from consent.service.log import service as log
from consent.service.receipts import page, service
from crypto.wire import b64, public_bytes

router = APIRouter(include_in_schema=False)
SHOWN: Final = 20
Record = Annotated[int, Path(ge=1, le=MAX_SIZE)]


@router.get("/history")
def history(
    request: Request,
    visitor: ShopperDep,
    cursor: Annotated[int, Query(ge=1, le=MAX_SIZE)] = MAX_SIZE,
) -> Response:
    """What was recorded, newest first."""
    found = service.history(
        visitor.context, visitor.shopper, visitor.token, before=cursor, limit=SHOWN
    )
    key = visitor.context.key.public_key()
    return render(
        request,
        visitor,
        "history.html",
        records=found,
        older=found[-1][0].epoch if len(found) == SHOWN else None,
        newest=cursor == MAX_SIZE,
        key=b64(public_bytes(key)),
        head=TreeHead.verify(log.head(visitor.context), key),
    )


@router.get("/history/{record}")
def receipt(visitor: ShopperDep, record: Record) -> Response:
    """One receipt as a page to read and print; its own style and policy."""
    found = service.read(visitor.context, visitor.shopper, visitor.token, record)
    text = page.render(found, visitor.language, visitor.context.key.public_key())
    return Response(
        text,
        media_type="text/html",
        headers={
            "Content-Security-Policy": page.POLICY,
            "Content-Language": visitor.tongue.tag,
        },
    )


@router.get("/history/{record}/receipt.json")
def download(visitor: ShopperDep, record: Record) -> Response:
    """One receipt as signed JSON-LD, to keep."""
    found = service.read(visitor.context, visitor.shopper, visitor.token, record)
    return Response(
        json.dumps(found.to_json(), ensure_ascii=False, indent=1),
        media_type=MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="receipt-{record}.json"'},
    )
