"""Security headers of pages, and how long browsers keep what."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Everything from this origin alone: no inline script or style, no frame, no plug-in, no eval.
POLICY: Final = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)
PAGE_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    # Forms need it: under no-referrer a browser hides the origin of a form.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "X-Frame-Options": "DENY",
    "Vary": "Cookie, Accept-Language, Sec-GPC",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


class PageHeaders:
    """Security headers on every page, the policy on everything else, and caching of static files.

    Static files are kept by their version. A page that brought its own policy keeps it: a
    receipt's is stricter.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request with these headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        versioned = scope["path"].startswith("/static/") and b"v=" in scope["query_string"]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    for name, value in PAGE_HEADERS.items():
                        if name == "Referrer-Policy" or name not in headers:
                            headers[name] = value
                elif scope["path"].startswith("/static/") and message["status"] in (200, 304):
                    headers["Cache-Control"] = _FOR_EVER if versioned else "no-cache"
                headers.setdefault("Content-Security-Policy", POLICY)
            await send(message)

        await self._app(scope, receive, send_with_headers)
