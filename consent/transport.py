"""One HTTP call to the consent service that fails closed.

No answer, a status other than success, or an answer of another form is a ``ConsentError``.
"""

from collections.abc import Iterator, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from consent.answers import Answer, Page
from crypto.errors import ConsentError, InvalidInputError

_AnswerT = TypeVar("_AnswerT", bound=Answer)
_PageT = TypeVar("_PageT", bound=Page)


class RefusalError(ConsentError):
    """The service answered, with a status other than success.

    Attributes:
        status: the HTTP status.
        kind: the problem's type, ``about:blank`` where it has none of its own.
    """

    def __init__(self, message: str, *, status: int, kind: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


def check_address(text: str) -> str:
    """A service's address as an operator enters it.

    Raises:
        InvalidInputError: not http:// or https:// with a host.
    """
    try:
        url = urlsplit(text)
    except ValueError:
        url = urlsplit("")
    if url.scheme not in ("http", "https") or not url.hostname:
        raise InvalidInputError(
            f"{text!r} is no address; expected one such as https://consent.example."
        )
    return text


def call(
    http: httpx.Client,
    method: str,
    path: str,
    form: type[_AnswerT],
    *,
    body: object = None,
    params: Mapping[str, str] | None = None,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> _AnswerT:
    """Send one request and parse its answer as ``form``.

    Raises:
        ConsentError: no answer, another status, or another form. After a failed change it is
            unknown whether the change was made.
    """
    content = send(http, method, path, body=body, params=params, token=token, headers=headers)
    try:
        return form.model_validate_json(content)
    except ValidationError as error:
        raise ConsentError(f"The consent service's answer to {path} is malformed.") from error


def pages(
    http: httpx.Client, path: str, form: type[_PageT], *, token: str, newest_first: bool = False
) -> Iterator[_PageT]:
    """Every page of a list, one request each.

    Raises:
        ConsentError: as ``call``, or the cursors don't go on in one direction.
    """
    cursor: int | None = None
    while True:
        params = None if cursor is None else {"cursor": str(cursor)}
        page = call(http, "GET", path, form, params=params, token=token)
        yield page
        if page.next is None:
            return
        onwards = cursor is None or (page.next < cursor if newest_first else page.next > cursor)
        if not onwards:
            raise ConsentError("The consent service's pages do not end.")
        cursor = page.next


def send(
    http: httpx.Client,
    method: str,
    path: str,
    *,
    body: object = None,
    params: Mapping[str, str] | None = None,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Send one request; the bytes of its answer.

    Raises:
        ConsentError: no answer, or another status than success.
    """
    bearer = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        response = http.request(
            method, path, json=body, params=params, headers={**bearer, **(headers or {})}
        )
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, RuntimeError) as error:
        # ValueError: text that no header or body can carry; RuntimeError: a closed client.
        raise ConsentError(f"The consent service can't be reached for {path}.") from error
    if not response.is_success:
        raise RefusalError(
            f"The consent service answered {response.status_code} to {path}{_detail(response)}",
            status=response.status_code,
            kind=_kind(response),
        )
    return response.content


def _kind(response: httpx.Response) -> str:
    try:
        return str(response.json()["type"])
    except (ValueError, KeyError, TypeError):
        return "about:blank"


def _detail(response: httpx.Response) -> str:
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return "."
    return f": {str(detail)[:200]}"
