"""The command line as a whole: light to start, complete, and honest in its exit codes."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer.main

from crypto.errors import (
    BudgetError,
    ConsentError,
    FedcartError,
    InvalidInputError,
    PlanError,
    WireError,
)
from fedcart import PARTIES, RESEARCH, app
from tests.unit.commands import fedcart

RUNNING = Path(__file__).parents[2] / "docs" / "running.md"
HEAVY = {
    "torch",
    "sqlalchemy",
    "flwr",
    "numpy",
    "pandas",
    "tenseal",
    "scipy",
    "httpx",
    "pydantic",
    "fastapi",
}
# Runs the command, then prints which heavy modules it imported as the last line.
PROBE = """
import json, sys
sys.argv = ["fedcart", *sys.argv[1:]]
from fedcart import main
try:
    main()
except SystemExit as left:
    code = left.code
loaded = {name.split(".")[0] for name in sys.modules}
print(json.dumps({"code": code, "loaded": sorted(loaded)}))
"""


def _probe(*words: str) -> tuple[str, int, set[str]]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE, *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    *printed, last = done.stdout.splitlines()
    told = json.loads(last)
    return "\n".join(printed), int(told["code"] or 0), set(told["loaded"])


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("device", "--help"),
        ("device", "init", "--help"),
        ("store", "init", "--help"),
        ("store", "import", "--help"),
        ("coordinator", "--help"),
        ("coordinator", "init", "--help"),
    ],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    printed, code, loaded = _probe(*words)
    assert code == 0
    assert "Usage:" in printed
    assert loaded & HEAVY == set()


def test_help_imports_no_partys_commands() -> None:
    _, _, loaded = _probe("--help")
    assert loaded & {"client", "server", "consent", "simulations"} == set()


def test_help_lists_every_command() -> None:
    printed = fedcart("--help").said
    for name in (*RESEARCH, *PARTIES):
        assert f" {name} " in printed


def test_every_command_has_help() -> None:
    for name in (*RESEARCH, *PARTIES):
        shown = fedcart(name, "--help")
        assert shown.code == 0
        assert "Usage:" in shown.out


def test_no_words_show_the_help() -> None:
    assert "Commands" in fedcart().said


def test_the_version_is_one_line() -> None:
    shown = fedcart("--version")
    assert shown.code == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", shown.out)


@pytest.mark.parametrize("words", [("nonsense",), ("device", "nonsense"), ("device", "--nonsense")])
def test_what_does_not_exist_is_wrong_use(words: tuple[str, ...]) -> None:
    found = fedcart(*words)
    assert found.code == 2
    assert "nonsense" in found.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInputError("no such thing"), 2),
        (WireError("malformed"), 2),
        (PlanError("contradiction"), 2),
        (ConsentError("nobody agreed"), 1),
        (BudgetError("spent"), 1),
        (FedcartError("failed"), 1),
        (OSError(28, "No space left on device"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_become_one_line_and_an_exit_code(
    error: Exception, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("server.home.CoordinatorHome.load", fail)
    found = fedcart("coordinator", "plan", "--home", tmp_path)
    assert (found.code, found.out, found.err) == (code, "", f"error: {error}\n")


def test_a_defect_is_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr("server.home.CoordinatorHome.load", fail)
    with pytest.raises(KeyError):
        fedcart("coordinator", "plan", "--home", tmp_path)


def _documented() -> Iterator[list[str]]:
    """The words of every fedcart command in the walk-through, also those inside ``$(...)``."""
    for block in re.findall(r"```console\n(.*?)```", RUNNING.read_text(), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            for command in re.findall(r"(?:^\$ |\$\()fedcart ([^|&>)]*)", line):
                yield shlex.split(command)


DOCUMENTED = list(_documented())


def _resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    command: click.Command = typer.main.get_command(app)
    rest = list(words)
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), rest[0])
        assert found is not None, f"There is no command {' '.join(words)}."
        command, rest = found, rest[1:]
    return command, rest


@pytest.mark.parametrize("words", DOCUMENTED, ids=lambda words: " ".join(words[:2]))
def test_documented_commands_would_run(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["fedcart", *words])
    command, rest = _resolve(words)
    parser = command.make_parser(click.Context(command))
    given, left, _ = parser.parse_args(rest)
    assert left == [], f"fedcart {' '.join(words)}: {left} belongs to no option"
    missing = [p.name for p in command.params if p.required and given.get(str(p.name)) is None]
    assert missing == [], f"fedcart {' '.join(words)}: lacks {missing}"


def test_the_walk_through_has_every_party() -> None:
    shown = {tuple(words[:2]) for words in DOCUMENTED}
    steps = {
        "consent": ("init", "pin-coordinator", "serve"),
        "keyholder": ("init", "peers", "serve"),
        "coordinator": ("key", "init", "plan", "status"),
        "device": ("init", "import", "recommend", "choices", "choose", "sync", "status", "forget"),
        "data": ("import",),
    }
    assert shown == {(party, step) for party, all_ in steps.items() for step in all_}
