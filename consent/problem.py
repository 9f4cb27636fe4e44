"""Errors as RFC 9457 problem details, said alike by the consent service and by a device's page.

Bodies never repeat what the caller sent, so a token or an id can't leak through a message. Nothing
here knows a web framework: whoever answers turns a problem into a response.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, Self

from pydantic import BaseModel

MEDIA_TYPE: Final = "application/problem+json"
NO_KIND: Final = "about:blank"
_MOST_PLACES: Final = 20


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """An answer other than success: an HTTP status and a sentence for the caller.

    ``kind`` is the problem's type, a URI, where callers must tell it from others of its status.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str = NO_KIND,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.kind = kind
        self.headers = headers


class ProblemDetails(BaseModel):
    """RFC 9457 problem details."""

    type: str = NO_KIND
    title: str
    status: int
    detail: str
    errors: list[str] | None = None

    @classmethod
    def of(
        cls, status: int, detail: str, *, kind: str = NO_KIND, errors: list[str] | None = None
    ) -> Self:
        """The details of one problem, titled by its status."""
        return cls(
            type=kind, title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors
        )

    def to_json(self) -> dict[str, Any]:
        """The body of an answer."""
        return self.model_dump(exclude_none=True)


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


def headers_of(status: int) -> dict[str, str]:
    """The headers that a status asks for: a 401 names the scheme to use."""
    return {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}


def places(errors: Sequence[Any]) -> list[str]:
    """Where a request is not of the documented form, from pydantic's errors; the first few."""
    return [_place(error) for error in errors[:_MOST_PLACES]]


def _place(error: Any) -> str:
    unknown = error["type"] == "extra_forbidden"  # its last part is the caller's own word
    parts = error["loc"][:-1] if unknown else error["loc"]
    return f"{'.'.join(str(part) for part in parts)}: {error['msg']}"
