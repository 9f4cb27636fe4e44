"""The README's pictures of the panel: ``python -m tests.browser.screenshots docs/images``.

They show a panel with invented shoppers, in whatever Chromium and fonts this machine has.
"""

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import sync_playwright

from tests.browser.conftest import Site, Visits, chromium, serving
from tests.browser.device import serving_device


class Shot(NamedTuple):
    """One picture: who looks at which page, and how."""

    name: str
    path: str
    who: str | None = None
    language: str = "en"
    dark: bool = False
    width: int = 1120
    height: int | None = None


README = (
    Shot("panel-choices", "/choices", "regular", height=1000),
    Shot("panel-withdrawal", "/withdrawals/2", "leaver", height=1000),
    Shot("panel-phone-dark", "/diary", "regular", dark=True, width=400, height=860),
)

DEVICE = (Shot("device-page", "/", width=1200, height=960),)


def take_device(shots: Iterable[Shot], out: Path) -> None:
    """Take pictures of a device's own page; the first reason is unfolded."""
    out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        sync_playwright() as playwright,
        chromium(playwright) as browser,
        serving_device(Path(home), browser) as served,
    ):
        for shot in shots:
            page = served.shown(shot.path, language=shot.language, dark=shot.dark, width=shot.width)
            if shot.height:
                page.set_viewport_size({"width": shot.width, "height": shot.height})
            if page.locator("ol.shelf summary").count():
                page.locator("ol.shelf summary").nth(0).click()
            page.mouse.move(0, 0)
            page.evaluate("document.activeElement.blur()")
            page.screenshot(path=out / f"{shot.name}.png", full_page=shot.height is None)
            page.close()


def take(shots: Iterable[Shot], out: Path) -> None:
    """Take pictures; the whole page where a shot has no height."""
    out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        serving(Path(home)) as site,
        sync_playwright() as playwright,
        chromium(playwright) as browser,
    ):
        visits = Visits(browser, site)
        for shot in shots:
            _take(visits, site, shot, out / f"{shot.name}.png")
        visits.close()


def _take(visits: Visits, site: Site, shot: Shot, path: Path) -> None:
    page = visits.context(
        shot.who, language=shot.language, dark=shot.dark, width=shot.width
    ).new_page()
    if shot.height:
        page.set_viewport_size({"width": shot.width, "height": shot.height})
    page.goto(shot.path.format(**site.seeded.ids))
    page.screenshot(path=path, full_page=shot.height is None)
    page.close()


if __name__ == "__main__":
    take(README, Path(sys.argv[1]))
    take_device(DEVICE, Path(sys.argv[1]))
