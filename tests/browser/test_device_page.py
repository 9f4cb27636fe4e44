"""A device's own page in a real Chromium: with and without scripts, in both languages."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.device import Served, serving_device
from tests.browser.test_every_page import in_order

PAGES = (
    "/",
    "/why?item=granola",
    "/why?item=whole%20milk",
    "/left",
    "/data",
    "/data?item=milk",
    "/data?item=nothing-like-it",
    "/data/line?item=oat%20drink&day={day}",
    "/about",
    "/forget",
    "/no-such-page",
)


@pytest.fixture(scope="module")
def served(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_device(tmp_path_factory.mktemp("device"), browser) as made:
        yield made


@pytest.fixture(autouse=True)
def quiet(served: Served) -> Iterator[None]:
    yield
    found = served.complaints[:]
    served.complaints.clear()
    assert not found


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_in_order(served: Served, path: str, language: str) -> None:
    in_order(served.shown(path, language=language), language)


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


@pytest.mark.parametrize("scripts", [True, False])
def test_the_slider_moves_the_zone(served: Served, scripts: bool) -> None:
    page = served.shown("/", scripts=scripts)
    zone = page.locator("#discovery ul.shelf > li")
    assert zone.count() > 0
    page.get_by_label("nothing new").check()
    page.get_by_role("button", name="Move my slider").click()
    expect(page.locator("#flash")).to_contain_text("Your slider was moved")
    expect(page.get_by_label("nothing new")).to_be_checked()
    expect(zone).to_have_count(0)
    page.get_by_label("as much as I usually try").check()
    page.get_by_role("button", name="Move my slider").click()
    expect(zone.first).to_be_visible()
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
