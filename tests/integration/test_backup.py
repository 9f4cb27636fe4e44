"""The commands of docs/storage.md, run as they stand: a backup of a service in use, restored."""

import json
import os
import re
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from consent.service.settings import Settings
from tests.integration.processes import ROOT, running
from tests.postgres import Postgres, binaries, text
from tests.unit.consent.harness import WITHDRAW, Device, Stage
from tests.unit.consent.service.rights_calls import person

DOCUMENT = Path(__file__).parents[2] / "docs" / "storage.md"
BLOCK = re.compile(r"<!-- tested: (\w+) -->\n```console\n(.*?)```", re.DOTALL)


def run_documented(database: str, step: int, folder: Path, **environment: str) -> None:
    """Run one step for one database: 0 backs up, 1 restores."""
    blocks = [block for name, block in BLOCK.findall(DOCUMENT.read_text()) if name == database]
    assert len(blocks) == 2
    script = "\n".join(line.removeprefix("$ ") for line in blocks[step].splitlines())
    subprocess.run(
        ["bash", "-euc", script],
        check=True,
        cwd=folder,
        env={"PATH": f"{os.environ['PATH']}:{binaries()}", **environment},
    )


def remembers(stage: Stage, device: Device, epoch: int) -> bool:
    token = device.shoppers[device.shopper]
    return stage.client.consents(device.shopper, token).epoch == epoch


def test_a_file_is_backed_up_in_use_and_restored(tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    home = tmp_path / "fed" / "consent"
    home.parent.mkdir()
    stage = Stage(home)
    device = stage.device()
    with stage.context.database.reading() as session:
        session.connection()
        run_documented("sqlite", 0, tmp_path)
    stage.decide(device, WITHDRAW)
    stage.close()
    run_documented("sqlite", 1, tmp_path)
    assert (home / "consent.db").stat().st_mode & 0o777 == 0o600
    again = stage.again()
    assert remembers(again, device, 1)
    assert again.decide(device, WITHDRAW) == 2
    again.close()


def test_a_database_is_backed_up_in_use_and_restored(tmp_path: Path, postgres: Postgres) -> None:
    (tmp_path / "backup").mkdir()
    used, new = (text(postgres.empty()) for _ in range(2))
    stage = Stage(tmp_path / "home", database=lambda: used)
    device = stage.device()
    run_documented("postgresql", 0, tmp_path, DATABASE=libpq(used))
    stage.decide(device, WITHDRAW)
    stage.close()
    run_documented("postgresql", 1, tmp_path, DATABASE=libpq(new))
    settings = tmp_path / "home" / "settings.json"
    settings.write_text(settings.read_text().replace(used, new))
    again = Stage(tmp_path / "home", settings=Settings.load(tmp_path / "home"))
    assert remembers(again, device, 1)
    assert again.decide(device, WITHDRAW) == 2
    again.close()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_whoever_was_erased_stays_erased_after_a_restore(
    tmp_path: Path, postgres: Postgres, database: str
) -> None:
    """Backup, erase, restore: the service does not start until the erasures were repeated."""
    (tmp_path / "backup").mkdir()
    home = tmp_path / "fed" / "consent"
    home.parent.mkdir()
    used, new = (text(postgres.empty()) if database == "postgresql" else "" for _ in range(2))
    with closing(Stage(home, database=lambda: used or None)) as stage:
        stage.clock.now = time.time()
        who, exact, other = (person(stage) for _ in range(3))
        run_documented(database, 0, tmp_path, DATABASE=libpq(used))
        codes = [who.erased(), exact.erased(exact=True)]
    run_documented(database, 1, tmp_path, DATABASE=libpq(new))
    if new:
        settings = home / "settings.json"
        settings.write_text(settings.read_text().replace(used, new))
    refused = fedcart(home, "serve", "--port", "0")
    assert refused.returncode != 0
    assert "2 of its shoppers had been erased since. Before" in refused.stderr
    (command,) = re.findall(r"run: fedcart consent (\S+) --home", refused.stderr)
    for erased in (2, 0):
        repeated = fedcart(home, command)
        assert json.loads(repeated.stdout) == {"listed": 2, "erased_again": erased}
    assert json.loads(fedcart(home, "audit", "verify").stdout)["holds"]
    program: list[str | Path] = ["-m", "fedcart", "consent", "serve", "--home", home]
    with (
        running([*program, "--port", "0"]) as (service,),
        httpx.Client(base_url=service.url) as http,
    ):
        for each, status in ((who, 404), (exact, 404), (other, 200)):
            assert http.get(each.path(), headers=each.headers).status_code == status
        for code in codes:
            found = http.get(f"/v1/erasures/{code}").json()
            assert found["erased_at"] > found["received_at"] > 0


def fedcart(home: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the consent service."""
    line = [sys.executable, "-m", "fedcart", "consent", *command, "--home", str(home)]
    return subprocess.run(line, check=False, capture_output=True, text=True, cwd=ROOT, timeout=60)


def libpq(url: str) -> str:
    return url.replace("+psycopg", "")
