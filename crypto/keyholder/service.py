"""The key holder as a service: every route is translation only.

Requests are a signed record's bytes or frames (``crypto.wire.pack_frames``); answers are too.
Refusals are problem documents. What nobody thought of is answered with status 500 and no words of
its own: a parser that stumbles takes neither the service nor anybody's secret with it.
"""

import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from crypto.errors import BudgetError, FedcartError, RoundError, WireError
from crypto.ingest import MAX_BATCH_BYTES, Batch
from crypto.keyholder.entry import parse_context, parse_request
from crypto.keyholder.home import KeyHolder
from crypto.keyholder.peers import VoteSource
from crypto.keyholder.station import Station
from crypto.opening import MAX_SHARE_BYTES, MEDIA_TYPE, OpenRequest
from crypto.sums.schemes import HOLDERS
from crypto.wire import MAX_RECORD_BYTES, SignedRecord, unpack_frames

_MAX_BODY = MAX_SHARE_BYTES + (64 << 20)
_MAX_INGEST = MAX_BATCH_BYTES + (1 << 20)
_RECORD_TYPE: Final = "application/vnd.fedcart.record+json"
_PROBLEM_TYPE: Final = "application/problem+json"
_FIRST_TRIES: Final = 20
_TRY_AGAIN_S: Final = 1.0
_logger = logging.getLogger("fedcart.keyholder")

# What a route does with the bytes that it is sent.
Step = Callable[[bytes], bytes]


def create_app(
    holder: KeyHolder,
    *,
    clock: Callable[[], float] = time.time,
    source: VoteSource | None = None,
) -> FastAPI:
    """The key holder's application; it works in the holder's home.

    ``source`` is where it asks its peers for votes: over HTTP by default, or wherever peers are
    mounted in this process.
    """
    return app_of(Station(holder, clock=clock, source=source))


def app_of(station: Station) -> FastAPI:
    """The application of a station."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # Peers may start at the same time and ask back; nobody waits for them here.
        ended = threading.Event()
        threading.Thread(target=_ask_peers, args=(station, ended), daemon=True).start()
        yield
        ended.set()

    holder = station.holder
    app = FastAPI(title=f"fedcart key holder {holder.number}", openapi_url=None, lifespan=lifespan)

    @app.get("/v1/healthz")
    def healthz() -> dict[str, Any]:
        return {"ready": True, "holder": holder.number}

    @app.get("/v1/card")
    def card() -> Response:
        return Response(holder.card.to_bytes(), media_type=MEDIA_TYPE)

    @app.get("/v1/votes/{number}")
    def latest_vote(number: int) -> Response:
        try:
            record = station.latest_vote(number)
        except FedcartError as error:
            return _problem(_status(error), type(error).__name__, str(error))
        if record is None:
            return _problem(404, "NotFound", "No vote of this key holder was seen here.")
        return Response(record, media_type=_RECORD_TYPE)

    for path, step, media_type, limit in (
        ("/v1/round-keys", _round_keys(station), _RECORD_TYPE, MAX_RECORD_BYTES),
        ("/v1/accept", _accept(station), _RECORD_TYPE, MAX_RECORD_BYTES),
        ("/v1/entry", _entry(station), MEDIA_TYPE, MAX_RECORD_BYTES),
        ("/v1/ingest", _ingest(station), _RECORD_TYPE, _MAX_INGEST),
        ("/v1/vote", _vote(station), _RECORD_TYPE, _MAX_BODY),
        ("/v1/release", _release(station), MEDIA_TYPE, MAX_RECORD_BYTES),
        ("/v1/open", _open(station), MEDIA_TYPE, _MAX_BODY),
    ):
        app.add_api_route(path, _route(step, media_type, limit), methods=["POST"])
    app.add_exception_handler(HTTPException, _unknown)
    app.add_exception_handler(RequestValidationError, _unknown)
    return app


async def _unknown(_request: Request, error: Exception) -> Response:
    """What the framework itself refuses: no such path or method, or a number that is none."""
    if not isinstance(error, HTTPException):
        return _problem(422, "InvalidInputError", "The path or its parameters are not of this API.")
    found = _problem(error.status_code, str(error.detail), "This API has no such path or method.")
    found.headers.update(error.headers or {})
    return found


def _ask_peers(station: Station, ended: threading.Event) -> None:
    """Ask until peers have started too; whoever runs this is told only if they stay away."""
    reason: str | None = None
    for _ in range(_FIRST_TRIES):
        try:
            reason = station.check_peers()
        except Exception as error:  # these are only first tries: the first vote asks again
            reason = type(error).__name__
        if reason is None or ended.wait(_TRY_AGAIN_S):
            return
    _logger.warning("not voting yet: %s", reason)


def _round_keys(station: Station) -> Step:
    return lambda body: station.round_key(SignedRecord.from_bytes(body))


def _accept(station: Station) -> Step:
    return lambda body: station.accept(SignedRecord.from_bytes(body))


def _entry(station: Station) -> Step:
    """Frames: context, the three round keys, the three accepts."""

    def step(body: bytes) -> bytes:
        frames = unpack_frames(body, count=1 + 2 * HOLDERS, max_frame=MAX_RECORD_BYTES)
        return station.entry(*parse_request(frames))

    return step


def _ingest(station: Station) -> Step:
    return lambda body: station.ingest(Batch.from_bytes(body))


def _vote(station: Station) -> Step:
    """Frames: context, the consent service's list, the coordinator's list."""

    def step(body: bytes) -> bytes:
        context, commit, proposal = unpack_frames(body, count=3, max_frame=MAX_RECORD_BYTES)
        return station.vote(
            parse_context(context),
            SignedRecord.from_bytes(commit),
            SignedRecord.from_bytes(proposal),
        )

    return step


def _release(station: Station) -> Step:
    """Frames: the three votes, in the key holders' order."""

    def step(body: bytes) -> bytes:
        frames = unpack_frames(body, count=HOLDERS, max_frame=MAX_RECORD_BYTES)
        return station.release([SignedRecord.from_bytes(frame) for frame in frames])

    return step


def _open(station: Station) -> Step:
    return lambda body: station.open_sum(OpenRequest.from_bytes(body))


def _route(step: Step, media_type: str, limit: int) -> Callable[[Request], Any]:
    async def route(request: Request) -> Response:
        try:
            body = await _read(request, limit)
            return Response(await run_in_threadpool(step, body), media_type=media_type)
        except FedcartError as error:
            return _problem(_status(error), type(error).__name__, str(error))
        except Exception as error:  # the last line: nothing of it leaves
            _logger.error("%s failed: %s", request.url.path, type(error).__name__)  # noqa: TRY400
            return _problem(500, "InternalError", "This key holder could not do that.")

    return route


def _status(error: FedcartError) -> int:
    if isinstance(error, WireError):
        return 400
    return 409 if isinstance(error, RoundError | BudgetError) else 422


def _problem(status: int, title: str, detail: str) -> JSONResponse:
    return JSONResponse(
        {"title": title, "status": status, "detail": detail},
        status_code=status,
        media_type=_PROBLEM_TYPE,
    )


async def _read(request: Request, limit: int) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise WireError(f"A request has at most {limit} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)
