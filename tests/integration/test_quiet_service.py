"""A real ``fedcart consent serve`` says nothing of anybody on its streams, also when it fails."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.service.settings import create_home
from crypto.wire import b64, public_bytes
from tests.integration.processes import ROOT
from tests.unit.consent.harness import NOTICE

NAME = "canary-otter"
PASSWORD = "canary walks by the sea"
REGISTRATION = {
    "name": NAME,
    "password": PASSWORD,
    "shopper": {"consents": [], "notice_version": NOTICE, "age_band": "adult"},
}


@contextmanager
def serving(arguments: list[str], said: Path) -> Iterator[str]:
    """A service's URL; both its streams are in a file once it has ended."""
    with said.open("w") as err:
        child = subprocess.Popen(
            [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=err, text=True, cwd=ROOT
        )
        assert child.stdout is not None
        line = child.stdout.readline()
        assert line, said.read_text()
        try:
            yield str(json.loads(line)["ready"])
        finally:
            child.terminate()
            rest, _ = child.communicate(timeout=20)
            err.write(rest)


def use(http: httpx.Client) -> list[str]:
    """Register, log in, pair, read, and do much of it wrongly; returns what nobody may read."""
    made = http.post("/v1/accounts", json=REGISTRATION)
    assert made.status_code == 201, made.text
    account = made.json()
    token, shopper = account["session"]["token"], account["shopper"]
    login = {"Authorization": f"Bearer {token}"}
    again = {"name": NAME, "password": PASSWORD}
    opened = http.post("/v1/sessions", json=again).json()["token"]
    pairing = http.post(
        f"/v1/shoppers/{shopper}/pairing-code", json={"label": "phone"}, headers=login
    )
    code = pairing.json()["code"]
    key = b64(public_bytes(Ed25519PrivateKey.generate().public_key()))
    assert http.post("/v1/accounts", json=REGISTRATION).status_code == 409
    assert http.post("/v1/sessions", json={**again, "password": NAME * 2}).status_code == 401
    assert http.post("/v1/sessions", json={**again, PASSWORD: token}).status_code == 422
    assert http.post("/v1/pairings", json={"code": code, "client": key}).status_code == 422
    assert http.get(f"/v1/shoppers/{token}/consents", headers=login).status_code == 404
    assert http.get("/diary", headers={"Cookie": f"fedcart_session={token}"}).status_code == 200
    assert http.get(f"/nowhere?{code}", headers=login).status_code == 404
    return [NAME, PASSWORD, shopper, token, opened, code, key, *account["recovery_codes"]]


def test_its_streams_say_nothing_of_anybody(tmp_path: Path) -> None:
    home, said = tmp_path / "home", tmp_path / "said"
    create_home(home, issuer="shop")
    command = ["-m", "fedcart", "consent", "serve", "--home", str(home), "--port", "0"]
    with serving(command, said) as url, httpx.Client(base_url=url) as http:
        canaries = use(http)
        with sqlite3.connect(home / "consent.db") as database:
            database.execute("DROP TABLE age_statement")
        database.close()
        broken = http.post("/v1/accounts", json={**REGISTRATION, "name": f"{NAME}-2"})
        assert broken.status_code == 500
    text = said.read_text()
    assert "no such table: age_statement" in text  # the control: failures are written down
    assert [each for each in canaries if each in text] == []


BROKEN = """
import sys
from pathlib import Path
from fastapi import Request
from consent.panel.app import create_site
from consent.service.server import run
from consent.service.settings import Settings

site = create_site(Settings.load(Path(sys.argv[1])))

@site.post("/fails")
async def fails(request: Request) -> None:
    body = await request.json()
    try:
        int(body["password"])
    except ValueError as error:
        raise KeyError(body["name"]) from error

run(site, host="127.0.0.1", port=0, on_ready=lambda url: print(f'{{"ready": "{url}"}}', flush=True))
"""


def test_an_error_that_quotes_a_request_is_written_without_its_words(tmp_path: Path) -> None:
    home, said = tmp_path / "home", tmp_path / "said"
    create_home(home, issuer="shop")
    with serving(["-c", BROKEN, str(home)], said) as url:
        answer = httpx.post(f"{url}/fails", json={"name": NAME, "password": PASSWORD})
        assert answer.status_code == 500
    text = said.read_text()
    assert "builtins.ValueError\n" in text
    assert text.endswith("builtins.KeyError\n")
    assert NAME not in text
    assert PASSWORD not in text
