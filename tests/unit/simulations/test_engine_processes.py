"""Processes are ended with everything they started, and say why they failed."""

import os
import sys
from pathlib import Path

import pytest

from crypto.errors import FedcartError
from simulations.engine.processes import family, free_ports, listens, started

PARENT = (
    "import subprocess, sys;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    "print('child', child.pid, flush=True);"
    "child.wait()"
)
STUBBORN = (
    "import signal, time;"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('ready', flush=True);"
    "time.sleep(600)"
)
# Its child stays when it goes.
PARENT_OF_STUBBORN = (
    f"import subprocess, sys;subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]).wait()"
)


# Its child leaves its process group, and its log.
PARENT_OF_DETACHED = (
    "import subprocess, sys, time;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],"
    " start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL);"
    "print('child', child.pid, flush=True);"
    "time.sleep(600)"
)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_process_ends_with_its_descendants(tmp_path: Path) -> None:
    with started("parent", python(PARENT), log=tmp_path / "log", environment=os.environ) as parent:
        parent.await_condition(lambda: "child" in parent.output(), what="start", timeout=60)
        assert len(family(parent.mark)) == 2
    assert not parent.running
    assert family(parent.mark) == []


def test_a_process_that_ignores_sigterm_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulations.engine.processes.STOP_S", 0.5)
    with started("rude", python(STUBBORN), log=tmp_path / "log", environment=os.environ) as rude:
        rude.await_condition(lambda: "ready" in rude.output(), what="start", timeout=60)
    assert rude.child.returncode == -9


def test_a_descendant_that_ignores_sigterm_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulations.engine.processes.STOP_S", 0.5)
    log, code = tmp_path / "log", python(PARENT_OF_STUBBORN)
    with started("parent", code, log=log, environment=os.environ) as parent:
        parent.await_condition(lambda: "ready" in parent.output(), what="start", timeout=60)
    assert parent.child.returncode == -15
    assert family(parent.mark) == []


def test_a_detached_descendant_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulations.engine.processes.STOP_S", 0.5)
    log, code = tmp_path / "log", python(PARENT_OF_DETACHED)
    with started("parent", code, log=log, environment=os.environ) as parent:
        parent.await_condition(lambda: "child" in parent.output(), what="start", timeout=60)
        assert len(family(parent.mark)) == 2
    assert family(parent.mark) == []


def test_an_exception_ends_the_process_too(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="harness"),
        started("parent", python(PARENT), log=tmp_path / "log", environment=os.environ) as parent,
    ):
        raise RuntimeError("the harness failed")
    assert not parent.running


def test_a_failed_process_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    code = "print('first\\nno such key'); raise SystemExit(3)"
    with (
        started("node-7", python(code), log=tmp_path / "log", environment=os.environ) as process,
        pytest.raises(FedcartError, match=r"(?s)node-7 ended with exit code 3.*no such key"),
    ):
        process.await_condition(lambda: False, what="connect", timeout=60)


def test_a_process_that_takes_too_long_is_named(tmp_path: Path) -> None:
    with (
        started("slow", python(PARENT), log=tmp_path / "log", environment=os.environ) as process,
        pytest.raises(FedcartError, match="slow did not connect within 0 s"),
    ):
        process.await_condition(lambda: False, what="connect", timeout=0.2)


def test_free_ports_differ_and_nothing_listens_there() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert not listens(ports[0])
