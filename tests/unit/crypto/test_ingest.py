"""Batches and receipts: what a key holder is handed, and what it says it took."""

from dataclasses import replace
from typing import Any

import pytest

from consent import receipt as consent_receipt
from crypto.errors import WireError
from crypto.grant_list import pack_grants
from crypto.ingest import MAX_BATCH, Batch, Receipt, Submission
from crypto.upload import sign_upload
from crypto.wire import SignedRecord, pack_frames, parse_object
from tests.unit.crypto.messages import CONTEXT, RECEIPT, good
from tests.unit.crypto.samples import holder_key, signer
from tests.unit.crypto.test_upload import COMPACT

SUBMISSION = Submission(
    header=sign_upload(COMPACT, ("g",), signer("client")),
    grants=pack_grants(("g",)),
    share=b"two",
)
ENTRY = replace(SUBMISSION, grants=b"")


def batch(*submissions: Submission) -> Batch:
    return Batch(context=CONTEXT, submissions=submissions)


class TestBatch:
    @pytest.mark.parametrize("count", [0, 1, 2, 5, MAX_BATCH])
    def test_round_trip(self, count: int) -> None:
        made = batch(*([SUBMISSION, ENTRY] * count)[:count])
        assert len(made.submissions) == count
        assert Batch.from_bytes(made.to_bytes()) == made

    def test_order_is_kept(self) -> None:
        shares = [replace(SUBMISSION, share=bytes([k])) for k in (3, 1, 2)]
        found = Batch.from_bytes(batch(*shares).to_bytes())
        assert [each.share for each in found.submissions] == [b"\x03", b"\x01", b"\x02"]

    def test_one_too_many(self) -> None:
        with pytest.raises(WireError, match=f"at most {MAX_BATCH}"):
            Batch.from_bytes(batch(*[SUBMISSION] * (MAX_BATCH + 1)).to_bytes())

    @pytest.mark.parametrize("count", [0, 2, 3, 5])
    def test_frames_come_in_threes(self, count: int) -> None:
        header = SUBMISSION.header.to_bytes()
        frames = [CONTEXT.encode(), header, b"", b"", header, b""][:count]
        with pytest.raises(WireError, match="three frames each"):
            Batch.from_bytes(pack_frames(frames))

    @pytest.mark.parametrize("context", [b"a" * 129, b"\xc3\xa9", b"\xff"])
    def test_a_context_is_ascii(self, context: bytes) -> None:
        with pytest.raises(WireError, match="names the round's context"):
            Batch.from_bytes(pack_frames([context]))

    def test_cut_short_or_too_long(self) -> None:
        data = batch(SUBMISSION, ENTRY).to_bytes()
        for bad in (b"", data[:7], data[:8], data[:-1], data + b"\x00", b"FRS2" + data[4:]):
            with pytest.raises(WireError):
                Batch.from_bytes(bad)

    def test_a_malformed_header_spoils_it_a_false_one_does_not(self) -> None:
        """Whose signature fails is for the key holder to say, upload by upload."""
        with pytest.raises(WireError):
            Batch.from_bytes(pack_frames([CONTEXT.encode(), b"{}", b"", b""]))
        false = replace(SUBMISSION, header=replace(SUBMISSION.header, signature=bytes(64)))
        assert Batch.from_bytes(batch(SUBMISSION, false).to_bytes()).submissions[1] == false


class TestReceipt:
    def test_round_trip(self) -> None:
        empty = replace(RECEIPT, acknowledged=(), excluded=())
        for made in (RECEIPT, empty):
            assert Receipt.verify(made.sign(holder_key(3)), holder_key(3).public_key()) == made

    @pytest.mark.parametrize(
        "changes",
        [
            {"holder": 0},
            {"holder": 4},
            {"acknowledged": ["11"]},
            {"acknowledged": ["1G" * 32]},
            {"acknowledged": [None]},
            {"acknowledged": {}},
            {"acknowledged": ["11" * 32] * (MAX_BATCH + 1)},
            {"excluded": [["11" * 32, "late"]]},
            {"excluded": [["11" * 32, "late", 0]]},
            {"excluded": [["11" * 32, "late", None]]},
            {"excluded": [["11" * 32, 7, False]]},
            {"excluded": [["11" * 32, "x" * 257, False]]},
            {"excluded": [["11", "late", False]]},
            {"excluded": [["11" * 32, "late", False, False]]},
            {"excluded": [{"upload": "11" * 32}]},
            {"excluded": ["late"]},
            {"excluded": [["11" * 32, "late", False]] * (MAX_BATCH + 1)},
        ],
        ids=lambda changes: ascii(changes)[:60],
    )
    def test_refusals(self, changes: dict[str, Any]) -> None:
        message = good("ingest-receipt")
        message.parsed(message.signed())
        with pytest.raises(WireError):
            message.parsed(message.signed(**changes))


def test_it_is_no_shoppers_receipt() -> None:
    """The consent service signs receipts too: of what she decided, under another type."""
    key = holder_key(1)
    made = RECEIPT.sign(key)
    assert made.type == "ingest-receipt"
    mistaken = SignedRecord.sign(
        consent_receipt.RECORD_TYPE, parse_object(made.body, what="receipt"), key
    )
    with pytest.raises(WireError, match="got another type"):
        Receipt.verify(mistaken, key.public_key())
