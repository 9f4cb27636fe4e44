"""Who may come in, and what no answer goes without."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
from fastapi import Response
from fastapi.routing import APIRoute
from starlette.types import Message, Receive, Scope, Send

from client.page.app import PAGES as ROUTERS
from client.page.bounds import Bounds
from client.page.door import Session
from client.page.headers import HEADERS
from client.page.render import NAVIGATION
from tests.unit.client.page.conftest import App, Browser

PAGES = [path for path, _ in NAVIGATION]


@pytest.mark.parametrize("path", [*PAGES, "/why?item=milk", "/data/line?item=milk&day=2024-03-01"])
def test_without_the_cookie_nothing_is_shown(closed: Browser, path: str) -> None:
    answer = closed.get(path)
    assert answer.status_code == 403
    assert "milk" not in answer.text.replace(path, "")
    assert "fedcart device serve" in answer.text


def test_an_opening_address_works_once(closed: Browser) -> None:
    key = closed.key
    first = closed.get(f"/open?key={key}")
    assert (first.status_code, first.headers["location"]) == (303, "/")
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert key not in cookie
    assert closed.get("/").status_code == 200
    closed.http.cookies.clear()
    assert closed.get(f"/open?key={key}").status_code == 403
    assert closed.announced == [closed.key]
    assert closed.get(f"/open?key={closed.key}").status_code == 303


@pytest.mark.parametrize("key", ["", "x", "é", "a" * 9000])
def test_a_wrong_key_opens_nothing(closed: Browser, key: str) -> None:
    assert closed.get("/open").status_code == 403
    assert closed.http.get("/open", params={"key": key}).status_code == 403
    assert closed.announced == []


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8650",
        "127.0.0.1",
        "127.0.0.1:8651",
        "localhost.evil.example:8650",
        "127.0.0.1.evil.example:8650",
        "user@127.0.0.1:8650",
        "[::2]:8650",
        "127.0.0.1:x",
        "",
    ],
)
def test_another_host_is_refused(browser: Browser, host: str) -> None:
    """A name of somebody else's that resolves to this machine: DNS rebinding."""
    for path in ("/", "/data", "/api/v1/stayed", "/static/device.css", "/open?key=x"):
        answer = browser.get(path, host=host)
        assert answer.status_code == 421, path
        assert "milk" not in answer.text


@pytest.mark.parametrize("host", ["localhost:8650", "127.0.0.1:8650", "[::1]:8650"])
def test_this_machine_has_three_names(browser: Browser, host: str) -> None:
    assert browser.get("/left", host=host).status_code == 200


FOREIGN = [
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},
    {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"},
    {"origin": "http://evil.example"},
    {"origin": "http://127.0.0.1:9999"},
    {"origin": "null"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_form_from_elsewhere_changes_nothing(browser: Browser, headers: dict[str, str]) -> None:
    fields = {"item": "milk", "day": "2024-03-01", "what": "line"}
    assert browser.post("/data/delete", fields, **headers).status_code == 403
    assert browser.get("/data/line?item=milk&day=2024-03-01").status_code == 200


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_script_from_elsewhere_reads_nothing(till: App, headers: dict[str, str]) -> None:
    navigates = headers.get("sec_fetch_mode") == "navigate"  # a page of its own, out of reach
    assert till.get("/stayed", **headers).status_code == (200 if navigates else 403)


def test_every_form_needs_its_token(browser: Browser) -> None:
    posts = [
        route.path
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and "POST" in (route.methods or ())
    ]
    assert len(posts) >= 5
    for path in posts:
        for fields in ({}, {"csrf": "0" * 64}, {"csrf": "é"}):
            answer = browser.send(path, {"sure": "yes", **fields})
            assert answer.status_code == 403, path


def test_a_form_is_bounded(browser: Browser) -> None:
    assert browser.post("/forget", {"x": "y" * 9000}).status_code == 413
    assert browser.post("/forget", {f"x{n}": "" for n in range(40)}).status_code == 422
    assert browser.post("/forget", {"x": "a\x00b"}).status_code == 422
    assert browser.http.post("/forget", json={}).status_code == 415


@pytest.mark.parametrize(
    "path", [*PAGES, "/no-such", "/static/device.css", "/api/v1/left", "/open"]
)
def test_every_answer_has_the_headers(browser: Browser, path: str) -> None:
    found = browser.get(path).headers
    for name, value in HEADERS.items():
        if name == "Cache-Control" and path.startswith("/static"):
            continue
        assert found[name] == value
    assert "default-src 'none'" in found["Content-Security-Policy"]
    assert "access-control-allow-origin" not in found


def test_pages_load_nothing_but_their_own_styles(browser: Browser) -> None:
    for path in PAGES:
        page = browser.text(path)
        assert "<script" not in page
        assert " style=" not in page
        loads = re.findall(r'<(?:link|img)[^>]*(?:href|src)="([^"]+)"', page)
        assert loads
        assert all(address.startswith("/static/") for address in loads)
        for address in loads:
            answer = browser.get(address)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("name", ["../app.py", "..%2fapp.py", "panel.css/..", "client.json", ""])
def test_only_static_files_are_static(browser: Browser, name: str) -> None:
    assert browser.get(f"/static/{name}").status_code == 404


def test_of_two_that_bring_one_key_one_is_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(one: bytes, other: bytes) -> bool:
        same = one == other
        time.sleep(0.01)  # the other looks meanwhile
        return same

    monkeypatch.setattr("client.page.door.hmac.compare_digest", slowly)
    announced: list[str] = []
    session = Session(announced.append)
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(session.take, [session.key] * 4))
    assert taken.count(True) == 1
    assert announced == [session.key]


def test_half_a_form_is_none() -> None:
    """A sender who breaks off has not asked for anything: what came of it is not served."""
    messages: list[Message] = [
        {"type": "http.request", "body": b"csrf=x&item=milk&what=it", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    async def never(*_: object) -> None:
        raise AssertionError("It was served.")

    bounds = Bounds(never, refuse=lambda _, status: Response(status_code=status))
    scope: Scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    anyio.run(bounds, scope, receive, never)
    assert messages == []


def test_a_session_shows_no_secret() -> None:
    session = Session(lambda _: None)
    assert session.cookie not in repr(session)
    assert session.key not in repr(session)


@pytest.mark.parametrize(("chunks", "status"), [(2, 200), (3, 413)])
def test_a_body_is_bounded_whatever_is_declared(chunks: int, status: int) -> None:
    """In chunks nothing is declared, so what comes is counted."""
    sent: list[Message] = []
    left = [b"x" * 6_000] * chunks

    async def receive() -> Message:
        return {"type": "http.request", "body": left.pop(), "more_body": bool(left)}

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        assert len(message["body"]) == 6_000 * chunks
        await Response(status_code=200)(scope, receive, send)

    bounds = Bounds(app, refuse=lambda _, status: Response(status_code=status))
    scope: Scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    anyio.run(bounds, scope, receive, send)
    assert sent[0]["status"] == status
