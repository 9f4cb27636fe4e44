"""Signing in through a retailer: two real processes and a browser without scripts between them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from typer.testing import CliRunner

from consent.cli import app as consent_app
from consent.service.settings import create_home
from crypto.secret_file import write_secret
from tests.integration.processes import running

PROVIDER = "tests/integration/oidc_provider.py"
CLAIMS = {"role": "operator", "roles": ["operator"], "email": "ada@market.test"}


@dataclass
class Browser:
    """Follows redirects and pages that leave by themselves; sends forms as they stand."""

    site: str
    http: httpx.Client = field(default_factory=lambda: httpx.Client(follow_redirects=True))
    at: str = ""
    text: str = ""

    def open(self, path: str) -> None:
        self._show(self.http.get(urljoin(self.site, path)))

    def send(self, action: str, **typed: str) -> None:
        """Send the form of the page that has this action."""
        form = re.search(
            rf'<form[^>]*action="{re.escape(action)}"[^>]*>(.*?)</form>', self.text, re.DOTALL
        )
        assert form, f"No form {action} at {self.at}: {self.text}"
        hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form[1])
        fields = {name: unescape(value) for name, value in hidden} | typed
        origin = "/".join(self.at.split("/")[:3])
        self._show(
            self.http.post(urljoin(self.at, action), data=fields, headers={"Origin": origin})
        )

    def _show(self, answer: httpx.Response) -> None:
        self.at, self.text = str(answer.url), answer.text
        assert answer.status_code == 200, f"{self.at}: {answer.status_code} {self.text}"
        leaving = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', self.text)
        if leaving:
            self._show(self.http.get(unescape(leaving[1])))

    @property
    def role(self) -> str:
        """What the service says of the login in this browser's cookie."""
        token = self.http.cookies["fedcart_session"]
        answer = self.http.get(
            urljoin(self.site, "/v1/account"), headers={"Authorization": f"Bearer {token}"}
        )
        return str(answer.json()["role"])


@dataclass
class Market:
    """The two processes, and the browsers that were opened."""

    site: str
    issuer: str
    opened: list[Browser] = field(default_factory=list)

    def browser(self) -> Browser:
        self.opened.append(Browser(self.site))
        return self.opened[-1]

    def close(self) -> None:
        for browser in self.opened:
            browser.http.close()


def command(*arguments: str | Path) -> str:
    result = CliRunner().invoke(consent_app, [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    home = tmp_path_factory.mktemp("market") / "home"
    create_home(home, issuer="shop")
    write_secret(home / "market.secret", b"a client's secret\n")
    with running([PROVIDER, "--claims", json.dumps(CLAIMS)]) as (provider,):
        options = ["--name", "market", "--label", "Fresh Market", "--issuer", provider.url]
        options += ["--client-id", "fedcart", "--client-secret-file", str(home / "market.secret")]
        added = command("oidc", "add", "--home", home, *options)
        assert command("oidc", "list", "--home", home) == added
        assert "a client's secret" not in (home / "settings.json").read_text()
        with running(["-m", "fedcart", "consent", "serve", "--home", home, "--port", "0"]) as (
            site,
        ):
            made = Market(site.url, provider.url)
            yield made
            made.close()


def sign_in(browser: Browser, market: Market, user: str) -> None:
    browser.open("/login?next=/account/passkeys")
    browser.send("/login/oidc/market")
    if browser.at.startswith(market.issuer):
        browser.send("/login", user=user, password=f"pw-{user}")


def test_a_shopper_signs_in_through_the_retailer_and_is_a_shopper(market: Market) -> None:
    browser = market.browser()
    sign_in(browser, market, "ada")
    assert browser.at == f"{market.site}/account/passkeys"
    assert "Fresh Market" in browser.text
    assert browser.role == "shopper"  # whatever the provider claims
    first = browser.http.cookies["fedcart_session"]
    again = market.browser()
    sign_in(again, market, "ada")
    assert again.http.cookies["fedcart_session"] != first
    assert again.role == "shopper"


def test_she_is_still_recognised_after_the_retailer_changed_its_keys(market: Market) -> None:
    before = market.browser()
    sign_in(before, market, "eve")
    httpx.post(f"{market.issuer}/rotate").raise_for_status()
    refused = market.browser()
    sign_in(refused, market, "eve")
    # New keys are fetched at most once a minute: she is told to begin again, and not signed in.
    assert "begin it again" in refused.text
    assert "fedcart_session" not in refused.http.cookies


def test_a_link_that_another_browser_began_signs_nobody_in(market: Market) -> None:
    attacker, victim = market.browser(), market.browser()
    attacker.open("/login")
    attacker.http.follow_redirects = False
    attacker.open("/login")
    page = attacker.http.post(
        f"{market.site}/login/oidc/market",
        data=dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', attacker.text)),
    )
    leaving = re.search(r'url=([^"]+)"', page.text)
    assert leaving
    form = attacker.http.get(unescape(leaving[1])).text
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))
    back = attacker.http.post(
        f"{market.issuer}/login", data=fields | {"user": "eve", "password": "pw-eve"}
    ).headers["location"]
    victim.open(back)
    assert "fedcart_session" not in victim.http.cookies
    assert "begin it again" in victim.text
