"""A bound on the size of every request's body, whatever its sender declares."""

from collections.abc import Callable
from typing import Final

from fastapi import Request, Response
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BYTES: Final = 16 * 1024


class Bounds:
    """Refuse longer bodies with 413."""

    def __init__(self, app: ASGIApp, *, refuse: Callable[[Request, int], Response]) -> None:
        """``refuse`` makes the answer."""
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, if it is not too long."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await _read(scope, receive)
        except ClientDisconnect:
            return  # half a form is none, and nobody waits for an answer
        if body is None:
            await self._refuse(Request(scope), 413)(scope, receive, send)
        else:
            await self._app(scope, _replay(body), send)


async def _read(scope: Scope, receive: Receive) -> bytes | None:
    """The body; None where it is too long.

    Raises:
        ClientDisconnect: it broke off.
    """
    declared = Headers(scope=scope).get("content-length", "0")
    if not declared.isdecimal() or int(declared) > MAX_BYTES:
        return None
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        more = bool(message.get("more_body", False))
        if len(body) > MAX_BYTES:
            return None
    return bytes(body)


def _replay(body: bytes) -> Receive:
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
