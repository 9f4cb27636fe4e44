"""The key holder as a service: two routes, both translation only."""

import time
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from crypto.errors import FedcartError, RoundError, WireError
from crypto.keyholder.home import KeyHolder
from crypto.keyholder.register import Register
from crypto.keyholder.rules import answer
from crypto.opening import MAX_SHARE_BYTES, MEDIA_TYPE, OpenRequest, encode_part

_MAX_BODY = MAX_SHARE_BYTES + (64 << 20)


def create_app(holder: KeyHolder, *, clock: Callable[[], float] = time.time) -> FastAPI:
    """The key holder's application; it writes its register into the holder's home."""
    register = Register(holder.home / "register.db")
    app = FastAPI(title=f"fedcart key holder {holder.number}", openapi_url=None)

    @app.get("/v1/healthz")
    def healthz() -> dict[str, Any]:
        return {"ready": True, "holder": holder.number}

    @app.get("/v1/card")
    def card() -> dict[str, str]:
        return holder.card.to_json()

    @app.get("/v1/context")
    def context() -> Response:
        return Response(holder.public, media_type="application/octet-stream")

    @app.post("/v1/open")
    async def open_sum(request: Request) -> Response:
        body = await _read(request)
        data = await run_in_threadpool(_open, body, holder, register, int(clock()))
        return Response(data, media_type=MEDIA_TYPE)

    @app.exception_handler(FedcartError)
    def refuse(_request: Request, error: FedcartError) -> JSONResponse:
        status = (
            400 if isinstance(error, WireError) else 409 if isinstance(error, RoundError) else 422
        )
        return JSONResponse(
            {"title": type(error).__name__, "status": status, "detail": str(error)},
            status_code=status,
            media_type="application/problem+json",
        )

    return app


def _open(body: bytes, holder: KeyHolder, register: Register, now: int) -> bytes:
    request = OpenRequest.from_bytes(body)
    part = answer(request, holder, register, now=now)
    return encode_part(part, request.hash, holder.identity)


async def _read(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > _MAX_BODY:
            raise WireError(f"A request has at most {_MAX_BODY} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)
