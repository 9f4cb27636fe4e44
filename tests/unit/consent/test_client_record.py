"""Every record that a client signs with the key it names: its exact bytes, and what is refused."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.client_record import MAX_AGE_S, ClientRecord, ClientRequest
from consent.instruction_report import Count, FetchRequest, Outcome, Report, ReportStatus
from consent.pairing import PairingRequest
from consent.participation import ParticipationRequest
from consent.redemption import Redemption
from consent.rights.proof import Possession, Step
from consent.tasks.names import TaskName
from crypto.errors import WireError
from crypto.wire import SignedRecord, parse_object, thumbprint

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
SIGNER: dict[str, Any] = {"client_key": KEY.public_key()}
REQUEST: dict[str, Any] = {**SIGNER, "issued_at": 1_800_000_000}
NAMED = b'"client_key":"A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"'
MADE = b'"issued_at":1800000000'
# Each with its type and body, byte by byte: other versions in the field read and write the same.
RECORDS: list[tuple[ClientRecord, str, bytes]] = [
    (
        ParticipationRequest(
            **REQUEST, task=TaskName.POPULARITY, round_id="r1", context="ab", shoppers=("s1", "s2")
        ),
        "participation",
        b"{" + NAMED + b',"context":"ab",' + MADE + b',"round":"r1","shoppers":["s1","s2"],'
        b'"task":"popularity"}',
    ),
    (
        PairingRequest(**REQUEST, code="23456789", tasks=(TaskName.ITEM_ITEM,)),
        "pairing",
        b"{" + NAMED + b',"code":"23456789",' + MADE + b',"tasks":["item-item"]}',
    ),
    (
        Redemption(**REQUEST, code="A" * 24, sale="till-1:77"),
        "redeem",
        b"{" + NAMED + b',"code":"' + b"A" * 24 + b'",' + MADE + b',"sale":"till-1:77"}',
    ),
    (
        Possession(**REQUEST, shopper="s1", step=Step.OPEN, asked="cd"),
        "rights-proof",
        b'{"asked":"cd",' + NAMED + b"," + MADE + b',"shopper":"s1","step":"open"}',
    ),
    (
        FetchRequest(**REQUEST, after=3),
        "instruction-fetch",
        b'{"after":3,' + NAMED + b"," + MADE + b"}",
    ),
    (
        Report(
            **SIGNER,
            instruction="a" * 32,
            status=ReportStatus.DONE,
            outcome=Outcome.ERASED,
            counts={Count.LINES_DELETED: 2},
            at=5,
        ),
        "instruction-report",
        b'{"at":5,' + NAMED + b',"counts":{"lines-deleted":2},"instruction":"' + b"a" * 32 + b'",'
        b'"outcome":"erased","status":"done"}',
    ),
]


def read(made: ClientRecord, record: SignedRecord) -> ClientRecord:
    parsed: ClientRecord = type(made).parse(record)  # type: ignore[attr-defined]
    return parsed


each_record = pytest.mark.parametrize(
    ("made", "record_type", "body"), RECORDS, ids=[name for _, name, _ in RECORDS]
)


def test_these_are_all_of_them() -> None:
    kinds = {*ClientRecord.__subclasses__(), *ClientRequest.__subclasses__()} - {ClientRequest}
    assert kinds == {type(made) for made, _, _ in RECORDS}


@each_record
def test_the_bytes_are_these_and_are_read_back(
    made: ClientRecord, record_type: str, body: bytes
) -> None:
    record = made.sign(KEY)
    assert (record.type, record.body) == (record_type, body)
    assert read(made, record) == made
    assert read(made, record).client == thumbprint(KEY.public_key())


@each_record
def test_only_the_key_that_it_names_signs_it(
    made: ClientRecord, record_type: str, body: bytes
) -> None:
    forged = made.sign(OTHER)
    altered = SignedRecord(
        type=record_type, body=body[:-1] + b" }", signature=made.sign(KEY).signature
    )
    for record in (forged, altered):
        with pytest.raises(WireError, match="signature"):
            read(made, record)


@each_record
def test_another_type_is_refused(made: ClientRecord, record_type: str, body: bytes) -> None:
    fields = parse_object(body, what="test")
    for other in {name for _, name, _ in RECORDS} - {record_type}:
        with pytest.raises(WireError):
            read(made, SignedRecord.sign(other, fields, KEY))


@each_record
def test_it_has_exactly_its_fields(made: ClientRecord, record_type: str, body: bytes) -> None:
    fields = parse_object(body, what="test")
    others = [{**fields, "note": "x"}]
    others += [{k: v for k, v in fields.items() if k != left} for left in fields]
    for other in others:
        with pytest.raises(WireError):
            read(made, SignedRecord.sign(record_type, other, KEY))


@pytest.mark.parametrize(
    ("age", "fresh"),
    [(0, True), (MAX_AGE_S, True), (61, False), (-MAX_AGE_S, True), (-61, False)],
)
def test_a_request_is_fresh_for_a_minute(age: int, fresh: bool) -> None:
    requests = [made for made, _, _ in RECORDS if isinstance(made, ClientRequest)]
    assert len(requests) == 5
    assert all(made.is_fresh(made.issued_at + age) is fresh for made in requests)
