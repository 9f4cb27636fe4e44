"""Everything that a client sends over HTTP, kept so that tests can read it to the last byte."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from crypto.errors import WireError
from crypto.wire import unb64


@dataclass(frozen=True)
class Sent:
    """One request as it left: all that the other side could have read."""

    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def content(self) -> Any:
        """Its JSON body; None where there is none."""
        return json.loads(self.body) if self.body else None

    def readable(self) -> Iterator[bytes]:
        """Its bytes, and whatever is hidden in its JSON as base64, however deep."""
        yield self.target.encode()
        for name, value in self.headers:
            yield name + b": " + value
        yield from unwrapped(self.body)


def unwrapped(data: bytes) -> Iterator[bytes]:
    """Some bytes, and whatever is hidden in them if they are JSON: texts, and base64 in texts."""
    yield data
    try:
        value = json.loads(data)
    except ValueError:
        return
    for text in _texts(value):
        yield text.encode()
        try:
            inner = unb64(text, what="text")
        except WireError:
            continue
        yield from unwrapped(inner)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


class Recording(httpx.BaseTransport):
    """Passes every request on, and keeps it."""

    def __init__(self, inner: httpx.BaseTransport, sent: list[Sent]) -> None:
        self._inner = inner
        self._sent = sent

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        headers = tuple(request.headers.raw)
        target = request.url.raw_path.decode()
        self._sent.append(Sent(request.method, target, headers, body))
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()
