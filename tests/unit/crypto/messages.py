"""Every signed message of a round, made by hand: who signs it, and how it is read again."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.acceptance import Accept
from crypto.ballot import NO_VOTE, UploadList, Vote
from crypto.commit import Commit
from crypto.holder_card import HolderCard
from crypto.ingest import Exclusion, Receipt
from crypto.manifest import Manifest
from crypto.opening import decode_part
from crypto.round_key import RoundKey, RoundKeyRequest
from crypto.upload import Role, Upload, sign_upload
from crypto.wire import SignedRecord, digest, pack_frames
from tests.unit.crypto.samples import (
    NOW,
    cards,
    commit,
    holder_key,
    manifest,
    round_key,
    signer,
    voted_manifest,
)
from tests.unit.crypto.test_upload import COMPACT, SHARED

CONTEXT = "ab" * 32
REQUEST = RoundKeyRequest(
    population="test-federation", task="popularity", round_id="round-1", opens=NOW, closes=NOW + 60
)
LIST = UploadList(context=CONTEXT, uploads=tuple(f"{k:064x}" for k in range(4)))
VOTE = Vote(holder=2, context=CONTEXT, list_hash=LIST.hash, sequence=1, previous=NO_VOTE)
RECEIPT = Receipt(
    holder=3,
    context=CONTEXT,
    acknowledged=("11" * 32, "22" * 32),
    excluded=(
        Exclusion(upload="33" * 32, reason="late", blamed=False),
        Exclusion(upload="44" * 32, reason="commitment", blamed=True),
    ),
)
PART = {
    "holder": 1,
    "context": CONTEXT,
    "request": "r",
    "values": digest("part", bytes(16)).hex(),
}


@dataclass(frozen=True)
class Message:
    """A message that its signer made, and how others read it.

    ``named`` says that the signer's key stands in the message itself, so that any key may sign.
    """

    name: str
    type: str
    body: dict[str, Any]
    key: Ed25519PrivateKey
    read: Callable[[SignedRecord, Ed25519PublicKey], object]
    named: bool = False

    def signed(self, **changes: Any) -> SignedRecord:
        return SignedRecord.sign(self.type, self.body | changes, self.key)

    def signed_bytes(self, data: bytes) -> SignedRecord:
        """A record whose signature holds over any bytes at all."""
        signature = self.key.sign(digest(f"sig/{self.type}", data))
        return SignedRecord(type=self.type, body=data, signature=signature)

    def parsed(self, record: SignedRecord) -> object:
        return self.read(record, self.key.public_key())


def _made(
    name: str,
    record: SignedRecord,
    key: Ed25519PrivateKey,
    read: Callable[[SignedRecord, Ed25519PublicKey], object],
    *,
    named: bool = False,
) -> Message:
    return Message(name, record.type, json.loads(record.body), key, read, named)


def read_card(record: SignedRecord, _key: Ed25519PublicKey) -> HolderCard:
    return HolderCard.from_bytes(pack_frames([record.to_bytes(), cards()[0].context]))


def read_part(record: SignedRecord, key: Ed25519PublicKey) -> tuple[int, str, bytes]:
    data = pack_frames([record.to_bytes(), bytes(16)])
    part = decode_part(data, request_hash="r", identity=key)
    return part.holder, part.context, part.values.tobytes()


def messages() -> list[Message]:
    """One of each."""
    coordinator, consent, client = signer("coordinator"), signer("consent"), signer("client")
    holder = holder_key(1)
    entry = sign_upload(COMPACT, (), holder, role=Role.KEY_HOLDER)
    accept = Accept(holder=1, context=CONTEXT).sign(holder)

    def upload(record: SignedRecord, _key: Ed25519PublicKey) -> Upload:
        return Upload.parse(record)

    return [
        _made("request", REQUEST.sign(coordinator), coordinator, RoundKeyRequest.verify),
        _made("round-key", round_key(1).sign(holder), holder, RoundKey.verify),
        _made("manifest", manifest().sign(coordinator), coordinator, Manifest.verify),
        _made("voted", voted_manifest().sign(coordinator), coordinator, Manifest.verify),
        _made("accept", accept, holder, Accept.verify),
        _made("upload", sign_upload(COMPACT, ("g",), client), client, upload, named=True),
        _made("shared", sign_upload(SHARED, ("g",), client), client, upload, named=True),
        _made("entry", entry, holder, upload, named=True),
        _made("ingest-receipt", RECEIPT.sign(holder), holder, Receipt.verify),
        _made("list", LIST.sign(coordinator), coordinator, UploadList.verify),
        _made("vote", VOTE.sign(holder), holder, Vote.verify),
        _made("commit", commit(CONTEXT).sign(consent), consent, Commit.verify),
        Message("part", "part-sum", PART, holder, read_part),
        _made("card", cards()[0].record, holder, read_card, named=True),
    ]


def good(name: str) -> Message:
    """The message of this name."""
    [found] = [each for each in messages() if each.name == name]
    return found
