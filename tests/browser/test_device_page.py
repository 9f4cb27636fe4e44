"""A device's own page in a real Chromium: with and without scripts, in both languages."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect

from client.own_data import own_lines
from tests.browser.conftest import Announcing
from tests.browser.device_seeding import SeededDevice, seeded_device
from tests.browser.test_every_page import LANDMARKS, TARGETS, UNFOLD, check, serious

PAGES = (
    "/",
    "/why?item=granola",
    "/why?item=whole%20milk",
    "/left",
    "/data",
    "/data?item=milk",
    "/data?item=nothing-like-it",
    "/data/line?item=oat%20drink&day={day}",
    "/forget",
    "/no-such-page",
)


@dataclass
class Served:
    """A page that listens, and the browsers before it; what no page may do is collected."""

    url: str
    device: SeededDevice
    browser: Browser
    complaints: list[str] = field(default_factory=list)
    _open: dict[tuple[Any, ...], BrowserContext] = field(default_factory=dict)

    @property
    def day(self) -> str:
        """A day on which she bought an oat drink."""
        newest = own_lines(self.device.home, named="oat drink")[0]
        return f"{datetime.fromtimestamp(newest.day, UTC):%Y-%m-%d}"

    def context(
        self, *, language: str = "en", scripts: bool = True, width: int = 1280, dark: bool = False
    ) -> BrowserContext:
        kind = (language, scripts, width, dark)
        if kind not in self._open:
            self._open[kind] = self._made(*kind)
        return self._open[kind]

    def _made(self, language: str, scripts: bool, width: int, dark: bool) -> BrowserContext:
        made = self.browser.new_context(
            base_url=self.url,
            java_script_enabled=scripts,
            color_scheme="dark" if dark else "light",
            viewport={"width": width, "height": 900},
            locale="zh-CN" if language == "zh" else "en-GB",
            reduced_motion="reduce",
        )
        made.on("request", self._requested)
        made.on("console", lambda said: self._said(said.type, said.text))
        made.on("weberror", lambda failed: self.complaints.append(str(failed.error)))
        made.set_default_timeout(15_000)
        page = made.new_page()
        page.goto(f"/open?key={self.device.app.state.desk.session.key}")
        page.close()
        return made

    def shown(self, path: str, **how: Any) -> Page:
        page = self.context(**how).new_page()
        page.goto(path.format(day=self.day))
        return page

    def _requested(self, request: Any) -> None:
        if not request.url.startswith(f"{self.url}/"):
            self.complaints.append(request.url)

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and "Failed to load resource" not in text:
            self.complaints.append(text)

    def close(self) -> None:
        for context in self._open.values():
            context.close()


@pytest.fixture(scope="module")
def served(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with seeded_device(tmp_path_factory.mktemp("device")) as device:
        config = uvicorn.Config(
            device.app, host="127.0.0.1", port=0, ws="none", log_level="warning"
        )
        server = Announcing(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        assert server.listens.wait(30), "The page did not start to listen within 30 s."
        port = server.servers[0].sockets[0].getsockname()[1]
        made = Served(f"http://127.0.0.1:{port}", device, browser)
        yield made
        made.close()
        server.should_exit = True
        thread.join()


@pytest.fixture(autouse=True)
def quiet(served: Served) -> Iterator[None]:
    yield
    found = served.complaints[:]
    served.complaints.clear()
    assert not found


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_in_order(served: Served, path: str, language: str) -> None:
    page = served.shown(path, language=language)
    landmarks = page.evaluate(LANDMARKS)
    page.evaluate(UNFOLD)
    targets = page.evaluate(TARGETS)
    light = serious(page)
    page.emulate_media(color_scheme="dark")
    dark = serious(page, rules=["color-contrast", "link-in-text-block"])
    page.set_viewport_size({"width": 320, "height": 800})
    width = page.evaluate("document.documentElement.scrollWidth")
    narrow_targets = page.evaluate(TARGETS)
    page.close()
    check(landmarks, language)
    assert not light
    assert not dark
    assert width <= 320
    assert not targets
    assert not narrow_targets


@pytest.mark.parametrize("scripts", [True, False])
def test_a_reason_unfolds_and_leads_to_what_if(served: Served, scripts: bool) -> None:
    page = served.shown("/", scripts=scripts)
    first = page.locator("ol.shelf > li").first
    details = first.locator("details")
    expect(details.locator("table")).to_be_hidden()
    details.locator("summary").click()
    expect(details.locator("table")).to_be_visible()
    details.get_by_role("link").click()
    expect(page.locator("main")).to_contain_text("Without your own purchases of it")
    page.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_line_is_corrected_and_deleted_without_scripts_too(served: Served, scripts: bool) -> None:
    page = served.shown("/data?item=onions", scripts=scripts)
    rows = page.locator("table.rows tbody tr")
    before = rows.count()
    rows.first.get_by_role("link").click()
    page.get_by_label("Quantity").fill("4")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#flash")).to_contain_text("The line was corrected.")
    expect(rows.first).to_contain_text("4")
    rows.first.get_by_role("link").click()
    page.get_by_role("button", name="Delete this line").click()
    expect(page.locator("#flash")).to_contain_text("Deleted for good.")
    page.goto("/data?item=onions")
    expect(rows).to_have_count(before - 1)
    page.close()


def test_the_list_is_read_with_the_keyboard_alone(served: Served) -> None:
    page = served.shown("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')").startswith("/why?item=")
    page.keyboard.press("Enter")
    page.wait_for_url("**/why?item=*")
    page.close()


def test_the_language_is_switched_in_place(served: Served) -> None:
    page = served.shown("/left", width=900)
    page.get_by_role("button", name="中文").click()
    expect(page.locator("h1")).to_have_text("离开的与留下的")
    assert page.url.endswith("/left")
    page.get_by_role("button", name="English").click()
    expect(page.locator("h1")).to_have_text("What left, what stayed")
    page.close()


def test_a_copy_is_downloaded(served: Served) -> None:
    page = served.shown("/data")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download my copy").click()
    assert download.value.suggested_filename.startswith("my-data-")
    page.close()


def test_a_browser_that_was_not_let_in_sees_nothing(served: Served) -> None:
    context = served.browser.new_context(base_url=served.url)
    page = context.new_page()
    for path in PAGES[:-1]:
        answer = page.goto(path.format(day=served.day))
        assert answer is not None
        assert answer.status == 403
    expect(page.locator("main")).not_to_contain_text("milk")
    context.close()


def test_dark_is_dark(served: Served) -> None:
    colours = []
    for dark in (False, True):
        page = served.shown("/", dark=dark)
        read = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
        colours.append(sum(page.evaluate(read)))
        page.close()
    assert colours[0] > 600
    assert colours[1] < 120
