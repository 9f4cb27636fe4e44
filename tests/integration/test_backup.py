"""The commands of docs/storage.md, run as they stand: a backup of a service in use, restored."""

import os
import re
import subprocess
from pathlib import Path

from consent.service.settings import Settings
from tests.postgres import Postgres, binaries, text
from tests.unit.consent.harness import WITHDRAW, Device, Stage

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


def libpq(url: str) -> str:
    return url.replace("+psycopg", "")
