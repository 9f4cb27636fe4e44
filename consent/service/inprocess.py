"""The service without a socket: an httpx transport that calls the application in this process.

For simulations and tests: the same application, the same checks, no network.
"""

from contextlib import ExitStack
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI


class InProcessTransport(httpx.BaseTransport):
    """Hands requests to an ASGI application, whose event loop runs in a thread of its own.

    May be used from several threads. ``close`` (which closing its client calls) ends the thread
    and the application's lifespan. Without ``lifespan`` its jobs are not run and it stays open, for
    a server that serves it afterwards.
    """

    def __init__(self, app: FastAPI, *, lifespan: bool = True) -> None:
        self._inner = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._stack = ExitStack()
        self._portal: BlockingPortal = self._stack.enter_context(start_blocking_portal())
        if lifespan:
            whole: Any = app.router.lifespan_context(app)
            self._stack.enter_context(self._portal.wrap_async_context_manager(whole))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Serve one request."""
        return self._portal.call(self._serve, request)

    async def _serve(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        return httpx.Response(
            answer.status_code, headers=answer.headers, content=await answer.aread()
        )

    def close(self) -> None:
        """End the application's lifespan and its thread."""
        self._stack.close()
