"""The consent service's errors as responses of problem details (``consent.problem``)."""

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from consent.notice import OutdatedNoticeError
from consent.problem import (
    MEDIA_TYPE,
    NO_KIND,
    Problem,
    ProblemDetails,
    answers,
    headers_of,
    places,
)
from consent.rights.request import RequestError
from consent.service.database import DatabaseBusyError, DatabaseLostError
from consent.standing import TransitionError
from crypto.errors import InvalidInputError

# What endpoints raise and announce stands beside how it is answered.
__all__ = ["MEDIA_TYPE", "Problem", "add_handlers", "answers", "problem_response"]


def problem_response(
    status: int,
    detail: str,
    *,
    errors: list[str] | None = None,
    kind: str = NO_KIND,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """One problem as a response; a 401 names the scheme to use."""
    return JSONResponse(
        ProblemDetails.of(status, detail, kind=kind, errors=errors).to_json(),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={**headers_of(status), **(headers or {})},
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
            422, "The request is not of the documented form.", errors=places(error.errors())
        )

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> JSONResponse:
        return problem_response(error.status_code, str(error.detail))

    @app.exception_handler(Exception)
    async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
        return problem_response(500, "The service failed; nothing was changed.")
