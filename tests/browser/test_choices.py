"""The switch beside the data: with and without scripts, by mouse and by keyboard alone."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from consent.purpose import LIVE_STATES, ConsentState
from consent.service.shoppers import service as shoppers
from tests.browser.conftest import Site, Visits
from tests.browser.seeding import newcomer
from tests.unit.consent.harness import Stage

RESEARCH = "research.purchases"
NAMES = count()


class Shopper:
    """A new shopper who looks at her choices."""

    def __init__(self, site: Site, page: Page, name: str) -> None:
        self.page = page
        self._stage: Stage = site.stage
        self._id = site.seeded.shoppers[name]
        self._token = site.seeded.tokens[name]

    def state(self, name: str = RESEARCH) -> ConsentState:
        return self.states()[name]

    def states(self) -> dict[str, ConsentState]:
        found = shoppers.read_consents(self._stage.context, self._id, self._token)
        return {f"{each.purpose}.{each.category}": each.state for each in found.consents}

    def press(self, answer: str, name: str = RESEARCH) -> None:
        self.page.locator(f"[id='{name}-{answer}']").click()


@pytest.fixture(params=[True, False], ids=["scripts", "no-scripts"])
def shopper(site: Site, visits: Visits, request: pytest.FixtureRequest) -> Iterator[Shopper]:
    name = newcomer(site.stage, site.seeded, f"chooser-{next(NAMES)}")
    context = visits.context(name, scripts=request.param)
    page = context.new_page()
    page.goto("/choices")
    yield Shopper(site, page, name)
    page.close()


def test_nothing_is_preselected(shopper: Shopper) -> None:
    page = shopper.page
    assert page.locator("input:checked, option[selected]").count() == 0
    assert page.locator("main [aria-pressed='true']").count() == 0
    assert page.locator("main .pill.yes").count() == 0
    assert set(shopper.states().values()) == {ConsentState.UNKNOWN}


def test_looking_and_leaving_saves_nothing(shopper: Shopper) -> None:
    for path in ("/choices?open=browsing", "/points", "/", "/choices"):
        shopper.page.goto(path)
    shopper.page.reload()
    shopper.page.go_back()
    assert set(shopper.states().values()) == {ConsentState.UNKNOWN}


def test_one_click_gives_one_click_withdraws_and_each_is_answered(shopper: Shopper) -> None:
    status = shopper.page.locator("#flash")
    shopper.press("yes")
    expect(status).to_contain_text("Saved: Yes")
    assert [name for name, state in shopper.states().items() if state in LIVE_STATES] == [RESEARCH]
    expect(shopper.page.locator(f"[id='{RESEARCH}-yes']")).to_have_attribute("aria-pressed", "true")
    shopper.press("no")
    expect(status).to_contain_text("Saved: No")
    assert shopper.state() is ConsentState.WITHDRAWN
    assert "/withdrawals/" in shopper.page.url


def test_a_first_no_is_saved_as_a_refusal(shopper: Shopper) -> None:
    shopper.press("no")
    expect(shopper.page.locator("#flash")).to_contain_text("Saved: No")
    assert shopper.state() is ConsentState.REFUSED
    expect(shopper.page.locator(f"[id='{RESEARCH}-no']")).to_have_attribute("aria-pressed", "true")
    shopper.press("no")
    expect(shopper.page.locator("#flash")).to_contain_text("already")


def test_all_of_a_category_leaves_points_alone(shopper: Shopper) -> None:
    shopper.page.locator("[id='purchases-yes-to-all']").click()
    expect(shopper.page.locator("#flash")).to_contain_text("Saved: Yes to 6 uses")
    given = {name for name, state in shopper.states().items() if state in LIVE_STATES}
    assert len(given) == 6
    assert "value-sharing.purchases" not in given
    assert {name.split(".")[1] for name in given} == {"purchases"}
    shopper.page.locator("[id='purchases-no-to-all']").click()
    expect(shopper.page.locator("#flash")).to_contain_text("Saved: No")
    assert not [name for name, state in shopper.states().items() if state in LIVE_STATES]


def test_sensitive_classes_are_answered_one_by_one(shopper: Shopper) -> None:
    shopper.page.goto("/choices?open=sensitive-product-classes")
    section = shopper.page.locator("#sensitive-product-classes")
    expect(section).to_contain_text("Off unless you switch it on")
    assert section.locator("button[name$='to-all']").count() == 0


def test_a_yes_on_a_page_left_open_brings_nothing_back(shopper: Shopper) -> None:
    elsewhere = shopper.page.context.new_page()
    elsewhere.goto("/choices")
    elsewhere.locator(f"[id='{RESEARCH}-no']").click()
    expect(elsewhere.locator("#flash")).to_contain_text("Saved: No")
    elsewhere.close()
    shopper.press("yes")
    expect(shopper.page.locator("#flash")).to_contain_text("not saved")
    assert shopper.state() is ConsentState.REFUSED
    expect(shopper.page.locator(f"[id='{RESEARCH}-no']")).to_have_attribute("aria-pressed", "true")


def test_a_no_on_a_page_left_open_still_counts(shopper: Shopper) -> None:
    shopper.press("yes")
    expect(shopper.page.locator("#flash")).to_contain_text("Saved: Yes")
    elsewhere = shopper.page.context.new_page()
    elsewhere.goto("/choices")
    elsewhere.locator("[id='measurement.purchases-yes']").click()
    expect(elsewhere.locator("#flash")).to_contain_text("Saved: Yes")
    elsewhere.close()
    shopper.press("no")
    expect(shopper.page.locator("#flash")).to_contain_text("changed elsewhere")
    assert shopper.state() is ConsentState.WITHDRAWN
    assert shopper.state("measurement.purchases") in LIVE_STATES


def test_by_keyboard_alone(shopper: Shopper) -> None:
    page = shopper.page
    wanted = f"{RESEARCH}-yes"
    for _ in range(60):
        page.keyboard.press("Tab")
        if focused(page)["id"] == wanted:
            break
    assert focused(page) == {"id": wanted, "outline": 3}
    page.keyboard.press("Enter")
    expect(page.locator("#flash")).to_contain_text("Saved: Yes")
    assert shopper.state() is ConsentState.GIVEN


def focused(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.locator(":focus").evaluate(
        "(e) => ({id: e.id, outline: parseFloat(getComputedStyle(e).outlineWidth)})"
    )
    return found


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", ["/choices", "/points"])
def test_yes_and_no_are_equal_in_size_and_looks(
    visits: Visits, path: str, dark: bool, width: int
) -> None:
    page = visits.context("new", dark=dark, width=width).new_page()
    page.goto(path)
    page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
    looks = page.evaluate(
        """() => [...document.querySelectorAll('.pair')]
          .map((pair) => [...pair.children].map((e) => {
          const box = e.getBoundingClientRect(); const style = getComputedStyle(e);
          return [Math.round(box.width), Math.round(box.height), style.color,
            style.backgroundColor, style.borderColor, style.borderWidth, style.fontWeight,
            style.fontSize, style.opacity, style.boxShadow, e.tagName];
        }))"""
    )
    page.close()
    assert len(looks) == (1 if path == "/points" else 32)
    assert all(len(pair) == 2 and pair[0] == pair[1] for pair in looks)
