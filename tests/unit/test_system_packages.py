"""What ``make test`` does about Debian's packages, with stand-ins for what it would call."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "system-packages"


def run(folder: Path, **programs: str) -> "subprocess.CompletedProcess[str]":
    """Run the script where only these programs exist (and PostgreSQL's, if they are installed)."""
    for name in ("bash", "env"):
        (folder / name).symlink_to(str(shutil.which(name)))
    for name, body in programs.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!{shutil.which('bash')}\n{body}\n")
        path.chmod(0o755)
    return subprocess.run(
        [str(shutil.which("bash")), SCRIPT],
        env={"PATH": str(folder), "FEDCART_TEST_POSTGRES": "elsewhere"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_silent_when_nothing_is_missing() -> None:
    done = subprocess.run([SCRIPT], env=os.environ.copy(), capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_without_the_right_it_says_what_to_type(tmp_path: Path) -> None:
    done = run(tmp_path, id="echo 1000", sudo="exit 1")
    assert done.returncode == 1
    assert "sudo apt-get install" in done.stderr
    assert "sqlite3" in done.stderr


@pytest.mark.parametrize("programs", [{"id": "echo 0"}, {"id": "echo 1000", "sudo": '"${@:2}"'}])
def test_with_the_right_it_installs_and_says_so(tmp_path: Path, programs: dict[str, str]) -> None:
    log = tmp_path / "log"
    apt_get = f'echo "$DEBIAN_FRONTEND $@" >> {log}'
    done = run(tmp_path, **programs, apt_get=apt_get)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Installing")
    update, install = log.read_text().splitlines()
    assert update == "noninteractive update -qq"
    assert install.startswith("noninteractive install")
    assert "sqlite3" in install
