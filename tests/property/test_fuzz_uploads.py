"""What a client's node sends the coordinator: any record dictionary is an upload or a WireError."""

from random import Random
from typing import Any

import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.tasks.popularity import PopularityTask
from crypto.errors import SealError, WireError
from crypto.manifest import Manifest
from server.exchange import Sent, parse_upload
from server.rounds import PlannedRound, Received, receive
from tests.fuzz.mutation import mutated
from tests.vectors.document import read
from tests.vectors.played import NOW, play
from tests.vectors.stored import signer

PLAYED = play(read("round"))
CONSENT = signer("consent").public_key()
PLANNED = PlannedRound(
    task=PopularityTask(items=12),
    manifest=Manifest.verify(PLAYED.manifest, signer("coordinator").public_key()),
    record=PLAYED.manifest,
    round_keys=PLAYED.keys,
    accepts=PLAYED.accepts,
)
UPLOAD = PLAYED.uploads[0]
PARTS = {
    "grants": UPLOAD.grants,
    "body": UPLOAD.sealed.body,
    **{f"share-{k}": share for k, share in enumerate(UPLOAD.sealed.shares, start=1)},
}
FEW = settings(max_examples=100, deadline=None, derandomize=True, database=None)
CONFIGURED = st.one_of(
    st.text(max_size=8), st.binary(max_size=8), st.integers(-5, 5), st.booleans(), st.floats()
)


def content(
    header: bytes, parts: dict[str, bytes], config: dict[str, Any] | None = None
) -> RecordDict:
    arrays = {
        name: Array(dtype="uint8", shape=(len(data),), stype="fedcart.sealed", data=data)
        for name, data in parts.items()
    }
    record = ConfigRecord({"status": "sent", "header": header, **(config or {})})
    return RecordDict({"upload": record, "sealed": ArrayRecord(arrays)})


def taken(sent: Sent) -> Received:
    """As the coordinator takes an upload from the Grid into its journal."""
    received = receive(sent.header, sent.grants, sent.sealed, PLANNED, consent_key=CONSENT, now=NOW)
    PLAYED.scheme.check(received.sealed)
    return received


def only_known_errors(found: RecordDict) -> Received | str | None:
    try:
        sent = parse_upload(found)
        return sent if isinstance(sent, str) else taken(sent)
    except (WireError, SealError):
        return None


def test_the_good_one_is_taken() -> None:
    received = only_known_errors(content(UPLOAD.header.to_bytes(), PARTS))
    assert isinstance(received, Received)
    assert received.token_ids == ("grant-client-1-0",)


@FEW
@given(st.integers(0, 2**32))
def test_mutated_headers(number: int) -> None:
    header = mutated(UPLOAD.header.to_bytes(), Random(number))
    found = only_known_errors(content(header, PARTS))
    if found is not None:  # another spelling of the same record
        assert isinstance(found, Received)
        assert found.upload.hash == UPLOAD.header.hash


@FEW
@given(st.sampled_from(sorted(PARTS)), st.integers(0, 2**32))
def test_mutated_parts_are_never_taken(name: str, number: int) -> None:
    changed = mutated(PARTS[name], Random(number))
    found = only_known_errors(content(UPLOAD.header.to_bytes(), PARTS | {name: changed}))
    assert (found is None) == (changed != PARTS[name])


@FEW
@given(st.sampled_from(sorted(PARTS)), st.booleans())
def test_parts_that_are_missing_or_too_many(name: str, missing: bool) -> None:
    parts = {key: data for key, data in PARTS.items() if key != name or not missing}
    if not missing:
        parts[f"{name}-again"] = b""
    with pytest.raises(WireError):
        parse_upload(content(UPLOAD.header.to_bytes(), parts))


@FEW
@given(
    st.dictionaries(st.sampled_from(["status", "header", "reason", "x"]), CONFIGURED, max_size=4),
    st.sampled_from(["upload", "sealed", "other"]),
)
def test_any_configuration(config: dict[str, Any], name: str) -> None:
    found = RecordDict({name: ConfigRecord(config)})
    only_known_errors(found)
    only_known_errors(content(b"", PARTS, config))


def test_a_refusal_is_words_and_not_many() -> None:
    record = ConfigRecord({"status": "declined", "reason": "x" * 10_000})
    found = only_known_errors(RecordDict({"upload": record}))
    assert found == "x" * 500
