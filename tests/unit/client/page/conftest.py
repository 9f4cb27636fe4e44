"""A device's page in this process: a browser with cookies, and an app with a token."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from client.app_tokens import make_token
from client.home import ClientHome
from client.page.app import create_page
from consent.service.inprocess import InProcessTransport
from tests.unit.client.shop import Shop

ORIGIN = "http://127.0.0.1:8650"
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass
class Browser:
    """A browser that was let in, before the page of one device."""

    app: FastAPI
    shop: Shop
    announced: list[str]
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = connected(self.app)

    @property
    def key(self) -> str:
        return str(self.app.state.desk.session.key)

    def enter(self) -> "Browser":
        assert self.http.get(f"/open?key={self.key}").status_code == 303
        return self

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.http.get(path, headers=named(headers))

    def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        """Send a form with the token of a page that she was shown."""
        found = _CSRF.search(self.get("/left").text)
        assert found is not None
        return self.send(path, {"csrf": found[1], **fields}, **headers)

    def send(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        return self.http.post(path, data=fields, headers=named(headers))

    def text(self, path: str) -> str:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return " ".join(answer.text.split())


@dataclass
class App:
    """A till's program with a token and no cookie."""

    http: httpx.Client
    token: str

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.http.get(f"/api/v1{path}", headers={**self._bearer(), **named(headers)})

    def put(self, path: str, body: Any) -> httpx.Response:
        return self.http.put(f"/api/v1{path}", json=body, headers=self._bearer())

    def _bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


def connected(app: FastAPI) -> httpx.Client:
    return httpx.Client(transport=InProcessTransport(app), base_url=ORIGIN)


def named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def closed(ready: Shop) -> Iterator[Browser]:
    """A browser that was not let in yet."""
    announced: list[str] = []
    app = create_page(ready.home, ready.releases, announced.append)
    browser = Browser(app, ready, announced)
    yield browser
    browser.http.close()


@pytest.fixture
def browser(closed: Browser) -> Browser:
    return closed.enter()


@pytest.fixture
def till(closed: Browser) -> Iterator[App]:
    token = make_token(ClientHome.load(closed.shop.home), "till")
    with connected(closed.app) as http:
        yield App(http, token)
