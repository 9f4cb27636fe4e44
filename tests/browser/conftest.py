"""A real Chromium in front of a real server; both are started once for all browser tests."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import geteuid
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from tests.browser.seeding import Seeded, seed
from tests.unit.consent.harness import Stage

INSTALL = "sudo apt-get install chromium"


@dataclass(frozen=True)
class Site:
    """A panel that listens, and who can be signed in to it."""

    url: str
    seeded: Seeded
    stage: Stage


@contextmanager
def serving(home: Path) -> Iterator[Site]:
    """A seeded panel on a free port of this machine."""
    stage, seeded = seed(home)
    config = uvicorn.Config(stage.app, host="127.0.0.1", port=0, ws="none", log_level="warning")
    server = Announcing(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert server.listens.wait(30), "The panel did not start to listen within 30 s."
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Site(f"http://localhost:{port}", seeded, stage)
    finally:
        server.should_exit = True
        thread.join()
        stage.close()


@contextmanager
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Debian's browser, which the tests look at pages with."""
    found = shutil.which("chromium")
    if found is None:
        pytest.fail(f"The browser tests need Chromium. Type: {INSTALL}", pytrace=False)
    arguments = ["--no-sandbox"] if geteuid() == 0 else []
    made = playwright.chromium.launch(executable_path=found, args=arguments)
    yield made
    made.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("panel")) as made:
        yield made


class Announcing(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.listens.set()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, chromium(playwright) as made:
        yield made


@dataclass
class Visits:
    """Browser contexts, made once for each kind of visitor and closed at the end.

    ``foreign`` and ``complaints`` collect what no page may do: a request to another origin, an
    error on the console, a script that fails.
    """

    browser: Browser
    site: Site
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _open: dict[tuple[Any, ...], BrowserContext] = field(default_factory=dict)

    def context(
        self,
        who: str | None,
        *,
        language: str = "en",
        scripts: bool = True,
        dark: bool = False,
        width: int = 1280,
    ) -> BrowserContext:
        kind = (who, language, scripts, dark, width)
        if kind not in self._open:
            self._open[kind] = self._made(*kind)
        return self._open[kind]

    def _made(
        self, who: str | None, language: str, scripts: bool, dark: bool, width: int
    ) -> BrowserContext:
        made = self.browser.new_context(
            base_url=self.site.url,
            java_script_enabled=scripts,
            color_scheme="dark" if dark else "light",
            viewport={"width": width, "height": 900},
            locale="en-GB",
            reduced_motion="reduce",
        )
        cookies = {"fedcart_language": language}
        if who is not None:
            cookies["fedcart_session"] = self.site.seeded.tokens[who]
        made.add_cookies(
            [
                {"name": name, "value": value, "url": self.site.url}
                for name, value in cookies.items()
            ]
        )
        made.on("request", self._requested)
        made.on("console", lambda said: self._said(said.type, said.text))
        made.on("weberror", lambda failed: self.complaints.append(str(failed.error)))
        made.set_default_timeout(15_000)
        return made

    def _requested(self, request: Any) -> None:
        if not request.url.startswith((f"{self.site.url}/", "data:")):
            self.foreign.append(request.url)

    def _said(self, kind: str, text: str) -> None:
        # Chromium itself reports a page of an error as a failure to load it.
        if kind in ("error", "warning") and "Failed to load resource" not in text:
            self.complaints.append(text)

    def close(self) -> None:
        for context in self._open.values():
            context.close()


@pytest.fixture(scope="session")
def visits(browser: Browser, site: Site) -> Iterator[Visits]:
    made = Visits(browser, site)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def well_behaved(visits: Visits) -> Iterator[None]:
    """No page of any test loads from elsewhere, breaks the policy or fails in a script."""
    yield
    foreign, complaints = visits.foreign[:], visits.complaints[:]
    visits.foreign.clear()
    visits.complaints.clear()
    assert not foreign
    assert not complaints


@pytest.fixture
def page(visits: Visits) -> Iterator[Page]:
    """A signed-out page in English."""
    made = visits.context(None).new_page()
    yield made
    made.close()
