"""The page's pages: what they show, and what their forms do."""

import io
import json
import re
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from client.events import EventStore
from client.home import ClientHome
from client.impressions import read_impressions
from client.shelf import Shelf, local_now
from tests.unit.client.page.conftest import Browser
from tests.unit.client.shop import go_away
from tests.unit.client.test_cli_recommend import noted


def test_the_list_stands_with_its_reasons_and_parts(browser: Browser) -> None:
    page = browser.text("/")
    assert "You bought it in 2 of your last 2 baskets." in page
    assert "Together, exactly its score" in page
    assert "from your purchases" in page


def test_one_item_is_explained_with_its_counterfactual(browser: Browser) -> None:
    page = browser.text("/why?item=milk")
    assert "Without your own purchases of it" in page
    missing = browser.get("/why?item=caviar")
    assert (missing.status_code, "This item is not recommended" in missing.text) == (404, True)


def test_without_consent_nothing_is_read(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    browser.shop.choose("personalise-on-device", "purchases", "withdrawn")

    def never(*_: object) -> None:
        raise AssertionError("Her purchases were read.")

    monkeypatch.setattr(EventStore, "of", never)
    for path in ("/", "/why?item=milk"):
        page = browser.text(path)
        assert "You have not agreed to recommendations" in page
        assert "fedcart device choose personalise-on-device" in page
        assert "of your last" not in page


def test_the_consent_service_being_away_closes_the_list(browser: Browser) -> None:
    go_away()
    answer = browser.get("/")
    assert answer.status_code == 503
    assert "gives no answer" in answer.text
    assert "milk" not in answer.text
    assert "milk" in browser.text("/data")  # her own look at her data is no use of it


def test_no_release_no_list(browser: Browser) -> None:
    (browser.shop.releases / "popularity/1/artefact.json").unlink()
    assert "There is nothing to recommend from yet" in browser.text("/")


def test_a_line_is_corrected(browser: Browser) -> None:
    page = browser.text("/data/line?item=bread&day=2024-03-01")
    assert 'value="2024-03-01"' in page
    fields = {"item": "bread", "day": "2024-03-01"}
    new = {"new_item": "tea", "new_day": "2024-03-02", "quantity": "3", "price": "2.5"}
    answer = browser.post("/data/correct", {**fields, **new, "store": "south"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/data?item=tea")
    page = browser.text("/data?item=tea")
    assert "The line was corrected." in page
    assert all(text in page for text in ("2 Mar 2024", "3", "2.5", "south"))
    assert "The line was corrected." not in browser.text("/data")
    assert browser.get("/data/line?item=bread&day=2024-03-01").status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [{"new_day": "tomorrow"}, {"quantity": "many"}, {"price": "-1"}, {"quantity": "nan"}],
)
def test_a_wrong_correction_changes_nothing(browser: Browser, wrong: dict[str, str]) -> None:
    before = browser.text("/data")
    fields = {"item": "bread", "day": "2024-03-01", "new_item": "bread", "new_day": "2024-03-01"}
    answer = browser.post("/data/correct", {**fields, **wrong})
    assert answer.status_code == 422
    assert "a value does not fit" in answer.text
    (typed,) = wrong.values()
    assert f'value="{typed}"' in answer.text  # to be put right, not to be typed again
    assert browser.text("/data") == before


def test_what_is_left_as_it_was_is_no_correction(browser: Browser) -> None:
    fields = {"item": "bread", "day": "2024-03-01", "new_item": "bread", "new_day": "2024-03-01"}
    browser.post("/data/correct", fields)
    assert "Nothing was different" in browser.text("/data")


def test_a_line_is_deleted_and_an_item_only_when_it_is_meant(browser: Browser) -> None:
    fields = {"item": "milk", "day": "2024-03-01", "what": "item"}
    refused = browser.post("/data/delete", fields)
    assert (refused.status_code, "tick that you mean it" in refused.text) == (422, True)
    browser.post("/data/delete", {**fields, "what": "line"})
    assert "Deleted for good. Lines: 1." in browser.text("/data")
    browser.post("/data/delete", {**fields, "day": "2024-03-04", "sure": "yes"})
    assert "milk" not in browser.text("/data")
    raw = (browser.shop.home / "events.db").read_bytes()
    assert b"milk" not in raw  # overwritten, not only unlinked


def test_a_copy_is_handed_over(browser: Browser) -> None:
    answer = browser.post("/data/export", {})
    assert answer.headers["content-disposition"].startswith('attachment; filename="my-data-')
    with zipfile.ZipFile(io.BytesIO(answer.content)) as made:
        lines = json.loads(made.read("purchases.json"))
    assert [line["item"] for line in lines] == ["milk", "bread", "milk", "batteries"]
    home = ClientHome.load(browser.shop.home)
    assert len(list(home.exports.glob("*.zip"))) == 1


def test_forgetting_needs_a_tick_and_then_leaves_nothing(browser: Browser) -> None:
    assert browser.post("/forget", {}).status_code == 422
    browser.post("/data/export", {})
    answer = browser.post("/forget", {"sure": "yes"})
    assert answer.headers["location"] == "/"
    page = browser.text("/")
    assert "Lines erased: 4, copies erased: 1" in page
    assert "This device was forgotten" in page
    left = {path.name for path in browser.shop.home.rglob("*") if path.is_file()}
    assert not left & {"events.db", "consent.token", "app-tokens.json"}
    assert not any(name.endswith(".zip") for name in left)


def test_nothing_is_forgotten_while_consents_can_not_be_withdrawn(browser: Browser) -> None:
    go_away()
    answer = browser.post("/forget", {"sure": "yes"})
    assert (answer.status_code, "Nothing was erased" in answer.text) == (503, True)
    assert "milk" in browser.text("/data")


def test_what_stayed_is_counted(browser: Browser) -> None:
    page = browser.text("/left")
    assert "3 different items in 3 visits" in page
    assert "Nothing has left this device" in page


def test_the_language_is_remembered(browser: Browser) -> None:
    answer = browser.post("/language", {"language": "zh", "next": "/left"})
    assert answer.headers["location"] == "/left"
    assert '<html lang="zh-Hans">' in browser.text("/left")
    elsewhere = browser.post("/language", {"language": "en", "next": "//evil.example"})
    assert elsewhere.headers["location"] == "/"


def test_statements_are_taken_and_taken_back(browser: Browser) -> None:
    browser.post("/about", {"age": "35-44", "income": "top-fifth"})
    page = browser.text("/about")
    assert "Your answers were saved" in page
    assert '<option value="35-44" selected>' in page
    browser.post("/about", {"income": "top-fifth"})
    assert '<option value="35-44" selected>' not in browser.text("/about")
    assert browser.post("/about", {"age": "immortal"}).status_code == 422
    assert '<option value="top-fifth" selected>' in browser.text("/about")


def test_a_line_is_found_by_what_the_list_calls_its_item(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"milk": "FLUID MILK WHITE ONLY", "bread": "SOFT BREAD"}
    monkeypatch.setattr("client.page.pages.data._names", lambda _: lambda item: names.get(item, ""))
    for words in ("FLUID%20MILK%20WHITE%20ONLY", "fluid", "mil"):
        page = browser.text(f"/data?item={words}")
        assert "2 lines by item and day" in page
        assert "FLUID MILK WHITE ONLY" in page
        assert "SOFT BREAD" not in page
    assert "No line names such an item." in browser.text("/data?item=fluid%20bread")


def test_a_known_value_is_not_silently_kept_where_it_was_emptied(browser: Browser) -> None:
    fields = {"item": "bread", "day": "2024-03-01", "new_item": "bread", "new_day": "2024-03-01"}
    named = {**fields, "store": "north", "quantity": "3", "price": "2.5"}
    assert browser.post("/data/correct", named).status_code == 303
    assert "2.50" in browser.text("/data?item=bread")
    for name in ("store", "quantity", "price"):
        answer = browser.post("/data/correct", {**named, name: ""})
        assert (answer.status_code, "a value does not fit" in answer.text) == (422, True)
    page = browser.text("/data/line?item=bread&day=2024-03-01")
    assert page.count(" required") == 5


def test_a_refused_form_leads_back_to_a_page_in_another_language(browser: Browser) -> None:
    line = {"item": "bread", "day": "2024-03-01"}
    refused = [
        browser.post("/data/correct", {**line, "new_day": "tomorrow"}),
        browser.post("/data/delete", {**line, "what": "item"}),
        browser.post("/forget", {}),
        browser.post("/discovery", {"breadth": "everything"}),
    ]
    for answer in refused:
        assert answer.status_code == 422
        found = re.search(r'name="next" value="([^"]+)"', answer.text)
        assert found is not None
        back = browser.post("/language", {"language": "zh", "next": unescape(found[1])})
        assert browser.get(back.headers["location"]).status_code == 200
    assert "/data/line?item=bread" in refused[0].text


def test_a_thing_that_is_new_leads_to_no_purchases(browser: Browser) -> None:
    assert "My purchases of it" in browser.text("/why?item=milk")
    assert "My purchases of it" not in browser.text("/why?item=tea")


def test_without_a_release_a_reason_says_what_the_list_says(browser: Browser) -> None:
    (browser.shop.releases / "popularity/1/artefact.json").unlink()
    assert "There is nothing to recommend from yet" in browser.text("/why?item=milk")


def test_lists_that_are_asked_for_at_once_are_noted_in_turn(browser: Browser) -> None:
    desk = browser.app.state.desk
    drawn: list[int] = []

    def shown(*_: object, **__: object) -> Shelf:
        assert desk.showing.locked()
        drawn.append(1)
        return made

    home = ClientHome.load(browser.shop.home)
    made: Shelf = desk.stock(home).shelf(count=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("client.page.pages.shelf.show_list", shown)
        browser.get("/")
    assert drawn == [1]
    assert not desk.showing.locked()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: browser.get("/").status_code, range(8)))
    assert answers == [200] * 8
    assert len(read_impressions(home, home.shoppers[home.shopper])) == 1


def test_the_slider_moves_the_zone(browser: Browser) -> None:
    page = browser.text("/")
    assert "New to you" in page
    assert 'value="as-i-shop" checked' in page
    answer = browser.post("/discovery", {"breadth": "none"})
    assert answer.headers["location"] == "/#discovery"
    page = browser.text("/")
    assert "your slider is at nothing new" in page
    assert 'value="none" checked' in page
    assert browser.post("/discovery", {"breadth": "everything"}).status_code == 422


def test_what_came_of_the_zone_is_told_as_far_as_it_is_known(browser: Browser) -> None:
    assert "What came of it" not in browser.text("/")  # nothing is new to her, so no zone yet
    home, start = ClientHome.load(browser.shop.home), local_now() - 60 * 86_400
    shutil.rmtree(home.derived / home.shoppers[home.shopper])
    noted(home, days=16, first=start)

    def bought(*days: tuple[int, str]) -> str:
        made = [(datetime.fromtimestamp(start, UTC) + timedelta(day), item) for day, item in days]
        lines = [f"c7,{item},{at:%Y-%m-%d},north" for at, item in made]
        return "\n".join(["card,article,date,branch", *lines])

    browser.shop.import_(bought((-9, "milk"), (4, "milk")))
    page = browser.text("/")
    assert "Of 8 new things in 4 lists that are over, you bought 0" in page
    assert "12 lists are not over" in page
    assert "it takes at least 10 lists" in page
    browser.shop.import_(bought((-9, "milk"), (10, "tea"), (50, "milk")))
    page = browser.text("/")
    assert "Of 32 new things in 16 lists that are over, you bought 1" in page
    assert "had the best been drawn more often" in page
    assert "3.1" in page
    assert "按现在的抽取方式" in browser.get("/", accept_language="zh").text
    browser.shop.choose("personalise-on-device", "purchases", "withdrawn")
    assert "What came of it" not in browser.text("/")
