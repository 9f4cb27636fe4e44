"""What holds for every page, however it is looked at."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import Visits
from tests.browser.pages import PAGES, Shown

AXE = Axe()
TAGS = {"en": "en", "zh": "zh-Hans"}
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """async (how) => (await axe.run(document, how)).violations.map((one) => ({
  id: one.id, impact: one.impact,
  nodes: one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)),
}))"""
UNFOLD = "document.querySelectorAll('details').forEach((e) => { e.open = true; })"
# Boxes of everything that can be pressed. A link within a sentence is exempt (WCAG 2.5.8), and so
# is what nobody sees: what is folded away, and the skip link until it has the focus.
TARGETS = """() => [...document.querySelectorAll('a[href],button,input,select,textarea,summary')]
  .filter((e) => e.checkVisibility({visibilityProperty: true}) && !e.classList.contains('skip'))
  .map((e) => {
    const inline = e.tagName === 'A' && getComputedStyle(e).display === 'inline';
    const block = inline && e.closest('p,li,dd,td,h2,h3');
    const alone = !block || block.textContent.trim() === e.textContent.trim();
    const box = e.getBoundingClientRect();
    const height = block ? block.getBoundingClientRect().height : box.height;
    return [e.outerHTML.slice(0, 120), alone, box.width, height];
  })
  .filter(([_, alone, width, height]) => alone && (width < 24 || height < 24))"""
LANDMARKS = """() => ({
  mains: document.querySelectorAll('main').length,
  titles: [...document.querySelectorAll('h1')].map((e) => e.textContent.trim()),
  banners: document.querySelectorAll('body > header').length,
  footers: document.querySelectorAll('body > footer').length,
  unnamed: document.querySelectorAll('nav:not([aria-label])').length,
  language: document.documentElement.lang,
  title: document.title,
  inline: document.querySelectorAll('[style],style,script:not([src]),[onclick]').length,
  unlabelled: [...document.querySelectorAll('input:not([type=hidden]),select,textarea')]
    .filter((e) => !e.labels.length && !e.getAttribute('aria-label')).length,
})"""


def shown(visits: Visits, page: Shown, **how: Any) -> Page:
    made = visits.context(page.who, **how).new_page()
    made.goto(page.path.format(**visits.site.seeded.ids))
    return made


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("each", PAGES, ids=str)
def test_a_page_is_in_order(visits: Visits, each: Shown, language: str) -> None:
    in_order(shown(visits, each, language=language), language)


def in_order(page: Page, language: str) -> None:
    """One load a page: landmarks and targets, wide and at 320 pixels; axe in light and in dark."""
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


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_receipt_is_readable_too(visits: Visits, language: str) -> None:
    """It is a document of its own, to keep and print, without the panel around it."""
    page = shown(visits, Shown("/history/1", "regular"), language=language)
    light = serious(page)
    page.emulate_media(color_scheme="dark")
    dark = serious(page, rules=["color-contrast"])
    page.set_viewport_size({"width": 320, "height": 800})
    width = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    assert not light
    assert not dark
    assert width <= 320


def serious(page: Page, *, rules: list[str] | None = None) -> list[Any]:
    """What axe finds that keeps somebody from using the page."""
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(AXE.axe_script)
    run = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": STANDARDS}
    found = page.evaluate(RUN, {"runOnly": run, "resultTypes": ["violations"]})
    return [one for one in found if one["impact"] in ("serious", "critical")]


def check(found: dict[str, Any], language: str) -> None:
    assert found["mains"] == found["banners"] == found["footers"] == len(found["titles"]) == 1
    assert found["titles"][0]
    assert found["unnamed"] == found["inline"] == found["unlabelled"] == 0
    assert found["language"] == TAGS[language]
    assert found["title"].endswith(" · fedcart")


def test_small_targets_would_be_found(visits: Visits) -> None:
    page = shown(visits, PAGES[0])
    page.evaluate("document.querySelector('.brand').style.cssText = 'min-height:0;height:9px'")
    found = page.evaluate(TARGETS)
    page.close()
    assert len(found) == 1


def test_axe_would_find_something(visits: Visits) -> None:
    page = shown(visits, PAGES[0])
    page.evaluate("document.querySelector('.lead').style.color = '#ddd'")
    found = serious(page), serious(page, rules=["color-contrast"])
    page.close()
    assert all("color-contrast" in [one["id"] for one in each] for each in found)


def test_dark_is_dark(visits: Visits) -> None:
    colours = []
    for dark in (False, True):
        page = shown(visits, PAGES[0], dark=dark)
        read = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
        colours.append(sum(page.evaluate(read)))
        page.close()
    assert colours[0] > 600
    assert colours[1] < 120


def test_the_skip_link_comes_first_and_leads_to_the_content(visits: Visits) -> None:
    page = shown(visits, Shown("/choices", "new"))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["y"] >= 0  # type: ignore[index]
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.close()


def test_a_page_that_loads_from_elsewhere_would_be_noticed(visits: Visits) -> None:
    page = shown(visits, PAGES[0])
    page.evaluate("fetch('https://elsewhere.invalid/x').catch(() => 0)")
    page.wait_for_function("true")
    page.close()
    assert any("Content Security Policy" in said for said in visits.complaints)
    visits.complaints.clear()
    visits.foreign.clear()
