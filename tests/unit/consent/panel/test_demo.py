"""The demo as a real process: it starts by itself, can be looked around in, and leaves nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from typer.testing import CliRunner

from consent.cli import app
from consent.client import ConsentClient, fetch_keys
from consent.instruction import Instruction, InstructionKind
from consent.instruction_report import Count, Outcome, Report
from consent.panel.demo.clock import DemoClock
from consent.panel.demo.coordinator import KNOWN, PLAN
from consent.panel.demo.device import Device
from consent.panel.demo.story import ACCOUNTS
from consent.rights.request import RequestState
from crypto.dp.accounting import epsilon
from crypto.errors import InvalidInputError
from tests.unit.consent.harness import NOTICE, WITHDRAW

COMMAND = [sys.executable, "-W", "error", "-c", "from consent.cli import app; app()"]
SERVE = [*COMMAND, "serve", "--demo", "--port", "0"]
CSRF = re.compile(r'name="csrf" value="([^"]+)"')
LINK = re.compile(r'href="(/[^"#?]*)"')
PAGES = {
    "demo": {"/", "/choices", "/diary", "/points", "/history", "/policies", "/rights", "/account"},
    "operator": {"/operators", "/operators/requests", "/operators/audit", "/policies", "/account"},
    "auditor": {"/operators", "/operators/requests", "/operators/audit", "/policies", "/account"},
}


@dataclass
class Demo:
    url: str
    password: str
    folder: Path

    def login(self, name: str) -> str:
        """The token of a login, as the panel's cookie holds it."""
        credentials = {"name": name, "password": self.password}
        answer = httpx.post(f"{self.url}/v1/sessions", json=credentials)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    @contextmanager
    def browse(self, name: str) -> Iterator[httpx.Client]:
        """A browser in which somebody has signed in, through the form."""
        with httpx.Client(base_url=self.url, follow_redirects=True) as http:
            form = CSRF.search(http.get("/login").text)
            assert form is not None
            fields = {"csrf": form[1], "name": name, "password": self.password}
            assert http.post("/login", data=fields).url.path != "/login"
            yield http


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("temporary")
    errors = folder.with_name("errors")
    with errors.open("wb") as said:
        process = subprocess.Popen(
            SERVE, stdout=subprocess.PIPE, stderr=said, env={**os.environ, "TMPDIR": str(folder)}
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, errors.read_text()
        words = errors.read_text()
        password = re.search(r"name demo +password (\S+)", words)
        assert password is not None
        assert all(re.search(rf"{role} +name {name} ", words) for name, role in ACCOUNTS.items())
        assert len(list(folder.iterdir())) == 1  # while it runs, so that the last check can fail
        yield Demo(str(json.loads(line)["ready"]), password[1], folder)
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=30)
    assert (process.returncode, rest[0]) == (0, b"")
    assert "Error" not in errors.read_text()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", PAGES)
def test_every_page_can_be_looked_at(demo: Demo, name: str) -> None:
    with demo.browse(name) as http:
        start = http.get("/")
        links = set(LINK.findall(start.text))
        assert links >= PAGES[name] - {"/"}
        for path in sorted(links | PAGES[name]):
            assert http.get(path).status_code == 200, path


def test_there_is_something_to_see(demo: Demo) -> None:
    token = demo.login("demo")
    with httpx.Client(base_url=demo.url, headers={"Authorization": f"Bearer {token}"}) as http:
        who = http.get("/v1/account").json()["shopper"]
        points = http.get(f"/v1/shoppers/{who}/points").json()
        diary = http.get(f"/v1/shoppers/{who}/diary").json()
        log = http.get(f"/v1/shoppers/{who}/log").json()
        assert {entry["credit"] for entry in points["entries"]} == {"shopper", "redeemed"}
        assert diary["rounds"] >= 10
        assert min(entry["committed_at"] for entry in diary["entries"]) < (time.time() - 1e7) * 1e3
        assert len(log["events"]) >= 8
    operator = {"Authorization": f"Bearer {demo.login('operator')}"}
    queue = httpx.get(f"{demo.url}/v1/requests", headers=operator).json()
    assert len({request["state"] for request in queue["requests"]}) >= 2
    assert RequestState.IN_PROGRESS in {request["state"] for request in queue["requests"]}


