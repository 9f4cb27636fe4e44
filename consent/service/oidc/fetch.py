"""Requests to identity providers: bounded in size and time, and only to where they were sent.

No redirect is followed, no proxy of the environment is used, nothing is decompressed, and a
provider that is not this machine itself is called over https alone.
"""

import time
from collections.abc import Iterator
from typing import Any, Final, cast

import httpx

from crypto.errors import ConsentError, InvalidInputError
from crypto.wire import parse_object

MAX_BYTES: Final = 256 * 1024
TIMEOUT_S: Final = 5.0
DEADLINE_S: Final = 10.0


class ProviderError(ConsentError):
    """An identity provider did not answer, or not as it should. Its own words are not repeated."""


class Bounded(httpx.BaseTransport):
    """Reads each answer whole, and no further than its bounds."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        request.headers["Accept-Encoding"] = "identity"
        began = time.monotonic()
        answer = self._inner.handle_request(request)
        try:
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise ProviderError("The identity provider's answer is compressed.")
            body = b"".join(_bounded(answer, until=began + DEADLINE_S))
        finally:
            answer.close()
        return httpx.Response(
            answer.status_code, headers=answer.headers, content=body, request=request
        )

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


def client(transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """A client with these bounds."""
    return httpx.Client(
        transport=Bounded(transport or httpx.HTTPTransport(retries=0)),
        timeout=TIMEOUT_S,
        follow_redirects=False,
        trust_env=False,
    )


def get_json(http: httpx.Client, url: str) -> dict[str, Any]:
    """The JSON object at a URL.

    Raises:
        ProviderError: no answer, another status than 200, too large, or no such object.
    """
    try:
        answer = http.get(url, headers={"Accept": "application/json"})
        if answer.status_code != httpx.codes.OK:
            raise ProviderError(f"The identity provider answered {answer.status_code}.")
        return parse_object(answer.content, what="the identity provider's answer")
    except (httpx.HTTPError, InvalidInputError) as error:
        raise ProviderError("The identity provider can't be reached or understood.") from error


def _bounded(answer: httpx.Response, *, until: float) -> Iterator[bytes]:
    size = 0
    for part in cast("httpx.SyncByteStream", answer.stream):
        size += len(part)
        if size > MAX_BYTES:
            raise ProviderError(f"The identity provider's answer has over {MAX_BYTES} bytes.")
        if time.monotonic() > until:
            raise ProviderError(f"The identity provider took over {DEADLINE_S} s.")
        yield part
