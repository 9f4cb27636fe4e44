"""Instructions to clients: who gets which, once, and what a report changes."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from consent.correction import MAX_CORRECTIONS
from consent.instruction import LIFETIME_DAYS, Instruction, InstructionKind, InstructionState
from consent.instruction_report import Count, FetchRequest, Outcome, Report, ReportStatus
from consent.purpose import Category, Cell, Decision, Purpose
from consent.service.instructions import service
from consent.service.instructions.delivery import PAGE
from consent.service.records.service import write_expiries
from crypto.errors import ConsentError, InvalidInputError
from tests.unit.consent.harness import GIVE, NOTICE, TRAIN_PURCHASES, WITHDRAW, Device, Stage

BROWSING = Cell(Purpose.TRAIN, Category.BROWSING)
BOTH = {**GIVE, BROWSING: Decision.GIVEN}
DAY = 24 * 60 * 60
CORRECTION = {"item": "milk", "day": "2026-11-30", "delete": True}


def issue(stage: Stage, device: Device, kind: str, **more: Any) -> list[str]:
    with stage.context.database.writing() as session:
        return service.issue(stage.context, session, device.shopper, kind, **more)


def fetch(stage: Stage, device: Device) -> list[Instruction]:
    return list(stage.client.instructions(device.key))


def done(device: Device, found: Instruction, **changes: Any) -> Report:
    fields: dict[str, Any] = {
        "status": ReportStatus.DONE,
        "outcome": Outcome.STOPPED,
        "counts": {Count.CELLS: 1},
        "at": 5,
    }
    return Report(instruction=found.id, client_key=device.key.public_key(), **(fields | changes))


def hers(stage: Stage, device: Device, shopper: str | None = None) -> list[dict[str, Any]]:
    who = shopper or device.shopper
    answer = stage.http.get(
        f"/v1/shoppers/{who}/instructions",
        headers={"Authorization": f"Bearer {device.shoppers[who]}"},
    )
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["instructions"]
    return found


def states(stage: Stage, device: Device) -> list[str]:
    return [each["state"] for each in hers(stage, device)]


def test_a_withdrawal_tells_the_client_to_stop(stage: Stage) -> None:
    device = stage.device(decisions=BOTH)
    assert fetch(stage, device) == []
    epoch = stage.decide(device, WITHDRAW)
    [found] = fetch(stage, device)
    assert (found.kind, found.cells) == (InstructionKind.STOP, (TRAIN_PURCHASES,))
    assert (found.shopper, found.client, found.number) == (device.shopper, device.name, 1)
    [told] = hers(stage, device)
    assert (told["state"], told["epoch"], told["kind_of_client"]) == ("fetched", epoch, "device")
    assert fetch(stage, device) == [found]  # until it reports
    assert stage.client.report(device.key, [done(device, found)]) == {found.id: "done"}
    assert fetch(stage, device) == []
    [told] = hers(stage, device)
    assert [step["state"] for step in told["steps"]] == ["issued", "fetched", "done"]
    assert (told["outcome"], told["counts"], told["carried_out_at"]) == ("stopped", {"cells": 1}, 5)


def test_nothing_is_told_where_nothing_ended(stage: Stage) -> None:
    device = stage.device(decisions=GIVE)
    stage.decide(device, {BROWSING: Decision.REFUSED})  # was never given
    stage.decide(device, GIVE)  # given already
    assert hers(stage, device) == []
    stage.decide(device, WITHDRAW)
    stage.decide(device, WITHDRAW)  # again
    assert len(hers(stage, device)) == 1


def test_giving_again_calls_off_a_stop_that_nobody_fetched(stage: Stage) -> None:
    device = stage.device(decisions=BOTH)
    stage.decide(device, WITHDRAW)
    stage.decide(device, GIVE)
    assert (fetch(stage, device), states(stage, device)) == ([], ["superseded"])


def test_giving_again_resumes_what_was_stopped(stage: Stage) -> None:
    device = stage.device(decisions=BOTH)
    stage.decide(device, WITHDRAW)
    [stop] = fetch(stage, device)
    stage.client.report(device.key, [done(device, stop)])
    stage.decide(device, GIVE)
    [resume] = fetch(stage, device)
    assert (resume.kind, resume.cells) == (InstructionKind.RESUME, (TRAIN_PURCHASES,))
    assert resume.number > stop.number


def test_giving_a_part_again_leaves_the_stop(stage: Stage) -> None:
    device = stage.device(decisions=BOTH)
    stage.decide(device, dict.fromkeys(BOTH, Decision.WITHDRAWN))
    stage.decide(device, GIVE)
    kinds = [(each.kind, each.cells) for each in fetch(stage, device)]
    assert kinds == [
        (InstructionKind.STOP, tuple(sorted(BOTH))),
        (InstructionKind.RESUME, (TRAIN_PURCHASES,)),
    ]


def test_expiry_and_notices_stop_too(stage: Stage) -> None:
    device, other = stage.device(), stage.device()
    stage.clock.now += (stage.settings.validity_days + 1) * DAY
    assert write_expiries(stage.context) == 2
    assert [each.kind for each in fetch(stage, device)] == [InstructionKind.STOP]
    stage.decide(other, GIVE)
    assert stage.publish("touching", touches=[Purpose.TRAIN]) == 1
    assert [each.cells for each in fetch(stage, other)] == [(TRAIN_PURCHASES,)]


def test_a_replaced_client_stops_and_one_that_comes_back_resumes(stage: Stage) -> None:
    device, new = stage.device(), Device()
    token = device.shoppers[device.shopper]

    def pair(key: Ed25519PrivateKey) -> None:
        stage.client.pair(device.shopper, token, client=key.public_key())

    pair(new.key)
    [stop] = fetch(stage, device)
    assert (stop.kind, stop.cells) == (InstructionKind.STOP, ())
    assert fetch(stage, new) == []
    pair(device.key)
    [_, resume] = fetch(stage, device)
    assert (resume.kind, resume.lifts) == (
        InstructionKind.RESUME,
        frozenset({InstructionKind.STOP}),
    )
    stage.decide(device, WITHDRAW)
    assert [each.number for each in fetch(stage, device)] == [1, 2, 3]
    assert len(fetch(stage, new)) == 1


def test_instructions_are_issued_for_requests(stage: Stage) -> None:
    device = stage.device()
    made = issue(stage, device, "export", request="r1")
    made += issue(stage, device, "correct", details={"corrections": [CORRECTION]})
    assert [each.id for each in fetch(stage, device)] == made
    told = {each["kind"]: each["request"] for each in hers(stage, device)}
    assert told == {"export": "r1", "correct": None}


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("dance", None),
        ("correct", None),
        ("correct", {"corrections": [CORRECTION] * (MAX_CORRECTIONS + 1)}),
        ("erase", {"why": "x"}),
    ],
)
def test_what_can_not_be_carried_out_is_not_issued(
    stage: Stage, kind: str, details: Mapping[str, Any] | None
) -> None:
    device = stage.device()
    with pytest.raises(InvalidInputError):
        issue(stage, device, kind, details=details)
    assert hers(stage, device) == []


def test_a_shopper_without_a_client_gets_none(stage: Stage) -> None:
    made = stage.client.register({}, notice_version=NOTICE)
    assert issue(stage, Device(shoppers={made.shopper: made.token}), "export") == []


def test_what_a_correction_says_is_deleted_once_it_is_done(stage: Stage) -> None:
    device = stage.device()
    issue(stage, device, "correct", details={"corrections": [CORRECTION]})
    [found] = fetch(stage, device)
    assert [each.item for each in found.corrections] == ["milk"]
    assert _details(stage) == 1
    stage.client.report(device.key, [done(device, found, outcome=Outcome.CORRECTED, counts={})])
    assert _details(stage) == 0


def _details(stage: Stage) -> int:
    with stage.context.database.reading() as session:
        query = text("SELECT count(*) FROM open_instruction WHERE details LIKE '%milk%'")
        return int(session.execute(query).scalar_one())


def test_only_ones_own_instructions_are_seen_and_reported(stage: Stage) -> None:
    device, other = stage.device(), stage.device()
    stage.decide(device, WITHDRAW)
    [found] = fetch(stage, device)
    assert fetch(stage, other) == []
    assert fetch(stage, Device()) == []
    forged = done(other, found)
    unknown = Report(
        instruction="0" * 32,
        client_key=other.key.public_key(),
        status=ReportStatus.DONE,
        outcome=Outcome.STOPPED,
        at=1,
    )
    assert stage.client.report(other.key, [forged, unknown]) == {found.id: None, "0" * 32: None}
    assert states(stage, device) == ["fetched"]
    answer = stage.http.get(
        f"/v1/shoppers/{device.shopper}/instructions",
        headers={"Authorization": f"Bearer {other.shoppers[other.shopper]}"},
    )
    assert answer.status_code == 404


def test_a_store_fetches_and_reports_many_at_once(stage: Stage) -> None:
    store = stage.device(kind="store", shoppers=PAGE + 3)
    for shopper in store.shoppers:
        stage.decide(store, WITHDRAW, shopper=shopper)
    found = fetch(stage, store)
    assert [each.number for each in found] == list(range(1, PAGE + 4))
    assert {each.shopper for each in found} == set(store.shoppers)
    known = stage.client.report(store.key, [done(store, each) for each in found])
    assert set(known.values()) == {InstructionState.DONE}
    assert fetch(stage, store) == []


def test_the_first_end_stands_and_a_failure_may_be_tried_again(stage: Stage) -> None:
    device = stage.device()
    stage.decide(device, WITHDRAW)
    [found] = fetch(stage, device)
    failed = done(
        device, found, status=ReportStatus.FAILED, outcome=Outcome.STORAGE_FAILED, counts={}
    )
    for _ in range(2):  # a replay changes nothing
        assert stage.client.report(device.key, [failed]) == {found.id: "failed"}
    assert fetch(stage, device) == [found]
    stage.client.report(device.key, [done(device, found)])
    refused = done(device, found, status=ReportStatus.REFUSED, outcome=Outcome.TOO_LATE, counts={})
    for late in (refused, failed, done(device, found, at=9)):
        assert stage.client.report(device.key, [late]) == {found.id: "done"}
    [told] = hers(stage, device)
    assert [step["state"] for step in told["steps"]] == ["issued", "fetched", "failed", "done"]
    assert told["carried_out_at"] == 5


def write_down_expired(stage: Stage) -> int:
    """As the retention job does."""
    with stage.context.database.writing() as session:
        return service.expire(stage.context, session)


def test_time_ends_an_instruction_but_not_the_truth(stage: Stage) -> None:
    device = stage.device()
    issue(stage, device, "correct", details={"corrections": [CORRECTION]})
    [found] = fetch(stage, device)
    stage.clock.now += LIFETIME_DAYS[InstructionKind.CORRECT] * DAY + 1
    assert states(stage, device) == ["expired"]  # before anybody wrote it down
    assert fetch(stage, device) == []
    assert (write_down_expired(stage), _details(stage)) == (0, 0)
    report = done(device, found, outcome=Outcome.CORRECTED, counts={})
    assert stage.client.report(device.key, [report]) == {found.id: "done"}  # it was, in time


def test_expired_instructions_of_silent_clients_are_closed(stage: Stage) -> None:
    device = stage.device()
    issue(stage, device, "correct", details={"corrections": [CORRECTION]})
    stage.clock.now += LIFETIME_DAYS[InstructionKind.CORRECT] * DAY + 1
    assert (write_down_expired(stage), _details(stage)) == (1, 0)
    assert states(stage, device) == ["expired"]


def test_a_stale_or_foreign_request_is_refused(stage: Stage) -> None:
    device = stage.device()
    stage.decide(device, WITHDRAW)
    old = FetchRequest(client_key=device.key.public_key(), issued_at=int(stage.clock.now) - 61)
    fresh = FetchRequest(client_key=device.key.public_key(), issued_at=int(stage.clock.now))

    def post(body: dict[str, str]) -> httpx.Response:
        return stage.http.post("/v1/instructions/fetch", json=body)

    assert post(old.sign(device.key).to_json()).status_code == 422
    assert post(fresh.sign(Ed25519PrivateKey.generate()).to_json()).status_code == 422
    assert post(fresh.sign(device.key).to_json()).status_code == 200


def test_reports_are_taken_all_or_none(stage: Stage) -> None:
    device, other = stage.device(), stage.device()
    for each in (device, other):
        stage.decide(each, WITHDRAW)
    [mine], [theirs] = fetch(stage, device), fetch(stage, other)
    records = [
        done(device, mine).sign(device.key).to_json(),
        done(other, theirs).sign(other.key).to_json(),
    ]
    for batch in (records, [records[0], records[0]], []):
        answer = stage.http.post("/v1/instructions/report", json={"reports": batch})
        assert answer.status_code == 422
    assert states(stage, device) == states(stage, other) == ["fetched"]


def test_pages_of_a_shopper(stage: Stage) -> None:
    device = stage.device()
    for _ in range(60):
        issue(stage, device, "export")
    token = {"Authorization": f"Bearer {device.shoppers[device.shopper]}"}
    path, found = f"/v1/shoppers/{device.shopper}/instructions", []
    page = stage.http.get(path, headers=token).json()
    while True:
        found += [each["id"] for each in page["instructions"]]
        if page["next"] is None:
            break
        page = stage.http.get(path, headers=token, params={"cursor": page["next"]}).json()
    assert len(found) == len(set(found)) == 60
    assert stage.http.get(path, headers=token, params={"cursor": "x"}).status_code == 422


def test_an_instruction_that_the_pinned_key_did_not_sign_is_refused(stage: Stage) -> None:
    device = stage.device()
    stage.decide(device, WITHDRAW)
    stage.client._key = Ed25519PrivateKey.generate().public_key()
    with pytest.raises(ConsentError):
        fetch(stage, device)
