"""Idempotency keys on every operation that creates something."""

import re
from functools import partial
from typing import Final

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consent.service.context import Context
from consent.service.database import BEFORE_COMMIT
from consent.service.idempotency import service
from consent.service.idempotency.service import Answer, Claim, Keyed
from consent.service.principals import identify
from consent.service.problems import Problem, problem_response
from consent.service.routes import Operation, Paths, operations

HEADER: Final = "Idempotency-Key"
PATTERN: Final = r"^[!-~]{16,255}$"
_KEPT_HEADERS: Final = ("content-type", "etag", "location")
_CREATED: Final = 201


def repeatable(app: FastAPI) -> list[Operation]:
    """The operations of the API that create something and take no key of their own."""
    return [
        each
        for each in operations(app)
        if each.listed
        and (each.method, each.status) == ("POST", _CREATED)
        and HEADER.lower() not in each.headers
    ]


class Once:
    """Execute what creates something once a key."""

    def __init__(self, app: ASGIApp, *, service_app: FastAPI, context: Context) -> None:
        self._app = app
        self._context = context
        self._paths = Paths(repeatable(service_app))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        key = Headers(scope=scope).get(HEADER) if self._paths.has(scope) else None
        if key is None:
            await self._app(scope, receive, send)
            return
        if not re.fullmatch(PATTERN, key):
            problem = Problem(422, f"An {HEADER} has 16 to 255 visible ASCII characters.")
            await _refuse(problem, scope, receive, send)
            return
        try:
            body = await _read(receive)
        except HTTPException as error:  # too long
            await _refuse(Problem(error.status_code, error.detail), scope, receive, send)
            return
        request = _keyed(scope, key, body)
        if not await run_in_threadpool(self._known, request.caller):
            await self._app(scope, _again(body, receive), send)  # it will refuse
            return
        try:
            made = await run_in_threadpool(service.claim, self._context, request)
        except Problem as problem:
            await _refuse(problem, scope, receive, send)
            return
        if isinstance(made, Answer):
            headers = {**made.headers, "Idempotency-Replayed": "true"}
            await Response(made.body, made.status, headers)(scope, receive, send)
            return
        await self._execute(request, made, scope, _again(body, receive), send)

    async def _execute(
        self, request: Keyed, claim: Claim, scope: Scope, receive: Receive, send: Send
    ) -> None:
        sent: list[Message] = []

        async def collect(message: Message) -> None:
            sent.append(message)

        mark = BEFORE_COMMIT.set(partial(service.mark_changed, claim))
        try:
            await self._app(scope, receive, collect)
        except BaseException:
            BEFORE_COMMIT.reset(mark)
            await run_in_threadpool(service.drop, self._context, claim, failed=True)
            raise
        BEFORE_COMMIT.reset(mark)
        status: int = sent[0]["status"]
        if status == _CREATED:
            await run_in_threadpool(service.keep, self._context, request, claim, _answer(sent))
        else:
            failed = status >= 500
            await run_in_threadpool(service.drop, self._context, claim, failed=failed)
        for message in sent:
            await send(message)

    def _known(self, caller: str) -> bool:
        """Whether a caller is who she was: an answer is not for a token that is dead since."""
        scheme, _, token = caller.partition(" ")
        if not caller or scheme.lower() != "bearer":
            return not caller
        with self._context.database.reading() as session:
            return identify(self._context, session, token.strip()) is not None


def _keyed(scope: Scope, key: str, body: bytes) -> Keyed:
    headers = Headers(scope=scope)
    route = f"{scope['method']} {scope['path']}"
    rest = f"{scope['query_string'].decode('latin-1')}\0{headers.get('content-type', '')}\0"
    return Keyed(
        caller=headers.get("authorization", ""),
        route=route,
        key=key,
        content=rest.encode() + body,
    )


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay


def _answer(sent: list[Message]) -> Answer:
    headers = Headers(raw=sent[0]["headers"])
    return Answer(
        status=sent[0]["status"],
        headers={name: headers[name] for name in _KEPT_HEADERS if name in headers},
        body=b"".join(message.get("body", b"") for message in sent[1:]),
    )


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    answer = problem_response(
        problem.status, problem.detail, kind=problem.kind, headers=problem.headers
    )
    await answer(scope, receive, send)
