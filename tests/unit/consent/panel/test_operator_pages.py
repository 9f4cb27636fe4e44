"""Operators' pages: for operators and auditors alone, in both languages, without a script."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from consent.notice import Language
from consent.panel.app import create_site
from consent.service.principals import Role
from consent.service.retention.service import retain
from consent.service.webhooks.addresses import Rules
from consent.service.webhooks.delivery import deliver
from consent.service.webhooks.sender import Outcome, Sender
from consent.service.webhooks.service import emit
from tests.unit.consent.harness import Stage
from tests.unit.consent.service.operators import login

PAGES = ("", "/audit", "/webhooks", "/retention", "/ropa", "/dpia")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "site", build=create_site, webhooks_allow_loopback=True)
    yield made
    made.close()


class Browser:
    """A browser without scripts that is signed in."""

    def __init__(self, stage: Stage, token: str, language: Language = Language.EN) -> None:
        self._http = stage.http
        self._cookies = f"fedcart_session={token}; fedcart_language={language}"

    def get(self, path: str) -> httpx.Response:
        return self._http.get(path, headers={"Cookie": self._cookies})

    def post(self, path: str, *, shown: str, **fields: object) -> httpx.Response:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(shown).text)
        assert found
        headers = {"Cookie": self._cookies, "Sec-Fetch-Site": "same-origin"}
        return self._http.post(path, data={"csrf": found[1], **fields}, headers=headers)


def browser(stage: Stage, role: Role = Role.OPERATOR, language: Language = Language.EN) -> Browser:
    return Browser(stage, login(stage, role), language)


def subscribe(who: Browser) -> tuple[str, str]:
    """Add a webhook; its id and secret."""
    page = who.post(
        "/operators/webhooks",
        shown="/operators/webhooks",
        url="https://example.com/hooks",
        kind=["request.created", "consent.given"],
    ).text
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", page)
    listed = re.search(r"/operators/webhooks/([0-9a-f]{32})", page)
    assert secret
    assert listed
    return listed[1], secret[0]


@pytest.mark.parametrize("path", PAGES)
def test_only_operators_and_auditors_find_them(site: Stage, path: str) -> None:
    device = site.device()
    page = f"/operators{path}"
    shopper = Browser(site, login(site, Role.SHOPPER, shopper=device.shopper))
    assert browser(site).get(page).status_code == 200
    assert browser(site, Role.AUDITOR).get(page).status_code == 200
    assert shopper.get(page).status_code == 404
    assert site.http.get(page).headers["location"].startswith("/login?next=")


@pytest.mark.parametrize("path", PAGES)
def test_chinese_pages_are_chinese(site: Stage, path: str) -> None:
    english = browser(site).get(f"/operators{path}").text
    chinese = browser(site, language=Language.ZH).get(f"/operators{path}").text
    title = re.compile(r"<h1>([^<]+)</h1>")
    first, second = title.findall(english)[0], title.findall(chinese)[0]
    assert '<html lang="zh-Hans">' in chinese
    assert first != second or first == "Webhooks"
    for part in re.findall(r"<(?:td|th|p|dt|dd|h2)[^>]*>([^<]+)<", chinese):
        said = part.removeprefix("fedcart consent audit verify --home").split()
        # Whole words only: an identifier or a hash holds runs of letters by chance.
        words = [word for word in said if re.fullmatch(r"[A-Za-z]{3,}\W*", word)]
        assert len(words) <= 4 or re.search(r"[一-鿿]", part), part


def test_an_auditor_has_no_buttons_and_no_say(site: Stage) -> None:
    endpoint, _ = subscribe(browser(site))
    auditor = browser(site, Role.AUDITOR)
    for page in ("/operators/webhooks", f"/operators/webhooks/{endpoint}"):
        assert "/operators/webhooks" not in re.findall(r'action="([^"]+)"', auditor.get(page).text)
    refused = auditor.post(f"/operators/webhooks/{endpoint}/remove", shown="/operators/audit")
    assert refused.status_code == 404
    assert browser(site).get(f"/operators/webhooks/{endpoint}").status_code == 200


def test_a_webhook_from_its_secret_to_its_end(site: Stage) -> None:
    who = browser(site)
    endpoint, secret = subscribe(who)
    page, home = f"/operators/webhooks/{endpoint}", "/operators/webhooks"
    assert secret not in who.get(home).text
    assert secret not in who.get(page).text
    with site.context.database.writing() as session:
        emit(site.context, session, "request.created", {"request": "1"})

    class Down(Sender):
        def send(self, *_: object) -> Outcome:
            return Outcome(delivered=False, word="status 503")

    deliver(site.context, Down(rules=Rules()))
    assert "status 503" in who.get(page).text
    assert who.post(f"{page}/replay", shown=page, number=1).status_code == 303
    rotated = who.post(f"{page}/secret", shown=page).text
    assert secret not in rotated
    assert "whsec_" in rotated
    who.post(f"{page}/enabled", shown=page, enabled="no")
    assert "stopped by an operator" in who.get(page).text
    assert who.post(f"{page}/remove", shown=page).status_code == 303
    assert who.get(page).status_code == 404


def test_forms_without_a_token_or_from_elsewhere_change_nothing(site: Stage) -> None:
    token = login(site)
    cookies = {"Cookie": f"fedcart_session={token}"}
    body = {"url": "https://example.com/", "kind": "consent.given"}
    for headers in (cookies, {**cookies, "Sec-Fetch-Site": "cross-site"}):
        assert site.http.post("/operators/webhooks", data=body, headers=headers).status_code == 403
    assert "example.com" not in Browser(site, token).get("/operators/webhooks").text


@pytest.mark.parametrize(
    ("url", "kinds"),
    [
        ("http://10.0.0.1/", ["consent.given"]),
        ("https://example.com/", []),
        ("", ["consent.given"]),
    ],
)
def test_what_cannot_be_subscribed_is_said(site: Stage, url: str, kinds: list[str]) -> None:
    who = browser(site)
    answer = who.post("/operators/webhooks", shown="/operators/webhooks", url=url, kind=kinds)
    assert answer.status_code == 303
    assert "fedcart_flash" in answer.headers["set-cookie"]


def test_a_stale_login_is_asked_again(site: Stage) -> None:
    who = browser(site)
    site.clock.now += 11 * 60
    answer = who.post(
        "/operators/webhooks",
        shown="/operators/webhooks",
        url="https://example.com/",
        kind="consent.given",
    )
    assert answer.headers["location"].startswith("/confirm")


def test_numbers_runs_and_downloads(site: Stage) -> None:
    who = browser(site)
    site.device()
    retain(site.context)
    assert "1 entry" in who.get("/operators").text
    assert "finished" in who.get("/operators/retention").text
    for kind in ("ropa", "dpia"):
        for how in ("json", "csv", "html"):
            found = who.get(f"/operators/export/{kind}.{how}")
            assert found.headers["content-disposition"].startswith("attachment")
    trail = who.get("/operators/audit?action=ropa.exported").text
    assert trail.count("ropa.exported") >= 3
    assert who.get("/operators/export/users.csv").status_code in (404, 422)
