"""Public documents carry an ETag, and whoever has them gets 304."""

import hashlib
from typing import Final

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consent.service.etag import matches, tag
from consent.service.routes import Paths, operations

# The same for everybody, and read again and again: nobody's data is among them.
PUBLIC: Final = frozenset(
    {
        "/v1/keys",
        "/v1/notices",
        "/v1/notices/{version}",
        "/v1/policies",
        "/v1/policies/{task}",
        "/v1/incentive",
        "/.well-known/gpc.json",
    }
)


class Conditional:
    """Answers of the public documents carry a strong ETag: the hash of their bytes."""

    def __init__(self, app: ASGIApp, *, service_app: FastAPI) -> None:
        self._app = app
        self._paths = Paths(
            each for each in operations(service_app) if each.method == "GET" and each.path in PUBLIC
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; 304 without a body if the reader has it."""
        if not self._paths.has(scope):
            await self._app(scope, receive, send)
            return
        sent: list[Message] = []

        async def collect(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, collect)
        start, *rest = sent
        if start["status"] == 200:
            body = b"".join(message.get("body", b"") for message in rest)
            version = hashlib.sha256(body).hexdigest()[:32]
            headers = MutableHeaders(scope=start)
            headers["ETag"] = tag(version)
            headers["Cache-Control"] = "public, no-cache"
            if matches(Headers(scope=scope).get("if-none-match", ""), version):
                start["status"] = 304
                del headers["content-length"], headers["content-type"]
                rest = [{"type": "http.response.body", "body": b""}]
        for message in [start, *rest]:
            await send(message)
