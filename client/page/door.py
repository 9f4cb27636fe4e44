"""Who may come in: this machine alone, by the address that was printed when the page was opened.

The page listens on loopback only, and that is not enough: any site that she visits can send her
browser there. So every request must name a loopback host and this very port (a name of somebody
else's that resolves to this machine is refused: DNS rebinding), must not come from another site,
and must carry either the cookie of this start (pages) or an app's token (the API).

The key in the opening address works once, since addresses stay in histories and command lines. The
next one is printed then.
"""

import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
OPEN: Final = "/open"
API: Final = "/api/"
# What holds nothing of hers: styles, and what the API looks like.
PUBLIC: Final = ("/static/", "/api/v1/openapi.json")
_DEFAULT_PORT: Final = 80
_SAFE: Final = frozenset({"GET", "HEAD"})


@dataclass
class Session:
    """One start of the page: its cookie, and the key of the next opening address."""

    announce: Callable[[str], None]
    cookie: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    key: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take(self, key: str) -> bool:
        """Whether this is the key of the opening address; it is spent then."""
        with self._lock:  # of two that come together one is let in
            if not hmac.compare_digest(key.encode("utf-8", "replace"), self.key.encode()):
                return False
            self.key = fresh = secrets.token_urlsafe(32)
        self.announce(fresh)
        return True

    def admits(self, cookie: str) -> bool:
        """Whether a cookie is this start's."""
        return hmac.compare_digest(cookie.encode("utf-8", "replace"), self.cookie.encode())

    def csrf(self) -> str:
        """The token that this start's forms carry."""
        return hmac.digest(self.cookie.encode(), b"form", "sha256").hex()


def cookie_name(request: Request) -> str:
    """The cookie's name: of this port, since browsers share cookies among all ports of a host."""
    return f"fedcart_device_{_port(request.scope)}"


def from_elsewhere(request: Request) -> bool:
    """Whether a browser says that another site is behind a request.

    Following a link from elsewhere is no harm by itself: without the cookie, which such a request
    does not carry, nothing is shown.
    """
    site = request.headers.get("sec-fetch-site")
    if site in ("same-origin", "none"):
        return False
    if site is not None:
        navigates = request.headers.get("sec-fetch-mode") == "navigate"
        return not (navigates and request.method in _SAFE)
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")


def is_own_host(request: Request) -> bool:
    """Whether the Host header names this machine and this port."""
    try:
        parts = urlsplit(f"//{request.headers.get('host', '')}")
        named = parts.hostname in LOOPBACK and (parts.port or _DEFAULT_PORT) == _port(request.scope)
    except ValueError:
        return False
    return named and "@" not in parts.netloc and not parts.path


class Door:
    """Refuse with 421 what names another host, and with 403 what is not let in."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        session: Session,
        refuse: Callable[[Request, int], Response],
    ) -> None:
        """``refuse`` makes the answer to a request that is not let in."""
        self._app = app
        self._session = session
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, if it may come in."""
        if scope["type"] == "http":
            request = Request(scope)
            status = self._status(request)
            if status is not None:
                await self._refuse(request, status)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _status(self, request: Request) -> int | None:
        if not is_own_host(request):
            return 421
        if from_elsewhere(request):
            return 403
        path = request.url.path
        if path.startswith((*PUBLIC, API)) or path == OPEN:
            return None  # the API asks for a token itself, the opening address for its key
        cookie = request.cookies.get(cookie_name(request), "")
        return None if self._session.admits(cookie) else 403


def _port(scope: Scope) -> int:
    server = scope.get("server")
    return int(server[1]) if server and server[1] else _DEFAULT_PORT
