"""The pages about rights, the erasure and the operators' queue, without scripts."""

import io
import re
import zipfile
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from consent.notice import Language
from consent.panel.app import create_site
from consent.service.principals import Role
from tests.unit.consent.harness import Stage
from tests.unit.consent.panel.sentences import said, translated
from tests.unit.consent.panel.test_login_pages import PASSWORD, Browser
from tests.unit.consent.service.rights_calls import login


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "consent", build=create_site)
    yield made
    made.close()


@pytest.fixture
def anna(stage: Stage) -> Browser:
    browser = Browser(stage)
    browser.register()
    return browser


def staff(stage: Stage, role: Role) -> Browser:
    token = login(stage, role)["Authorization"].removeprefix("Bearer ")
    return Browser(stage, cookies={"fedcart_session": token})


def ask(browser: Browser, kind: str, **fields: str) -> str:
    """Press a right's button; returns the page of the request."""
    page = browser.get("/rights").text
    (key,) = set(re.findall(r'name="key" value="([\w-]{32})-1"', page))
    answer = browser.post("/rights/ask", key=f"{key}-x", kind=kind, **fields)
    assert answer.status_code == 303
    path = answer.headers["location"]
    assert path.startswith("/rights/requests/"), unescape(browser.get(path).text)
    return str(path)


def test_every_sentence_of_these_pages_is_translated() -> None:
    known = {key for file in translated(Language.ZH).values() for key in file}
    mine = {key for key, at in said().items() if any("rights" in a or "queue" in a for a in at)}
    assert len(mine) > 100
    assert mine <= known


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_opens(stage: Stage, anna: Browser, language: str) -> None:
    anna.language = language
    request = ask(anna, "access")
    for path in ("/rights", "/rights/erasure", "/rights/status", request):
        page = anna.get(path)
        assert page.status_code == 200
        assert page.text.count("<h1>") == 1
    boss = staff(stage, Role.OPERATOR)
    boss.language = language
    for path in ("/operators/requests", f"/operators{request.removeprefix('/rights')}"):
        assert boss.get(path).status_code == 200


def test_nothing_is_preselected(anna: Browser) -> None:
    for path in ("/rights", "/rights/erasure"):
        assert " checked" not in anna.get(path).text


def test_her_file_downloads_after_a_fresh_sign_in(stage: Stage, anna: Browser) -> None:
    request = ask(anna, "access")
    anna.get(request)
    answer = anna.post(f"{request}/export")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        assert {"manifest.json", "README.txt", "data/account.json"} <= set(file.namelist())
    stage.clock.now += 601
    anna.get(request)
    again = anna.post(f"{request}/export")
    assert again.status_code == 303
    assert again.headers["location"].startswith("/confirm?next=")


def test_a_pause_shows_and_is_lifted(anna: Browser) -> None:
    ask(anna, "restriction")
    assert "You have not said" in anna.get("/rights").text
    assert "Lift the pause" in anna.get("/rights").text
    ask(anna, "lift-restriction")
    assert "Lift the pause</summary>" not in anna.get("/rights").text


def test_where_she_lives_is_kept(anna: Browser) -> None:
    anna.get("/rights")
    assert anna.post("/rights/residence", residence="mars").status_code == 303
    assert "You have not said" in anna.get("/rights").text
    anna.post("/rights/residence", residence="california")
    assert "You said: in California" in anna.get("/rights").text


def test_an_erasure_is_confirmed_and_seen_without_a_login(stage: Stage, anna: Browser) -> None:
    before = anna.get("/rights/erasure").text
    assert "Nothing of yours can come into a round" in before
    request = ask(anna, "erasure")
    page = anna.get(request).text
    (code,) = re.findall(r'class="big mono">([A-Z2-7-]{39})<', page)
    buttons = re.findall(r"<button([^>]*)>(Erase \w+)</button>", page)
    assert buttons == [
        ("", "Erase everything"),
        (f' formaction="{request}/cancel"', "Erase nothing"),
    ]
    gone = anna.post(f"{request}/confirm")
    assert gone.headers["location"] == f"/rights/status?code={code}"
    assert anna.session is None
    assert Browser(stage).sign_in().status_code != 303
    stranger = Browser(stage)
    assert "Your records are erased." in stranger.get(f"/rights/status?code={code}").text
    assert stranger.get("/rights/status?code=NOTHING").status_code == 404


def test_an_old_login_shows_itself_before_it_erases(stage: Stage, anna: Browser) -> None:
    request = ask(anna, "erasure")
    stage.clock.now += 601
    anna.get(request)
    answer = anna.post(f"{request}/confirm")
    assert answer.headers["location"].startswith("/confirm?next=")
    assert Browser(stage).sign_in("anna", PASSWORD).status_code == 303


def test_a_correction_needs_something_to_correct(anna: Browser) -> None:
    anna.get("/rights")
    empty = anna.post("/rights/ask", key="k" * 20, kind="rectification", residence="eea")
    assert empty.headers["location"] == "/rights#correct"
    page = ask(anna, "rectification", item="milk", day="2026-11-01", note="", name="anne")
    assert "completed" in anna.get(page).text
    assert Browser(anna.stage).sign_in("anne").status_code == 303


def test_an_operator_works_the_queue(stage: Stage, anna: Browser) -> None:
    request = ask(anna, "rectification", note="<script>alert(1)</script>")
    boss, path = staff(stage, Role.OPERATOR), f"/operators{request.removeprefix('/rights')}"
    page = boss.get(path).text
    assert "&lt;script&gt;alert" in page
    assert "<script>alert" not in page
    assert act(boss, path, "take").status_code == 303
    act(boss, path, "extend", answer="A paper archive.")
    act(boss, path, "refuse", ground="", answer="no ground")
    assert "in progress" in boss.get(path).text
    act(boss, path, "complete", answer="It is corrected.")
    hers = anna.get(request).text
    assert "It is corrected." in hers
    assert "extended: A paper archive." in unescape(hers)


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "Nothing was changed. This request is now: taken back."),
        ("zh", "没有作任何更改。这项请求现在的状态是：已撤回。"),
    ],
)
def test_a_step_that_came_too_late_says_how_the_request_stands(
    stage: Stage, anna: Browser, language: str, told: str
) -> None:
    request = ask(anna, "erasure")
    boss, path = staff(stage, Role.OPERATOR), f"/operators{request.removeprefix('/rights')}"
    boss.language = language
    seen = seen_at(boss, path)
    assert anna.post(f"{request}/cancel").status_code == 303
    answer = boss.post(
        f"{path}/refuse", seen=seen, ground="not-identified", answer="Nobody proved who asks."
    )
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    page = boss.get(path).text
    assert told in page
    assert "Nobody proved who asks." not in page


def seen_at(boss: Browser, path: str) -> str:
    """The state that the page's forms are from."""
    (seen,) = set(re.findall(r'name="seen" value="(\d+)"', boss.get(path).text))
    return str(seen)


def act(boss: Browser, path: str, step: str, **fields: str) -> httpx.Response:
    return boss.post(f"{path}/{step}", seen=seen_at(boss, path), **fields)


def test_the_queue_is_behind_its_roles(stage: Stage, anna: Browser) -> None:
    request = ask(anna, "access").removeprefix("/rights")
    for path in ("/operators/requests", f"/operators{request}"):
        assert anna.get(path).status_code == 404
    auditor = staff(stage, Role.AUDITOR)
    assert auditor.get("/operators/requests").status_code == 200
    page = auditor.get(f"/operators{request}")
    assert "What to do" not in page.text
    assert auditor.post(f"/operators{request}/take").status_code == 404
