"""Calls about a shopper's rights, as she, her device and an operator make them."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx

from consent.instruction import Instruction
from consent.instruction_report import FetchRequest, Outcome, Report, ReportStatus
from consent.rights.proof import Possession, Step, asked_hash
from consent.service.accounts.service import create_account, open_session
from consent.service.principals import Role
from consent.service.rights.schemas import NewRequest
from crypto.wire import SignedRecord
from tests.unit.consent.harness import Device, Stage
from tests.unit.consent.rounds import bearer

_NUMBERS = count()


def login(
    stage: Stage, role: Role, *, shopper: str | None = None, proved: bool = True
) -> dict[str, str]:
    """The headers of a fresh login; it is no proof any more where ``proved`` is False."""
    context = stage.context
    with context.database.writing() as session:
        account = create_account(
            context, session, role=role, shopper_id=shopper, name=f"somebody{next(_NUMBERS)}"
        )
        token = open_session(context, session, account, label="test")
    if not proved:
        stage.clock.now += 601
    return bearer(token)


def operator(stage: Stage) -> dict[str, str]:
    return login(stage, Role.OPERATOR)


@dataclass
class Person:
    """A shopper with her device; ``headers`` are those of her device's token or of her login."""

    stage: Stage
    device: Device
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.headers = self.headers or bearer(self.device.shoppers[self.device.shopper])

    @property
    def shopper(self) -> str:
        return self.device.shopper

    def path(self, request: str = "", step: str = "") -> str:
        parts = [f"/v1/shoppers/{self.shopper}/requests", request, step]
        return "/".join(part for part in parts if part)

    def ask(self, kind: str, *, key: str | None = None, **body: Any) -> httpx.Response:
        key = key or f"request-{next(_NUMBERS):016}"
        sent = {"kind": kind, "residence": "eea", **body}
        return self.stage.http.post(
            self.path(), json=sent, headers={**self.headers, "Idempotency-Key": key}
        )

    def ask_with_proof(self, kind: str, **body: Any) -> httpx.Response:
        key = f"request-{next(_NUMBERS):016}"
        asked = NewRequest(kind=kind, residence="eea", **body).asked(key)
        return self.ask(kind, key=key, proof=self.proof(Step.OPEN, asked).to_json(), **body)

    def confirm(self, request: str, *, signed: bool = False) -> httpx.Response:
        proof = self.proof(Step.CONFIRM, {"request": request}).to_json() if signed else None
        return self.stage.http.post(
            self.path(request, "confirm"), json={"proof": proof}, headers=self.headers
        )

    def cancel(self, request: str) -> httpx.Response:
        return self.stage.http.post(self.path(request, "cancel"), headers=self.headers)

    def read(self, request: str) -> dict[str, Any]:
        found: dict[str, Any] = self.stage.http.get(self.path(request), headers=self.headers).json()
        return found

    def proof(self, step: Step, asked: dict[str, object], **changes: Any) -> SignedRecord:
        fields: dict[str, Any] = {
            "shopper": self.shopper,
            "step": step,
            "asked": asked_hash(asked),
            "client_key": self.device.key.public_key(),
            "issued_at": int(self.stage.clock.now),
        }
        return Possession(**(fields | changes)).sign(self.device.key)

    def erased(self, *, exact: bool = False) -> str:
        """Have everything erased; returns the status code."""
        asked = self.ask("erasure", exact=exact).json()
        done = self.confirm(asked["id"], signed=True)
        assert done.status_code == 200, done.text
        code: str = asked["status_code"]
        return code


def person(stage: Stage, **changes: Any) -> Person:
    return Person(stage, stage.device(**changes))


def instructions(stage: Stage, device: Device) -> list[Instruction]:
    """What the device is still to do."""
    key = device.key
    asked = FetchRequest(client_key=key.public_key(), issued_at=int(stage.clock.now)).sign(key)
    answer = stage.http.post("/v1/instructions/fetch", json=asked.to_json())
    records = answer.json()["instructions"]
    return [Instruction.verify(SignedRecord.from_json(r), stage.service_key) for r in records]


def report_all(
    stage: Stage,
    device: Device,
    *,
    status: ReportStatus = ReportStatus.DONE,
    outcome: Outcome = Outcome.NOTHING_THERE,
) -> None:
    """Have the device fetch and report everything that it is still to do."""
    found = instructions(stage, device)
    reports = [
        Report(
            instruction=each.id,
            client_key=device.key.public_key(),
            status=status,
            outcome=outcome,
            at=int(stage.clock.now * 1000),
        )
        .sign(device.key)
        .to_json()
        for each in found
    ]
    if reports:
        answer = stage.http.post("/v1/instructions/report", json={"reports": reports})
        assert answer.status_code == 200, answer.text
