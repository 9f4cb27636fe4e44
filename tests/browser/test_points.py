"""Points in the browser: the opt-in of their own, and codes."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visits


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_a_code_is_made_once_and_shown(visits: Visits, scripts: bool) -> None:
    page = visits.context("regular", scripts=scripts).new_page()
    page.goto("/points")
    codes = page.locator("#codes tbody tr")
    before = codes.count()
    page.get_by_label("How many points").fill("2")
    page.get_by_role("button", name="Make a code").click()
    expect(page.locator("#flash")).to_contain_text("Your code:")
    assert codes.count() == before + 1
    code = page.locator("#flash").inner_text().split(": ")[1].split(".")[0]
    assert code in page.locator("#codes").inner_text()
    page.close()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_points_are_switched_off_where_they_are_shown(visits: Visits, scripts: bool) -> None:
    page = visits.context("new", scripts=scripts).new_page()
    page.goto("/points")
    page.locator("#collect button[name='no']").click()
    status = page.locator("#flash")
    expect(status).to_contain_text("No" if scripts else "already")
    page.close()
