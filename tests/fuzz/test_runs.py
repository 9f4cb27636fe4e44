"""Short, repeatable runs of the fuzzer, and parsers with flaws that it has to find."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.fuzz.families import CONTROLS, FAMILIES, module
from tests.fuzz.target import Target

ROOT = Path(__file__).parents[2]
RUNS = 2000
ERRORS = list(zip(CONTROLS, ("IndexError", "KeyError"), strict=True))
TARGETS = [
    pytest.param(target, id=f"{family}-{target.name}")
    for family in FAMILIES
    for target in import_module(module(family)).TARGETS
]


def fuzz(
    family: str, folder: Path, *, runs: int, seed: int = 1
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.run", family, str(folder)]
    options = [f"-runs={runs}", "-seed=1"]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    return subprocess.run(
        [*command, *options],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_takes_its_good_bytes_and_no_hostile_ones(target: Target) -> None:
    """Without this, a target that refuses everything would fuzz nothing."""
    assert target.seeds
    for seed in target.seeds:
        target.parse(seed)
    for trick in target.hostile:
        with pytest.raises(target.allowed):
            target.parse(trick)


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_found(family: str, tmp_path: Path) -> None:
    done = fuzz(family, tmp_path, runs=RUNS)
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"Done {RUNS} runs" in done.stderr
    assert not list(tmp_path.glob("crash-*"))


@pytest.mark.parametrize(("family", "error"), ERRORS)
def test_a_flaw_is_found(family: str, error: str, tmp_path: Path) -> None:
    done = fuzz(family, tmp_path, runs=400_000)
    assert done.returncode == 77
    assert error in done.stdout + done.stderr
    (crash,) = tmp_path.glob("crash-*")
    target: Target = import_module(module(family)).TARGETS[0]
    with pytest.raises((IndexError, KeyError)):
        target.run(crash.read_bytes()[1:])


def test_no_such_family(tmp_path: Path) -> None:
    done = fuzz("anything", tmp_path, runs=1)
    assert done.returncode == 1
    assert "Expected a family among wire, message" in done.stderr


def test_make_fuzz_runs_every_family() -> None:
    (line,) = [
        line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("FAMILIES")
    ]
    assert tuple(line.split(":=")[1].split()) == FAMILIES
