import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx
from typer.testing import CliRunner

from consent.cli import app
from consent.client import fetch_keys
from consent.service.settings import Settings
from crypto.errors import InvalidInputError
from crypto.wire import b64, public_bytes
from tests.unit.crypto.samples import signer

COMMAND = [sys.executable, "-W", "error", "-c", "from consent.cli import app; app()"]


def test_init_prints_what_to_pin(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["init", "--home", str(tmp_path / "home"), "--issuer", "shop"])
    assert done.exit_code == 0, done.output
    line = json.loads(done.stdout)
    assert line["issuer"] == "shop"
    assert len(line["public_key"]) == 43
    assert Path(line["coordinator_token"]).read_text() not in done.output


def test_init_twice_is_refused(tmp_path: Path) -> None:
    runner = CliRunner()
    runner.invoke(app, ["init", "--home", str(tmp_path)])
    again = runner.invoke(app, ["init", "--home", str(tmp_path)])
    assert isinstance(again.exception, InvalidInputError)


def test_a_long_lifetime_is_wrong_use(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["init", "--home", str(tmp_path), "--grant-lifetime", "601"])
    assert done.exit_code == 2


def test_a_coordinator_key_is_pinned_at_init_or_later(tmp_path: Path) -> None:
    runner, key = CliRunner(), b64(public_bytes(signer("coordinator").public_key()))
    for home, options in (("first", ["--coordinator-key", key]), ("later", [])):
        folder = str(tmp_path / home)
        assert runner.invoke(app, ["init", "--home", folder, *options]).exit_code == 0
        done = runner.invoke(app, ["pin-coordinator", "--home", folder, key])
        assert json.loads(done.stdout)["coordinator_key"] == key
        assert Settings.load(tmp_path / home).coordinator_key is not None
    other = b64(public_bytes(signer("impostor").public_key()))
    refused = runner.invoke(app, ["pin-coordinator", "--home", str(tmp_path / "later"), other])
    assert isinstance(refused.exception, InvalidInputError)


def test_serve_says_when_it_listens(tmp_path: Path) -> None:
    made = CliRunner().invoke(app, ["init", "--home", str(tmp_path)])
    server = subprocess.Popen(
        [*COMMAND, "serve", "--home", str(tmp_path), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["ready"]
        with httpx.Client(base_url=url) as http:
            key = fetch_keys(http).key
            assert http.get("/v1/healthz").json() == {"status": "ok"}
        assert b64(public_bytes(key)) == json.loads(made.stdout)["public_key"]
    finally:
        server.send_signal(signal.SIGTERM)
        _, errors = server.communicate(timeout=20)
    assert errors == b""
