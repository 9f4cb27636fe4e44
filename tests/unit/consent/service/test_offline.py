"""What a shopper can check of her receipts without the service, and what must not pass."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from consent.cli import app
from consent.log.head import TreeHead
from consent.purpose import CELLS, Decision
from consent.receipt import Receipt
from crypto.errors import WireError
from crypto.wire import SignedRecord, b64, public_bytes
from tests.unit.consent.harness import GIVE, WITHDRAW, Device, Stage

MANY = dict.fromkeys(CELLS[:6], Decision.GIVEN)


def receipt(stage: Stage, device: Device) -> httpx.Response:
    return stage.http.get(
        f"/v1/shoppers/{device.shopper}/receipts/1",
        headers={"Authorization": f"Bearer {device.shoppers[device.shopper]}"},
    )


class Offline:
    """Files as a shopper keeps them, and the verifier's words about them."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.folder, self.key = folder, b64(public_bytes(stage.service_key))

    def keep(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    def run(self, receipt: bytes, *options: str, key: str | None = None) -> tuple[int, str]:
        file = self.keep("receipt.json", receipt)
        done = CliRunner().invoke(app, ["verify", file, "--key", key or self.key, *options])
        return done.exit_code, done.output


@pytest.fixture
def offline(stage: Stage, tmp_path: Path) -> Offline:
    return Offline(stage, tmp_path)


def test_a_receipt_is_checked_offline(stage: Stage, offline: Offline) -> None:
    early, device = stage.device(), stage.device(decisions=MANY)
    kept = offline.keep("early.json", stage.http.get("/v1/log/head").content)
    stage.decide(early, WITHDRAW)
    document = receipt(stage, device).content
    code, said = offline.run(document)
    assert (code, said.count("holds: "), "FAILS" in said) == (0, 9, False)
    stage.decide(early, GIVE)
    later = offline.keep("later.json", stage.http.get("/v1/log/head").content)
    assert offline.run(document, "--head", later)[0] == 2
    proofs: list[str] = []
    for first, second in ((7, 8), (8, 9)):
        found = stage.http.get(f"/v1/log/consistency?first={first}&second={second}").content
        proofs += ["--consistency", offline.keep(f"{first}.json", found)]
    code, said = offline.run(document, "--head", later, "--earlier-head", kept, *proofs)
    assert (code, said.count("only grew")) == (0, 2)


def test_a_log_that_was_rewritten_is_found_out(
    stage: Stage, offline: Offline, tmp_path: Path
) -> None:
    device = stage.device(decisions=MANY)
    document = receipt(stage, device).content
    forged = TreeHead(time=1, size=6, root=bytes(32)).sign(stage.context.key)
    same = offline.keep("same.json", forged.to_bytes())
    code, said = offline.run(document, "--head", same)
    assert (code, said.count("FAILS")) == (1, 1)
    stranger = Stage(tmp_path / "other")
    foreign = offline.keep("foreign.json", stranger.http.get("/v1/log/head").content)
    assert offline.run(document, "--head", foreign)[0] == 1
    assert offline.run(document, key=b64(public_bytes(stranger.service_key)))[0] == 1
    stranger.close()


def _set(document: dict[str, Any], *path: Any, value: Any) -> None:
    for step in path[:-1]:
        document = document[step]
    document[path[-1]] = value


Change = Callable[[dict[str, Any]], None]
CHANGES: dict[str, Change] = {
    "state": lambda d: _set(d, "events", 0, "event_state", value="dpv:ConsentRefused"),
    "entry": lambda d: _set(d, "events", 0, "logged_event", "state", value="refused"),
    "controller": lambda d: _set(d, "party_identification", 0, "name", value="Somebody"),
    "shopper": lambda d: _set(d, "pii_principal_id", value="0" * 32),
    "extra": lambda d: _set(d, "note", value="trust me"),
    "fewer events": lambda d: d["events"].pop(),
    "place": lambda d: _set(d, "proof", "log", "leaves", 0, "index", value=1),
    "path": lambda d: _set(d, "proof", "log", "leaves", 0, "path", 0, value="A" * 43),
    "shorter path": lambda d: d["proof"]["log"]["leaves"][0]["path"].pop(),
    "fewer leaves": lambda d: d["proof"]["log"]["leaves"].pop(),
    "key": lambda d: _set(d, "proof", "log", "key", value="A" * 43),
}


@pytest.mark.parametrize("name", CHANGES)
def test_altered_receipts_fail(stage: Stage, offline: Offline, name: str) -> None:
    document = receipt(stage, stage.device(decisions=MANY)).json()
    CHANGES[name](document)
    code, said = offline.run(json.dumps(document).encode())
    assert (code, "FAILS" in said) == (1, True)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"proof": {}}', b'{"proof": {"signature": 1, "log": {}}}', b"\xff"],
)
def test_what_is_no_receipt_is_wrong_use(offline: Offline, content: bytes) -> None:
    code, said = offline.run(content)
    assert code == 2
    assert "error: " in said


def test_every_flipped_byte_is_noticed(stage: Stage) -> None:
    device = stage.device()
    data = json.dumps(receipt(stage, device).json(), separators=(",", ":")).encode()
    end = data.index(b'"proof"')
    for place in range(0, end, 7):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(WireError):
            Receipt.from_bytes(bytes(changed)).verified(stage.service_key)


def test_a_receipt_signed_by_the_service_can_not_contradict_the_log(stage: Stage) -> None:
    found = Receipt.from_bytes(receipt(stage, stage.device()).content)
    body, _ = found.verified(stage.service_key)
    cases: list[Change] = [
        lambda d: _set(d, "events", 0, "event_state", value="dpv:ConsentRefused"),
        lambda d: _set(d, "events", value=[]),
        lambda d: _set(d, "events", 0, value={}),
        lambda d: _set(d, "pii_principal_id", value="0" * 32),
        lambda d: _set(d, "events", 0, "logged_event", "purpose", value="sell"),
        lambda d: _set(d, "events", 0, "logged_event", "time", value=2**52),
    ]
    for change in cases:
        altered = json.loads(json.dumps(body))
        change(altered)
        record = SignedRecord.sign("receipt", altered, stage.context.key)
        with pytest.raises(WireError):
            replace(found, record=record).verified(stage.service_key)


def test_nobody_elses_record_passes_for_a_receipt(stage: Stage) -> None:
    found = Receipt.from_bytes(receipt(stage, stage.device()).content)
    record = SignedRecord.sign("tree-head", json.loads(found.record.body), stage.context.key)
    with pytest.raises(WireError):
        replace(found, record=replace(record, type="receipt")).verified(stage.service_key)
