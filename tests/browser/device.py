"""A device's page that listens, and the browsers before it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page

from client.own_data import own_lines
from tests.browser.conftest import Announcing
from tests.browser.device_seeding import SeededDevice, seeded_device


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


@contextmanager
def serving_device(folder: Path, browser: Browser) -> Iterator[Served]:
    """A seeded device's page on a free port of this machine."""
    with seeded_device(folder) as device:
        config = uvicorn.Config(
            device.app, host="127.0.0.1", port=0, ws="none", log_level="warning"
        )
        server = Announcing(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            assert server.listens.wait(30), "The page did not start to listen within 30 s."
            port = server.servers[0].sockets[0].getsockname()[1]
            made = Served(f"http://127.0.0.1:{port}", device, browser)
            yield made
            made.close()
        finally:
            server.should_exit = True
            thread.join()