def test_a_withdrawal_reaches_the_device(demo: Demo) -> None:
    token = demo.login("demo")
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=demo.url, headers=headers) as http:
        consent = ConsentClient(http, service_key=fetch_keys(http).key)
        who = http.get("/v1/account").json()["shopper"]
        epoch = consent.decide(who, token, WITHDRAW, notice_version=NOTICE).epoch
        deadline = time.monotonic() + 30
        while True:
            tracked = http.get(f"/v1/shoppers/{who}/withdrawals/{epoch}").json()
            if tracked["clients"]["state"] == "done":
                break
            assert time.monotonic() < deadline, tracked
            time.sleep(0.1)
        assert (tracked["saved"]["state"], tracked["grants"]["state"]) == ("done", "done")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_it_serves_this_machine_alone(host: str) -> None:
    refused = CliRunner().invoke(app, ["serve", "--demo", "--host", host])
    assert isinstance(refused.exception, InvalidInputError)
    assert "this machine alone" in str(refused.exception)


@pytest.mark.parametrize("words", [["--demo", "--home", "x"], []])
def test_a_home_or_the_demo(words: list[str]) -> None:
    refused = CliRunner().invoke(app, ["serve", *words])
    assert refused.exit_code == 2


def test_what_the_accountant_said_is_what_it_says() -> None:
    for rounds, value in KNOWN.items():
        assert epsilon([PLAN.release] * rounds, delta=PLAN.delta) == pytest.approx(value, rel=1e-9)


def test_the_demos_clock_never_passes_the_present() -> None:
    clock = DemoClock(time.time() - 60)
    clock.move(3600)
    assert clock() <= time.time()
    clock.run()
    with pytest.raises(ValueError, match="by itself"):
        clock.move(1)


@dataclass
class Service:
    """Hands out instructions, and keeps what is reported."""

    asked: list[Instruction]
    reports: list[Report] = field(default_factory=list)

    def instructions(self, _key: object) -> list[Instruction]:
        return self.asked

    def report(self, _key: object, reports: Sequence[Report]) -> None:
        self.reports += reports


def carried_out(device: Device, kind: InstructionKind, **details: Any) -> Report:
    instruction = Instruction(
        id="1" * 32,
        number=1,
        client="c",
        shopper="s",
        kind=kind,
        details=details,
        issued_at=0,
        expires_at=1,
    )
    service = Service([instruction])
    assert device.sync(cast("ConsentClient", service), now_ms=5) == 1
    (report,) = service.reports
    return report


def lines(device: Device) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((device.folder / "purchases.json").read_bytes())
    return found


def test_a_device_does_what_it_reports(tmp_path: Path) -> None:
    device = Device.bought(tmp_path / "device", until=1_800_000_000.0)
    first, second, *rest = lines(device)
    exported = carried_out(device, InstructionKind.EXPORT)
    assert exported.counts[Count.LINES_EXPORTED] == len(rest) + 2
    assert json.loads((device.folder / "export-1.json").read_bytes()) == [first, second, *rest]
    corrections = [
        {"item": first["item"], "day": first["day"], "delete": True},
        {"item": second["item"], "day": second["day"], "values": {"quantity": 9.0}},
    ]
    corrected = carried_out(device, InstructionKind.CORRECT, corrections=corrections)
    assert corrected.counts == {Count.LINES_CORRECTED: 1, Count.LINES_DELETED: 1}
    assert lines(device) == [{**second, "quantity": 9.0}, *rest]
    erased = carried_out(device, InstructionKind.ERASE)
    assert erased.counts == {Count.LINES_DELETED: len(rest) + 1, Count.FILES_DELETED: 2}
    assert list(device.folder.iterdir()) == []
    assert carried_out(device, InstructionKind.EXPORT).outcome is Outcome.NOTHING_THERE
    assert carried_out(device, InstructionKind.STOP).outcome is Outcome.STOPPED
