"""The panel's pages for passkeys and for signing in through a retailer."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from consent.identity_provider import IdentityProvider
from consent.origin import Origin
from consent.panel.app import create_site
from consent.service.inprocess import InProcessTransport
from tests.integration.oidc_provider import Provider, create_provider
from tests.unit.consent.harness import Stage
from tests.unit.consent.service.authenticator import Authenticator
from tests.unit.consent.service.logins import age_proof, log_in

URL, ISSUER, PAGE = "https://consent.test", "https://id.market.test", "/account/passkeys"
SESSION, PENDING = "__Host-fedcart_session", "__Host-fedcart_oidc_market"
MARKET = IdentityProvider(name="market", issuer=ISSUER, client_id="fedcart", label="Fresh <Market>")


@dataclass
class Visit:
    """One browser without scripts: its cookies, and the form token of the page it saw last."""

    stage: Stage
    idp: httpx.Client
    cookies: dict[str, str] = field(default_factory=dict)
    csrf: str = ""

    def get(self, path: str) -> httpx.Response:
        return self._kept(self.stage.http.get(URL + path, headers=self._headers()))

    def post(self, path: str, **fields: str) -> httpx.Response:
        data = {"csrf": self.csrf} | fields
        return self._kept(self.stage.http.post(URL + path, data=data, headers=self._headers()))

    def sign_in(self, token: str) -> None:
        self.cookies[SESSION] = token
        self.get(PAGE)

    def leave(self, path: str, **fields: str) -> str:
        """Begin a sign-in; where the page leaves to."""
        page = self.post(path, **fields)
        assert page.status_code == 200, page.text
        found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page.text)
        assert found
        return unescape(found[1])

    def back(self, url: str, user: str = "ada") -> str:
        """Sign in at the retailer; the path that it sends the browser back to."""
        self.idp.cookies.clear()
        asked = dict(parse_qsl(urlsplit(url).query))
        form = asked | {"user": user, "password": f"pw-{user}"}
        parts = urlsplit(self.idp.post(f"{ISSUER}/login", data=form).headers["location"])
        return f"{parts.path}?{parts.query}"

    def _headers(self) -> dict[str, str]:
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": pairs, "Origin": URL, "Sec-Fetch-Site": "same-origin"}

    def _kept(self, answer: httpx.Response) -> httpx.Response:
        self.stage.http.cookies.clear()
        for line in answer.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0].strip('"')
            assert "HttpOnly" in line
            assert "Secure" in line
            assert "SameSite=lax" in line
            self.cookies[name] = value
            if not value:
                del self.cookies[name]
        found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        self.csrf = found[1] if found else self.csrf
        return answer


@pytest.fixture
def visit(tmp_path: Path) -> Iterator[Visit]:
    stage = Stage(
        tmp_path / "site", build=create_site, public_url=Origin.parse(URL), oidc=(MARKET,)
    )
    provider = Provider(issuer=ISSUER, clock=stage.clock, client_secret="")
    transport = InProcessTransport(create_provider(provider))
    stage.context.providers.transport = transport
    made = Visit(stage, httpx.Client(transport=transport))
    made.get("/")
    yield made
    stage.close()
    made.idp.close()


def add_passkey(visit: Visit, authenticator: Authenticator) -> httpx.Response:
    options = visit.post(f"{PAGE}/options").json()["options"]
    credential = json.dumps(authenticator.create(options))
    return visit.post(PAGE, name="My <phone>", credential=credential)


def phone() -> Authenticator:
    return Authenticator(origin=URL, rp_id="consent.test")


def use_passkey(visit: Visit, authenticator: Authenticator, **fields: str) -> httpx.Response:
    begun: dict[str, Any] = visit.post("/login/passkey/options").json()
    credential = json.dumps(authenticator.get(begun["options"]))
    return visit.post("/login/passkey", ceremony=begun["ceremony"], credential=credential, **fields)


def test_a_passkey_is_added_shown_renamed_used_and_deleted(visit: Visit) -> None:
    authenticator, first = phone(), log_in(visit.stage, "ada")
    visit.sign_in(first)
    assert add_passkey(visit, authenticator).headers["location"] == PAGE
    shown = visit.get(PAGE).text
    assert "My &lt;phone&gt;" in shown
    passkey = re.findall(rf'action="{PAGE}/([0-9a-f]{{32}})/rename"', shown)[0]
    visit.post(f"{PAGE}/{passkey}/rename", name="Old phone")
    assert "Old phone" in visit.get(PAGE).text
    del visit.cookies[SESSION]
    visit.get("/")
    answer = use_passkey(visit, authenticator, next="/choices")
    assert answer.headers["location"] == "/choices"
    assert visit.cookies[SESSION] != first
    by_passkey = visit.cookies[SESSION]
    visit.sign_in(first)
    assert visit.post(f"{PAGE}/{passkey}/delete").headers["location"] == PAGE
    assert "You have no passkey yet." in visit.get(PAGE).text
    visit.sign_in(by_passkey)
    assert visit.get(PAGE).headers["location"].startswith("/login?next=")


def test_a_passkey_that_does_not_hold_signs_nobody_in(visit: Visit) -> None:
    visit.sign_in(log_in(visit.stage, "ada"))
    authenticator = phone()
    add_passkey(visit, authenticator)
    del visit.cookies[SESSION]
    visit.get("/")
    authenticator.verified = False
    assert use_passkey(visit, authenticator).headers["location"] == "/login"
    assert SESSION not in visit.cookies
    assert visit.post("/login/passkey", credential="{}").status_code == 422
    authenticator.verified = True
    assert use_passkey(visit, authenticator, next="//evil.test").headers["location"] == "/"
    assert SESSION in visit.cookies


def test_a_passkey_confirms_who_she_is_for_what_can_not_be_undone(visit: Visit) -> None:
    visit.sign_in(log_in(visit.stage, "ada"))
    authenticator = phone()
    add_passkey(visit, authenticator)
    age_proof(visit.stage)
    assert visit.post(f"{PAGE}/options").headers["location"].startswith("/confirm?next=")
    options = visit.post("/confirm/passkey/options").json()["options"]
    proof = json.dumps(authenticator.get(options))
    answer = visit.post("/confirm/passkey", credential=proof, next=PAGE)
    assert answer.headers["location"] == PAGE
    assert visit.post(f"{PAGE}/options").status_code == 200


@pytest.mark.parametrize(
    "path", ["/login/passkey/options", "/login/passkey", "/login/oidc/market", f"{PAGE}/options"]
)
def test_every_form_is_from_the_panels_own_page(visit: Visit, path: str) -> None:
    visit.sign_in(log_in(visit.stage, "ada"))
    right = visit.csrf
    assert visit.post(path, csrf="another").status_code == 403
    assert visit.post(path, csrf=right).status_code in (200, 422)


def test_signing_in_through_a_retailer_says_where_to_and_keeps_a_short_cookie(visit: Visit) -> None:
    page = visit.post("/login/oidc/market", next="/choices")
    assert "Fresh &lt;Market&gt;" in page.text
    assert "no name and no address" in page.text
    assert len(visit.cookies[PENDING]) == 43
    url = visit.leave("/login/oidc/market", next="/choices")
    assert url.startswith(f"{ISSUER}/authorize?")
    came = visit.get(visit.back(url))
    assert came.headers["location"] == "/choices"
    assert SESSION in visit.cookies
    assert PENDING not in visit.cookies


def test_an_answer_without_the_browsers_cookie_signs_nobody_in(visit: Visit) -> None:
    path = visit.back(visit.leave("/login/oidc/market"))
    kept = visit.cookies.pop(PENDING)
    assert visit.get(path).headers["location"] == "/login"
    assert SESSION not in visit.cookies
    visit.cookies[PENDING] = kept
    assert visit.get(path).headers["location"] == "/login"  # it was used up
    visit.get(visit.back(visit.leave("/login/oidc/market")))
    assert SESSION in visit.cookies


def test_a_retailer_that_says_no_changes_nothing(visit: Visit) -> None:
    url = visit.leave("/login/oidc/market")
    state = dict(parse_qsl(urlsplit(url).query))["state"]
    said = f"/login/oidc/market/callback?error=access_denied&state={state}"
    assert visit.get(said).headers["location"] == "/login"
    assert SESSION not in visit.cookies
    assert visit.get(visit.back(url)).headers["location"] == "/login"


def test_a_retailers_sign_in_is_linked_confirms_and_is_removed(visit: Visit) -> None:
    token = log_in(visit.stage, "ada")
    visit.sign_in(token)
    visit.get(visit.back(visit.leave("/account/identities/market/link")))
    shown = visit.get(PAGE).text
    (identity,) = re.findall(r'action="/account/identities/([0-9a-f]{32})/delete"', shown)
    assert "/account/identities/market/link" not in shown
    age_proof(visit.stage)
    remove = f"/account/identities/{identity}/delete"
    assert visit.post(remove).headers["location"].startswith("/confirm?next=")
    confirmed = visit.get(visit.back(visit.leave("/confirm/oidc/market", next=PAGE)))
    assert confirmed.headers["location"] == PAGE
    assert visit.post(remove).headers["location"] == PAGE
    assert "/account/identities/market/link" in visit.get(PAGE).text


def test_a_link_is_a_form_and_never_a_get(visit: Visit) -> None:
    visit.sign_in(log_in(visit.stage, "ada"))
    for path in ("/account/identities/market/link", "/login/oidc/market", "/confirm/oidc/market"):
        assert visit.get(path).status_code == 405


def test_the_only_way_in_stays_and_the_page_says_why(visit: Visit) -> None:
    visit.get(visit.back(visit.leave("/login/oidc/market")))
    shown = visit.get(PAGE).text
    (identity,) = re.findall(r'action="/account/identities/([0-9a-f]{32})/delete"', shown)
    visit.post(f"/account/identities/{identity}/delete")
    assert "the last way into your account" in visit.get(PAGE).text
