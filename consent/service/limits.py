"""Bounds on requests and headers on answers, for every endpoint alike."""

from typing import Final

from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consent.service.peer import peer
from consent.service.problems import Problem, problem_response
from consent.service.quotas import Kind
from consent.service.rates import room_in, too_many
from consent.service.settings import Settings
from consent.service.tokens import token_matches

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
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, self._bounded(scope, receive), send_with_headers)

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        declared = Headers(scope=scope).get("content-length", "")
        too_long = HTTPException(413, f"A request body has at most {self._max} bytes.")
        received = 0

        async def bounded() -> Message:
            nonlocal received
            if declared.isdecimal() and int(declared) > self._max:
                raise too_long
            message = await receive()
            # Counted whatever was declared: of a chunked body that is not what comes.
            received += len(message.get("body", b""))
            if received > self._max:
                raise too_long
            return message

        return bounded


class PeerQuota:
    """Refuse what exceeds one address's quota of requests with 429.

    Counted in this process's memory: it keeps one caller from crowding out the others, and is no
    substitute for the counts that guard single steps. The coordinator is not counted: it asks for
    a whole federation from one address, and has shown its token.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._quota = settings.quotas.of(Kind.PEER)
        self._storage = MemoryStorage()
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, if its caller has quota left."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        answer = problem_response(
            refusal.status, refusal.detail, kind=refusal.kind, headers=refusal.headers
        )
        await answer(scope, receive, send)

    def _refusal(self, scope: Scope) -> Problem | None:
        if self._quota is None or self._is_coordinator(scope):
            return None
        caller = peer(scope, trusted_proxies=self._settings.trusted_proxies)
        if self._limiter.hit(self._quota, caller):
            return None
        key = self._quota.key_for(caller)
        window = self._storage.get_sliding_window(key, self._quota.get_expiry())
        return too_many(room_in(self._quota, window, 1))

    def _is_coordinator(self, scope: Scope) -> bool:
        scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        expected = self._settings.coordinator_token_hash
        return scheme.lower() == "bearer" and token_matches(token.strip(), expected)
