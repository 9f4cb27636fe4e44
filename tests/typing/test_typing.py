"""Every illegal flow is an error, line by line: the positive control of ``illegal_flows``."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

FLOWS = Path(__file__).with_name("illegal_flows.py")
ROOT = Path(__file__).parents[2]
IGNORE = re.compile(r"  # type: ignore\[([a-z-]+)\]")


def marked() -> dict[int, str]:
    """Line number to the expected error code."""
    lines = FLOWS.read_text().splitlines()
    found = {number: IGNORE.search(line) for number, line in enumerate(lines, start=1)}
    return {number: match[1] for number, match in found.items() if match}


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> dict[int, set[str]]:
    """What mypy says about a copy without its ignores: line number to error codes."""
    copy = tmp_path_factory.mktemp("typing") / "flows_without_ignores.py"
    copy.write_text(IGNORE.sub("", FLOWS.read_text()))
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        str(ROOT / "pyproject.toml"),
        "--no-error-summary",
        "--show-error-codes",
        str(copy),
    ]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1, result.stdout + result.stderr
    found: dict[int, set[str]] = {}
    pattern = re.escape(copy.name) + r":(\d+): error: .*\[([a-z-]+)\]$"
    for line, code in re.findall(pattern, result.stdout, re.MULTILINE):
        found.setdefault(int(line), set()).add(code)
    return found


def test_every_marked_line_errs_for_its_reason(reported: dict[int, set[str]]) -> None:
    assert len(marked()) > 25
    missing = {n: code for n, code in marked().items() if code not in reported.get(n, set())}
    assert missing == {}


def test_legal_lines_do_not(reported: dict[int, set[str]]) -> None:
    """The legal flow stands beside each illegal one, so that an error means what it says."""
    assert reported.keys() == marked().keys()


def test_the_flows_are_never_imported() -> None:
    assert not any(name.endswith("illegal_flows") for name in sys.modules)
