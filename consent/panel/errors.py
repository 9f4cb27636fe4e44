"""Error pages: what went wrong in a sentence, for people; the API keeps problem details.

The service's own handlers decide status and headers; for a page their answer is turned into HTML.
"""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, cast

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consent.panel.headers import PAGE_HEADERS
from consent.panel.language import mark
from consent.panel.page import Refused, render, step_up
from consent.panel.visitor import Elsewhere, Visitor, visit
from consent.service.database import DatabaseBusyError, DatabaseLostError
from consent.service.principals import STEP_UP
from consent.service.problems import MEDIA_TYPE, Problem

Handler = Callable[[Request, Exception], Awaitable[Response]]
# Parts of the site that machines read.
_MACHINES: Final = ("/v1/", "/.well-known/", "/static/", "/metrics")

_TITLES: Final[Mapping[int, str]] = {
    400: mark("This request can't be read"),
    403: mark("This was not accepted"),
    404: mark("There is no such page"),
    405: mark("This page can't be used that way"),
    409: mark("Something changed in the meantime"),
    413: mark("That was too much to send"),
    415: mark("This request can't be read"),
    422: mark("Something in the form does not fit"),
    429: mark("Too many attempts"),
    503: mark("The service is busy"),
}
_SENTENCES: Final[Mapping[int, str]] = {
    400: mark("Nothing was changed. Go back and try again."),
    403: mark(
        "The form was not from a page that you were shown, or it was open for too long. Nothing "
        "was changed. Open the page again and repeat it there."
    ),
    404: mark("It does not exist, or it belongs to somebody else. Nothing was changed."),
    405: mark("Nothing was changed. Go back to the page before and use its buttons."),
    409: mark("Nothing was changed. Look at the page again: it shows how things stand now."),
    413: mark("Nothing was changed. Send less at once."),
    415: mark("Nothing was changed. Go back and try again."),
    422: mark("Nothing was changed. Go back, check what you entered and try again."),
    429: mark("Nothing was changed. Wait a little, then try again."),
    503: mark("Look whether your change is there; if it is not, try again in a moment."),
}
_FAILED: Final = (
    mark("The service failed"),
    mark("Nothing was changed. It is our fault; try again later."),
)


def add_pages_for_errors(app: FastAPI) -> None:
    """Answer errors of pages as pages, and those of the API as before."""
    for kind, handler in list(app.exception_handlers.items()):
        app.add_exception_handler(kind, _for_people(cast("Handler", handler)))

    @app.exception_handler(Elsewhere)
    async def _elsewhere(_request: Request, error: Elsewhere) -> Response:
        return RedirectResponse(error.path, status_code=303)


class PagesForRefusals:
    """Turn a refusal that came before any page was chosen, such as of too many requests, into one.

    Errors of pages themselves are pages already; the API's answers pass unchanged.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or _is_for_machines(scope["path"]):
            await self._app(scope, receive, send)
            return
        refusal: Response | None = None

        async def send_or_hold(message: Message) -> None:
            nonlocal refusal
            if message["type"] == "http.response.start":
                headers = Headers(raw=message["headers"])
                if headers.get("content-type") == MEDIA_TYPE:
                    refusal = Response(status_code=message["status"], headers=dict(headers))
            if refusal is None:
                await send(message)

        await self._app(scope, receive, send_or_hold)
        if refusal is not None:
            problem = Problem(refusal.status_code, "")
            page = await run_in_threadpool(_page, Request(scope), problem, refusal)
            await page(scope, receive, send)


def _is_for_machines(path: str) -> bool:
    return path == "/v1" or path.startswith(_MACHINES)


def _for_people(handler: Handler) -> Handler:
    async def handle(request: Request, error: Exception) -> Response:
        answer = await handler(request, error)
        if _is_for_machines(request.url.path):
            return answer
        if isinstance(error, Problem) and error.kind == STEP_UP:
            return step_up(request)
        if isinstance(error, RequestValidationError) and "path" in _where(error):
            answer.status_code = 404
        return await run_in_threadpool(_page, request, error, answer)

    return handle


def _page(request: Request, error: Exception, answer: Response) -> Response:
    status = answer.status_code
    visitor = _visitor(request, error)
    title, sentence = _said(status)
    said = str(error) if isinstance(error, Refused) else visitor.say(sentence)
    page = render(
        request, visitor, "error.html", status=status, title=visitor.say(title), sentence=said
    )
    # The page of an unexpected error is sent from outside of the middleware that sets these.
    page.headers.update({"Cache-Control": "no-store", **PAGE_HEADERS})
    for name in ("retry-after", "allow"):
        if name in answer.headers:
            page.headers[name] = answer.headers[name]
    return page


def _said(status: int) -> tuple[str, str]:
    if status in _TITLES:
        return _TITLES[status], _SENTENCES[status]
    return (
        _FAILED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else (_TITLES[400], _SENTENCES[400])
    )


def _visitor(request: Request, error: Exception) -> Visitor:
    """Who gets the page; a database that is away must not fail it once more."""
    if isinstance(error, DatabaseBusyError | DatabaseLostError):
        return visit(request, known=False)
    try:
        return visit(request)
    except Exception:
        return visit(request, known=False)


def _where(error: RequestValidationError) -> set[Any]:
    return {each["loc"][0] for each in error.errors() if each["loc"]}
