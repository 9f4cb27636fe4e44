from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.participation import MAX_SHOPPERS, ParticipationRequest
from crypto.errors import WireError
from crypto.wire import SignedRecord, b64, public_bytes, thumbprint
from tests.unit.consent.harness import CONTEXT, TASK

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def body(**changes: Any) -> dict[str, Any]:
    return {
        "task": TASK,
        "round": "round-1",
        "context": CONTEXT,
        "client_key": b64(public_bytes(KEY.public_key())),
        "issued_at": 1_800_000_000,
        "shoppers": ["s1", "s2"],
    } | changes


def parse(record_type: str = "participation", **changes: Any) -> ParticipationRequest:
    return ParticipationRequest.parse(SignedRecord.sign(record_type, body(**changes), KEY))


def test_what_was_signed_is_read_back() -> None:
    request = parse()
    assert request.client == thumbprint(KEY.public_key())
    assert (request.task, request.round_id, request.context) == (TASK, "round-1", CONTEXT)
    assert request.shoppers == ("s1", "s2")
    again = ParticipationRequest.parse(request.sign(KEY))
    assert again.sign(KEY) == request.sign(KEY)


@pytest.mark.parametrize(
    "changes",
    [
        {"extra": 1},
        {"task": "sell-data"},
        {"task": 7},
        {"round": "../admin"},
        {"round": "a b"},
        {"round": "r\n"},
        {"round": ""},
        {"context": "x" * 129},
        {"client_key": "AAAA"},
        {"client_key": b64(bytes(32))},
        {"issued_at": "now"},
        {"issued_at": -1},
        {"issued_at": True},
        {"shoppers": []},
        {"shoppers": ["s1", "s1"]},
        {"shoppers": "s1"},
        {"shoppers": [1]},
        {"shoppers": ["'; --"]},
        {"shoppers": [""]},
        {"shoppers": [str(i) for i in range(MAX_SHOPPERS + 1)]},
    ],
    ids=lambda changes: f"{next(iter(changes))}",
)
def test_other_forms_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        parse(**changes)


def test_a_missing_field_is_refused() -> None:
    short = body()
    del short["context"]
    with pytest.raises(WireError):
        ParticipationRequest.parse(SignedRecord.sign("participation", short, KEY))


def test_another_record_type_is_refused() -> None:
    with pytest.raises(WireError):
        parse("upload")


def test_a_body_signed_by_another_key_is_refused() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    with pytest.raises(WireError):
        ParticipationRequest.parse(SignedRecord.sign("participation", body(), other))


@pytest.mark.parametrize(
    ("age", "fresh"), [(0, True), (60, True), (61, False), (-60, True), (-61, False)]
)
def test_freshness(age: int, fresh: bool) -> None:
    request = parse()
    assert request.is_fresh(request.issued_at + age) is fresh
