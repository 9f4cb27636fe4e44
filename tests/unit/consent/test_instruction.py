"""The form of instructions, corrections, fetches and reports: what parses, and what must not."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from consent.correction import COLUMNS, MAX_CORRECTIONS, Correction, parse_corrections
from consent.instruction import (
    MAX_DETAILS_BYTES,
    RECORD_TYPE,
    Instruction,
    InstructionKind,
    check_details,
    expiry,
)
from consent.instruction_report import (
    OUTCOMES,
    REPORT_TYPE,
    Count,
    FetchRequest,
    Outcome,
    Report,
    ReportStatus,
)
from consent.purpose import CELLS
from consent.receipt import moment
from crypto.errors import WireError
from crypto.wire import MAX_TIME_MS, SignedRecord, parse_object, thumbprint

SERVICE, CLIENT = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
MILK = {"item": "milk", "day": "2026-11-30", "values": {"quantity": 2.0}}


def instruction(**changes: Any) -> Instruction:
    fields: dict[str, Any] = {
        "id": "a" * 32,
        "number": 1,
        "client": thumbprint(CLIENT.public_key()),
        "shopper": "b" * 32,
        "kind": InstructionKind.STOP,
        "cells": CELLS[:2],
        "issued_at": 1_000,
        "expires_at": 2_000,
    }
    return Instruction(**(fields | {"cells": tuple(sorted(CELLS[:2]))} | changes))


def report(**changes: Any) -> Report:
    fields: dict[str, Any] = {
        "instruction": "a" * 32,
        "client_key": CLIENT.public_key(),
        "status": ReportStatus.DONE,
        "outcome": Outcome.STOPPED,
        "counts": {Count.CELLS: 2},
        "at": 5,
    }
    return Report(**(fields | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"kind": InstructionKind.ERASE, "cells": ()},
        {"kind": InstructionKind.RESUME, "cells": (), "details": {"lifts": ["stop"]}},
        {"kind": InstructionKind.CORRECT, "cells": (), "details": {"corrections": [MILK]}},
    ],
)
def test_what_the_service_signs_is_read_again(changes: dict[str, Any]) -> None:
    made = instruction(**changes)
    record = made.sign(SERVICE)
    assert Instruction.verify(record, SERVICE.public_key()) == made
    assert made.sign(SERVICE) == record  # signed again, the same bytes


def test_another_key_or_type_is_refused() -> None:
    record = instruction().sign(SERVICE)
    with pytest.raises(WireError):
        Instruction.verify(record, CLIENT.public_key())
    body = parse_object(record.body, what="test")
    with pytest.raises(WireError):
        Instruction.verify(SignedRecord.sign("receipt", body, SERVICE), SERVICE.public_key())


def _with(key: str, value: object) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda body: {**body, key: value}


@pytest.mark.parametrize(
    "change",
    [
        _with("note", "x"),
        _with("kind", "dance"),
        _with("number", 0),
        _with("number", True),
        _with("cells", [["research", "dreams"]]),
        _with("cells", [["research"]]),
        _with("cells", [["research", "purchases"], ["research", "browsing"]]),
        _with("cells", [["research", "purchases"], ["research", "purchases"]]),
        _with("details", []),
        _with("details", {"lifts": ["restrict"]}),
        _with("shopper", 5),
        _with("expires_at", -1),
        _with("expires_at", MAX_TIME_MS + 1),
        lambda body: {key: value for key, value in body.items() if key != "details"},
    ],
)
def test_a_signed_instruction_of_another_form_is_refused(
    change: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    body = change(parse_object(instruction().sign(SERVICE).body, what="test"))
    with pytest.raises(WireError):
        Instruction.verify(SignedRecord.sign(RECORD_TYPE, body, SERVICE), SERVICE.public_key())


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("correct", {}),
        ("correct", {"corrections": []}),
        ("correct", {"corrections": [MILK] * (MAX_CORRECTIONS + 1)}),
        ("correct", {"corrections": [MILK], "more": 1}),
        ("resume", {"lifts": []}),
        ("resume", {"lifts": ["erase"]}),
        ("resume", {"lifts": [5]}),
        ("erase", {"why": "x"}),
        ("stop", {"x": "y" * MAX_DETAILS_BYTES}),
        ("stop", {"x": float("nan")}),
        ("stop", {"x": object()}),
    ],
)
def test_details_that_a_kind_does_not_have_are_refused(kind: str, details: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        check_details(InstructionKind(kind), (), details)


def test_corrections_say_what_they_mean() -> None:
    [delete, change] = parse_corrections(
        [
            {"item": "tea", "day": "1970-01-02", "delete": True},
            {"item": "milk", "day": "1970-01-01", "values": {"item": "oats", "day": "1970-01-03"}},
        ]
    )
    assert (delete.deletes, delete.day) == (True, 86_400)
    assert (change.deletes, change.values) == (False, {"item": "oats", "day": 2 * 86_400})


@given(
    st.builds(
        Correction,
        item=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20),
        day=st.integers(0, 30_000).map(lambda day: day * 86_400),
        values=st.dictionaries(
            st.sampled_from(sorted(COLUMNS - {"day"})), st.just(None), max_size=4
        ).map(lambda names: {n: "x" if n in ("item", "store") else 1.5 for n in names}),
    )
)
def test_corrections_are_read_as_they_were_written(made: Correction) -> None:
    assert Correction.from_json(json.loads(json.dumps(made.to_json()))) == made


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"item": "milk", "day": "2026-11-30"},
        {"item": "milk", "day": "2026-11-30", "delete": False},
        {"item": "milk", "day": "2026-11-30", "delete": True, "values": {"quantity": 1}},
        {"item": "milk", "day": "2026-13-30", "delete": True},
        {"item": "milk", "day": "20261130", "delete": True},
        {"item": "", "day": "2026-11-30", "delete": True},
        {"item": "a\0b", "day": "2026-11-30", "delete": True},
        {"item": "milk", "day": "2026-11-30", "values": {}},
        {"item": "milk", "day": "2026-11-30", "values": {"shopper": "x"}},
        {"item": "milk", "day": "2026-11-30", "values": {"quantity": -1}},
        {"item": "milk", "day": "2026-11-30", "values": {"price": 1e300}},
        {"item": "milk", "day": "2026-11-30", "values": {"price": "1"}},
    ],
)
def test_what_is_no_correction_is_refused(value: object) -> None:
    with pytest.raises(WireError):
        Correction.from_json(value)


def test_fetches_and_reports_prove_the_key_that_they_name() -> None:
    asked = FetchRequest(client_key=CLIENT.public_key(), issued_at=7, after=3)
    assert FetchRequest.parse(asked.sign(CLIENT)).after == 3
    assert Report.parse(report().sign(CLIENT)).counts == {"cells": 2}
    for record in (asked.sign(SERVICE), report().sign(SERVICE)):
        with pytest.raises(WireError):
            (FetchRequest if record.type == "instruction-fetch" else Report).parse(record)
    with pytest.raises(WireError):
        Report.parse(asked.sign(CLIENT))


@pytest.mark.parametrize(
    "change",
    [
        _with("outcome", "bought milk"),
        _with("outcome", "storage-failed"),
        _with("status", "perhaps"),
        _with("counts", {"her name": 1}),
        _with("counts", {"cells": -1}),
        _with("counts", {"cells": "many"}),
        _with("counts", []),
        _with("note", "free text"),
        _with("at", "now"),
        _with("at", MAX_TIME_MS + 1),
        _with("instruction", "a\0b"),
    ],
)
def test_a_report_has_no_room_for_anything_else(
    change: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    body = change(parse_object(report().sign(CLIENT).body, what="test"))
    with pytest.raises(WireError):
        Report.parse(SignedRecord.sign(REPORT_TYPE, body, CLIENT))


def test_every_time_that_is_read_can_be_shown() -> None:
    assert moment(Report.parse(report(at=MAX_TIME_MS).sign(CLIENT)).at).startswith("9999-12-31T")


def test_each_outcome_belongs_to_one_status() -> None:
    named = [outcome for outcomes in OUTCOMES.values() for outcome in outcomes]
    assert sorted(named) == sorted(Outcome)


def test_what_tells_about_purchases_waits_no_longer_than_it_must() -> None:
    assert expiry(InstructionKind.CORRECT, 0) < expiry(InstructionKind.STOP, 0)
