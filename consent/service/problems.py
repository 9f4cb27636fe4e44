"""Errors as RFC 9457 problem details.

Bodies never repeat what the caller sent, so a token or an id can't leak through a message.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from consent.notice import OutdatedNoticeError
from consent.rights.request import RequestError
from consent.service.database import DatabaseBusyError, DatabaseLostError
from consent.standing import TransitionError
from crypto.errors import InvalidInputError

MEDIA_TYPE: Final = "application/problem+json"


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """An answer other than success: an HTTP status and a sentence for the caller.

    ``kind`` is the problem's type, a URI, where callers must tell it from others of its status.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str = "about:blank",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.kind = kind
        self.headers = headers


class ProblemDetails(BaseModel):
    """RFC 9457 problem details."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[str] | None = None


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem answers of an endpoint, for the OpenAPI document."""
    return {
        status: {
            "model": ProblemDetails,
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {}},
        }
        for status in statuses
    }


def problem_response(
    status: int,
    detail: str,
    *,
    errors: list[str] | None = None,
    kind: str = "about:blank",
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """One problem as a response; a 401 names the scheme to use."""
    body = ProblemDetails(
        type=kind, title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors
    )
    scheme = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    return JSONResponse(
        body.model_dump(exclude_none=True),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={**scheme, **(headers or {})},
    )


def add_handlers(app: FastAPI) -> None:
    """Answer every error as problem details."""

    @app.exception_handler(Problem)
    async def _problem(_request: Request, error: Problem) -> JSONResponse:
        return problem_response(error.status, error.detail, kind=error.kind, headers=error.headers)

    @app.exception_handler(OutdatedNoticeError)
    @app.exception_handler(TransitionError)
    @app.exception_handler(RequestError)
    async def _transition(_request: Request, error: Exception) -> JSONResponse:
        return problem_response(409, str(error))

    @app.exception_handler(InvalidInputError)
    async def _invalid(_request: Request, error: InvalidInputError) -> JSONResponse:
        return problem_response(422, str(error))

    @app.exception_handler(DatabaseBusyError)
    @app.exception_handler(DatabaseLostError)
    async def _busy(_request: Request, error: Exception) -> JSONResponse:
        return problem_response(503, str(error))

    @app.exception_handler(RequestValidationError)
    async def _validation(_request: Request, error: RequestValidationError) -> JSONResponse:
        return problem_response(
            422, "The request is not of the documented form.", errors=_places(error.errors())
        )

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> JSONResponse:
        return problem_response(error.status_code, str(error.detail))

    @app.exception_handler(Exception)
    async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
        return problem_response(500, "The service failed; nothing was changed.")


def _places(errors: Sequence[Any]) -> list[str]:
    return [_place(error) for error in errors[:20]]


def _place(error: Any) -> str:
    unknown = error["type"] == "extra_forbidden"  # its last part is the caller's own word
    parts = error["loc"][:-1] if unknown else error["loc"]
    return f"{'.'.join(str(part) for part in parts)}: {error['msg']}"
