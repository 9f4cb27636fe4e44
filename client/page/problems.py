"""Errors: a page for people, RFC 9457 problem details for apps.

Answers never repeat what the caller sent.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from client.page.door import API
from client.page.render import render
from consent.panel.language import mark
from consent.problem import MEDIA_TYPE, Problem, ProblemDetails, headers_of, places
from crypto.errors import ConsentError, InvalidInputError, WireError

_TITLES: Final[Mapping[int, str]] = {
    403: mark("This page is closed to you"),
    404: mark("There is no such page"),
    421: mark("This page is only here"),
    429: mark("Too many requests"),
    503: mark("Nothing is shown at present"),
}
_SENTENCES: Final[Mapping[int, str]] = {
    403: mark(
        "Open it with the address that fedcart device serve printed last; each works once. If a "
        "form was refused, open its page again and repeat it there. Nothing was changed."
    ),
    404: mark("Nothing was changed. Go back to the page before."),
    421: mark(
        "It answers on this machine under 127.0.0.1 or localhost and no other name. Use the "
        "address that fedcart device serve printed."
    ),
    429: mark("Nothing was changed. Wait a little, then try again."),
    503: mark(
        "Without the word of the consent service nothing is used and nothing was changed. Try "
        "again in a moment."
    ),
}
_OTHER: Final = (
    mark("This did not work"),
    mark("Nothing was changed. Go back, check what you entered and try again."),
)
_FAILED: Final = (
    mark("The page failed"),
    mark("Nothing was changed. Look at what fedcart device serve prints."),
)


def refusal(request: Request, status: int) -> Response:
    """The answer to what is not let in."""
    detail = {
        403: "Another site is behind this request, or it is not let in.",
        413: "A request has at most 16 KiB.",
        421: "This API answers on this machine under 127.0.0.1 or localhost only.",
    }.get(status, "This was refused.")
    return _answer(request, Problem(status, detail))


def add_handlers(app: FastAPI) -> None:
    """Answer every error in the form that its caller reads."""

    @app.exception_handler(Problem)
    def _problem(request: Request, error: Problem) -> Response:
        return _answer(request, error)

    @app.exception_handler(ConsentError)
    def _consent(request: Request, error: ConsentError) -> Response:
        return _answer(request, Problem(503, str(error)))

    @app.exception_handler(InvalidInputError)
    @app.exception_handler(WireError)
    def _invalid(request: Request, _error: Exception) -> Response:
        return _answer(request, Problem(422, "A value is out of its bounds; nothing was changed."))

    @app.exception_handler(RequestValidationError)
    def _validation(request: Request, error: RequestValidationError) -> Response:
        return _answer(
            request,
            Problem(422, "The request is not of the documented form."),
            errors=places(error.errors()),
        )

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        return _answer(request, Problem(error.status_code, str(error.detail)))

    @app.exception_handler(Exception)
    def _unexpected(request: Request, _error: Exception) -> Response:
        return _answer(request, Problem(500, "This failed; nothing was changed."))


def _answer(request: Request, problem: Problem, *, errors: list[str] | None = None) -> Response:
    if request.url.path.startswith(API):
        return _json(problem, errors)
    title, sentence = _said(problem.status)
    return render(request, "error.html", status=problem.status, title=title, sentence=sentence)


def _said(status: int) -> tuple[str, str]:
    if status in _TITLES:
        return _TITLES[status], _SENTENCES[status]
    return _FAILED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _OTHER


def _json(problem: Problem, errors: list[str] | None) -> JSONResponse:
    made = ProblemDetails.of(problem.status, problem.detail, kind=problem.kind, errors=errors)
    return JSONResponse(
        made.to_json(),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=headers_of(problem.status),
    )
