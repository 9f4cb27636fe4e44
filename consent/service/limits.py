"""Bounds on requests and headers on answers, for every endpoint alike."""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Limits:
    """Refuse bodies over a size with 413, and keep answers out of caches."""

    def __init__(self, app: ASGIApp, *, max_body_bytes: int) -> None:
        self._app = app
        self._max = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request within the bounds."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, self._bounded(scope, receive), send_with_headers)

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        declared = Headers(scope=scope).get("content-length", "")
        size = int(declared) if declared.isdecimal() else 0

        async def bounded() -> Message:
            nonlocal size
            if size > self._max:
                raise HTTPException(413, f"A request body has at most {self._max} bytes.")
            message = await receive()
            received = len(message.get("body", b""))
            if not declared and (size := size + received) > self._max:
                raise HTTPException(413, f"A request body has at most {self._max} bytes.")
            return message

        return bounded
