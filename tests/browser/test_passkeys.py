"""Passkeys in a real Chromium, with its virtual authenticator."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from consent.service.accounts.repository import AccountRepository
from consent.service.tokens import token_hash
from tests.browser.conftest import Site, Visits
from tests.browser.seeding import newcomer

PAGE = "/account/passkeys"


class Device:
    """A browser of its own whose device verifies its user and keeps passkeys."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.context, self.page = context, page
        self._devtools: Any = context.new_cdp_session(page)
        self._devtools.send("WebAuthn.enable")
        self._authenticator = self._devtools.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )["authenticatorId"]

    def verifies(self, verified: bool) -> None:
        self._devtools.send(
            "WebAuthn.setUserVerified",
            {"authenticatorId": self._authenticator, "isUserVerified": verified},
        )

    @property
    def passkeys(self) -> list[dict[str, Any]]:
        found = self._devtools.send(
            "WebAuthn.getCredentials", {"authenticatorId": self._authenticator}
        )
        return list(found["credentials"])

    def sign_in_as(self, token: str, url: str) -> None:
        self.context.add_cookies([{"name": "fedcart_session", "value": token, "url": url}])


@pytest.fixture
def device(visits: Visits) -> Iterator[Device]:
    context = visits.browser.new_context(base_url=visits.site.url, locale="en-GB")
    context.set_default_timeout(15_000)
    yield Device(context, context.new_page())
    context.close()


def add(device: Device, name: str) -> None:
    device.page.goto(PAGE)
    device.page.get_by_label("A name for the new passkey").fill(name)
    device.page.get_by_role("button", name="Add a passkey").click()
    expect(device.page.get_by_role("heading", name=name)).to_be_visible()


def test_a_passkey_is_made_and_signs_in(device: Device, site: Site) -> None:
    page = device.page
    token = site.seeded.tokens[newcomer(site.stage, site.seeded, "passkey")]
    device.sign_in_as(token, site.url)
    add(device, "My phone")
    (made,) = device.passkeys
    assert made["isResidentCredential"]
    assert made["rpId"] == "localhost"
    device.context.clear_cookies()
    page.goto(f"/login?next={PAGE}")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="My phone")).to_be_visible()
    opened = {each.get("name"): each for each in device.context.cookies()}["fedcart_session"]
    assert opened.get("value") != token
    assert opened.get("httpOnly")


def test_a_device_that_does_not_know_its_user_makes_no_passkey(device: Device, site: Site) -> None:
    page = device.page
    device.sign_in_as(site.seeded.tokens[newcomer(site.stage, site.seeded, "stranger")], site.url)
    device.verifies(False)
    page.goto(PAGE)
    page.get_by_label("A name for the new passkey").fill("Nobody's")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_text("No passkey was made.")).to_be_visible()
    assert device.passkeys == []
    device.verifies(True)
    add(device, "Somebody's")


def test_an_old_login_is_sent_to_confirm_before_a_passkey_is_made(
    device: Device, site: Site
) -> None:
    token = site.seeded.tokens[newcomer(site.stage, site.seeded, "late")]
    device.sign_in_as(token, site.url)
    device.page.goto(PAGE)
    with site.stage.context.database.writing() as session:
        login = AccountRepository(session).login(token_hash(token))
        assert login is not None
        login.proved_at = 0
    device.page.get_by_label("A name for the new passkey").fill("Late")
    device.page.get_by_role("button", name="Add a passkey").click()
    device.page.wait_for_url("**/confirm?next=%2Faccount%2Fpasskeys")
    assert device.passkeys == []


def test_without_scripts_the_password_form_is_all_there_is(visits: Visits, site: Site) -> None:
    page = visits.context(None, scripts=False).new_page()
    page.goto("/login")
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_have_count(0)
    expect(page.get_by_role("textbox", name="Password")).to_be_visible()
    page.close()
