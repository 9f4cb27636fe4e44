"""The local API: what an app with a token may ask, and how it is refused."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from client.app_tokens import MAX_TOKENS, end_token, make_token, whose_token
from client.home import ClientHome
from client.page.api import AT_ONCE
from client.page.rate import Bucket
from crypto.errors import InvalidInputError
from tests.unit.client.page.conftest import App, Browser
from tests.unit.client.shop import Shop, go_away, mode
from tests.unit.commands import fedcart

PATHS = ("/recommendations", "/explanation?item=milk", "/discovery", "/left", "/stayed")


def test_a_list_with_reasons(till: App) -> None:
    answer = till.get("/recommendations?count=2&language=zh")
    found = answer.json()
    assert answer.status_code == 200
    assert found["recommendations"][0]["item"] == "milk"
    assert len(found["recommendations"]) == 2
    first = found["recommendations"][0]
    assert first["reason"].endswith("。")
    assert sum(part["value"] for part in first["parts"]) == pytest.approx(first["score"])
    assert found["used"] == ["purchases"]


def test_an_item_is_explained(till: App) -> None:
    found = till.get("/explanation?item=milk&count=1").json()
    assert found["counterfactual"]["without"] == ["milk"]
    assert found["counterfactual"]["listed"] is False
    missing = till.get("/explanation?item=caviar")
    assert (missing.status_code, missing.headers["content-type"]) == (
        404,
        "application/problem+json",
    )
    assert "caviar" not in missing.text


def test_the_moment_counts_only_as_granted(till: App, closed: Browser) -> None:
    for query in ("time=2024-03-09T18:00:00", "time=2024-03-09T18:00:00&store=north"):
        assert till.get(f"/recommendations?{query}").status_code == 200
    assert till.get("/recommendations?time=noon").status_code == 422
    closed.shop.choose("personalise-on-device", "location", "given")
    assert till.get("/recommendations?store=north").json()["used"] == ["location", "purchases"]


def test_the_slider_is_read_and_moved(till: App) -> None:
    assert till.get("/discovery").json() == {"breadth": "as-i-shop"}
    zone = till.get("/recommendations?count=1").json()["discovery"]
    assert zone
    assert all(0 < each["chance"] <= 1 for each in zone)
    assert till.put("/discovery", {"breadth": "none"}).json() == {"breadth": "none"}
    assert till.get("/recommendations?count=1").json()["discovery"] == []
    assert till.put("/discovery", {"breadth": "everything"}).status_code == 422
    assert till.put("/discovery", {"breadth": "none" * 10_000}).status_code == 413


def test_what_left_and_stayed(till: App) -> None:
    assert till.get("/left").json() == {"rounds": [], "spent": 0.0, "cap": 10.0, "delta": 1e-5}
    found = till.get("/stayed").json()
    assert (found["lines"], found["baskets"], found["items"]) == (4, 3, 3)
    assert datetime.fromtimestamp(found["first"], UTC).year == 2024


@pytest.mark.parametrize("path", PATHS)
def test_only_a_token_that_counts_opens_it(till: App, browser: Browser, path: str) -> None:
    address = f"/api/v1{path}"
    for header in ("", "Bearer", "Bearer x", f"Basic {till.token}", f"Bearer {till.token}x"):
        answer = browser.http.get(address, headers={"authorization": header})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["status"] == 401
    assert till.get(path).status_code == 200
    assert end_token(ClientHome.load(browser.shop.home), "till")
    assert till.get(path).status_code == 401


@pytest.mark.parametrize("path", PATHS[:2])
def test_without_consent_there_is_nothing(till: App, closed: Browser, path: str) -> None:
    closed.shop.choose("personalise-on-device", "purchases", "withdrawn")
    answer = till.get(path)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:fedcart:device:not-given")
    go_away()
    answer = till.get(path)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:fedcart:device:away")
    assert "milk" not in answer.text


def test_forgetting_ends_the_tokens(till: App, browser: Browser) -> None:
    browser.post("/forget", {"sure": "yes"})
    assert till.get("/stayed").status_code == 401


def test_requests_are_bounded(till: App, closed: Browser) -> None:
    assert till.get("/recommendations?count=0").status_code == 422
    assert till.get("/recommendations?count=101").status_code == 422
    long = till.get(f"/explanation?item={'x' * 300}")
    assert (long.status_code, "xxx" in long.text) == (422, False)
    assert long.json()["errors"] == ["query.item: String should have at most 256 characters"]
    closed.app.state.bucket = Bucket(at_once=AT_ONCE, per_minute=1, clock=lambda: 0.0)
    assert till.get("/stayed").status_code == 200
    for _ in range(AT_ONCE):
        last = till.get("/stayed")
    assert last.status_code == 429
    assert closed.http.get("/api/v1/stayed").status_code == 401  # others are not in its way


def test_a_bucket_fills_again() -> None:
    now = [0.0]
    bucket = Bucket(at_once=2, per_minute=60, clock=lambda: now[0])
    assert [bucket.admits("a") for _ in range(3)] == [True, True, False]
    assert bucket.admits("b")
    now[0] += 1
    assert [bucket.admits("a") for _ in range(2)] == [True, False]
    now[0] += 1_000
    assert [bucket.admits("a") for _ in range(3)] == [True, True, False]
    assert len(bucket._left) == 1


def test_the_document_describes_what_there_is(closed: Browser) -> None:
    document = closed.http.get("/api/v1/openapi.json").json()
    paths = {f"/api/v1{path.partition('?')[0]}" for path in PATHS}
    assert paths <= document["paths"].keys()
    assert all(path.startswith("/api/v1/") for path in document["paths"])
    for path in document["paths"].values():
        for operation in path.values():
            assert {"200", "401", "429"} <= operation["responses"].keys()


def test_an_unknown_path_is_a_problem(till: App) -> None:
    answer = till.get("/nothing")
    assert (answer.status_code, answer.json()["title"]) == (404, "Not Found")


def test_a_token_is_shown_once_and_stored_hashed(ready: Shop) -> None:
    made = fedcart("device", "token", "till", "--home", ready.home, "--json")
    token = json.loads(made.out)["token"]
    home = ClientHome.load(ready.home)
    assert whose_token(home, token) == "till"
    kept = ready.home / "app-tokens.json"
    assert token not in kept.read_text()
    assert mode(kept) == 0o600
    again = fedcart("device", "token", "till", "--home", ready.home)
    assert whose_token(home, token) is None
    assert whose_token(home, again.out.strip()) == "till"
    ended = fedcart("device", "token", "till", "--home", ready.home, "--end")
    assert "ended" in ended.said
    assert whose_token(home, again.out.strip()) is None
    assert "no token" in fedcart("device", "token", "till", "--home", ready.home, "--end").said


def test_tokens_are_bounded(ready: Shop) -> None:
    home = ClientHome.load(ready.home)
    for number in range(MAX_TOKENS):
        make_token(home, f"app {number}")
    for name in ("one more", "", "a\nb", "x" * 65):
        with pytest.raises(InvalidInputError):
            make_token(home, name)
    make_token(home, "app 1")


def test_the_calls_of_the_document_are_answered(till: App) -> None:
    text = (Path(__file__).parents[4] / "docs" / "device.md").read_text()
    calls = re.findall(r"^curl .*?'http://127.0.0.1:8650/api/v1(/[^']+)'$", text, re.MULTILINE)
    assert len(calls) >= 5
    for call in calls:
        assert till.get(call).status_code == 200, call
