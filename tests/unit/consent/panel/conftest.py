"""The panel over an in-process service: a visitor with cookies, and forms as pages send them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from consent.panel.app import create_site
from consent.service.principals import Role
from tests.browser.seeding import login
from tests.unit.consent.harness import Device, Stage
from tests.unit.crypto.samples import signer

_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass
class Visitor:
    """A browser's cookies in front of the panel."""

    stage: Stage
    cookies: dict[str, str] = field(default_factory=dict)
    device: Device | None = None

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self._keep(self.stage.http.get(path, headers=self._headers(headers)))

    def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        """Send a form with the token of a page that she was shown."""
        return self.send(path, {"csrf": self.token(), **fields}, **headers)

    def send(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        answer = self.stage.http.post(path, data=fields, headers=self._headers(headers))
        return self._keep(answer)

    def token(self) -> str:
        found = _CSRF.search(self.get("/").text)
        assert found is not None
        return found[1]

    def speaks(self, language: str) -> "Visitor":
        self.cookies["fedcart_language"] = language
        return self

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"cookie": cookies, **{name.replace("_", "-"): text for name, text in more.items()}}

    def _keep(self, answer: httpx.Response) -> httpx.Response:
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
        self.stage.http.cookies.clear()
        return answer


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[Stage]:
    """The whole site, on SQLite."""
    key = signer("coordinator").public_key()
    made = Stage(tmp_path / "consent", build=create_site, coordinator_key=key)
    yield made
    made.close()


@pytest.fixture
def nobody(panel: Stage) -> Visitor:
    return Visitor(panel)


@pytest.fixture
def shopper(panel: Stage) -> Visitor:
    """A shopper who is signed in and has decided nothing."""
    return shopper_of(panel, panel.device(decisions={}), "shopper")


@pytest.fixture
def operator(panel: Stage) -> Visitor:
    token = login(panel, Role.OPERATOR, "operator", None)
    return Visitor(panel, {"fedcart_session": token, "fedcart_language": "en"})


def shopper_of(panel: Stage, device: Device, name: str) -> Visitor:
    token = login(panel, Role.SHOPPER, name, device.shopper)
    cookies = {"fedcart_session": token, "fedcart_language": "en"}
    return Visitor(panel, cookies, device)
