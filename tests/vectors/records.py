"""Vectors of signed records and grants, and of the round that they belong to."""

import base64
import json
from collections.abc import Callable
from typing import Any

from consent.participation import ParticipationRequest
from consent.tasks.names import TaskName
from crypto.ballot import release_hash
from crypto.holder_card import HolderCard
from crypto.sums.pieces.packing import pack
from crypto.wire import SignedRecord, b64, thumbprint, unpack_frames
from tests.vectors.document import Document, packed, sha256
from tests.vectors.keys import signer
from tests.vectors.played import CLIENTS, NOW, NUMBERS, PLAN, ROUND, TASK, Played
from tests.vectors.sealing import in_pieces, shared
from tests.vectors.sums import masked

# What stands where a real card has its public BFV context: share sum's alone, and 130 kB.
NO_CONTEXT = b"a public BFV context would stand here"


def records(played: Played) -> Document:
    """One record of each type, with what it was made of; and records that nobody takes."""
    named = signed(played)
    return {
        "now": NOW,
        "context": played.context,
        "list_hash": played.listed.hash,
        "release_hash": release_hash(played.votes),
        "records": [
            {
                "name": name,
                "type": record.type,
                "signer": by,
                "body": json.loads(record.body),
                "body_text": record.body.decode(),
                "signature": record.signature.hex(),
                "hash": record.hash,
                "record": record.to_bytes().decode(),
            }
            for name, (record, by) in named.items()
        ],
        "refused": [
            {"name": name, "why": why, "record": bad.decode()}
            for name, (record, by) in named.items()
            for why, bad in _spoilt(record, by)
        ],
    }


def signed(played: Played) -> dict[str, tuple[SignedRecord, str]]:
    """Every signed record by name, with who signed it."""
    client, holder = played.uploads[0], played.uploads[len(CLIENTS)]
    part, _ = unpack_frames(played.part(1), count=2, max_frame=1 << 20)
    return {
        "round-key-request": (played.request, "coordinator"),
        "round-key": (played.keys[0], "key-holder-1"),
        "manifest": (played.manifest, "coordinator"),
        "accept": (played.accepts[0], "key-holder-1"),
        "participation": (participation(played), client.name),
        "upload": (client.header, client.name),
        "entry": (holder.header, holder.name),
        "ingest-receipt": (played.receipt(1), "key-holder-1"),
        "commit": (played.commit, "consent"),
        "upload-list": (played.listed.sign(signer("coordinator")), "coordinator"),
        "vote": (played.votes[0], "key-holder-1"),
        "part-sum": (SignedRecord.from_bytes(part), "key-holder-1"),
        "card": (card().record, "key-holder-1"),
    }


def participation(played: Played) -> SignedRecord:
    """A client's request for grants, as the consent service gets it."""
    return ParticipationRequest(
        task=TaskName(TASK),
        round_id=ROUND,
        context=played.context,
        client_key=signer("client-1").public_key(),
        issued_at=NOW,
        shoppers=("shopper-1",),
    ).sign(signer("client-1"))


def card() -> HolderCard:
    """A key holder's card; its BFV context is a placeholder."""
    return HolderCard.sign(1, NO_CONTEXT, signer("key-holder-1"))


def _spoilt(record: SignedRecord, by: str) -> list[tuple[str, bytes]]:
    """The ways in which any record is refused; where a signature can hold, it does."""
    body: dict[str, Any] = json.loads(record.body)
    first = sorted(body)[0]

    def again(changed: dict[str, Any]) -> bytes:
        return SignedRecord.sign(record.type, changed, signer(by)).to_bytes()

    parts = record.to_json()
    flipped = bytes([record.signature[0] ^ 1]) + record.signature[1:]
    altered: list[tuple[str, Callable[[], bytes]]] = [
        ("an unknown field", lambda: again(body | {"extra": 1})),
        ("a field is missing", lambda: again({k: v for k, v in body.items() if k != first})),
        ("a field of another kind", lambda: again(body | {first: None})),
        ("signed as another type", lambda: _text(parts | {"type": "anything"})),
        ("another signature", lambda: _text(parts | {"signature": b64(flipped)})),
        ("another body", lambda: _text(parts | {"body": b64(record.body + b" ")})),
        ("padded base64", lambda: _text(parts | {"signature": parts["signature"] + "=="})),
        ("a fourth part", lambda: _text(parts | {"more": ""})),
        ("trailing bytes", lambda: record.to_bytes() + b" {}"),
    ]
    return [(why, make()) for why, make in altered]


def _text(parts: dict[str, str]) -> bytes:
    return json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()


def grants(played: Played) -> Document:
    """A grant, what it is checked against, and tokens that are refused."""
    token = played.uploads[0].tokens[0]
    head, claims, signature = token.split(".")
    other = played.uploads[1].tokens[0].split(".")
    return {
        "token": token,
        "signer": "consent",
        "checked": {
            "task": TASK,
            "context": played.context,
            "client_key": thumbprint(signer("client-1").public_key()),
            "now": NOW,
        },
        "header": json.loads(_decoded(head)),
        "claims": json.loads(_decoded(claims)),
        "refused": [
            {"token": f"{head}.{other[1]}.{signature}", "why": "other claims"},
            {"token": f"{head}.{other[1]}.{other[2]}", "why": "another client's"},
            {"token": _unsigned(claims), "why": "alg none"},
            {"token": f"{head}.{claims}.", "why": "no signature"},
            {"token": f"{head}.{claims}", "why": "two parts"},
            {"token": _typed("JWT", claims), "why": "another typ, rightly signed"},
        ],
        "expired_at": NOW + 600,
    }


def _decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _unsigned(claims: str) -> str:
    return f"{b64(json.dumps({'alg': 'none', 'typ': 'fedcart-grant+jwt'}).encode())}.{claims}."


def _typed(typ: str, claims: str) -> str:
    text = f"{b64(json.dumps({'alg': 'Ed25519', 'typ': typ}).encode())}.{claims}"
    return f"{text}.{b64(signer('consent').sign(text.encode()))}"


def whole_round(played: Played) -> Document:
    """Everything that is sent in the round, and what comes out."""
    total = played.scheme.add(sent.sealed for sent in played.uploads)
    layout = PLAN.layout
    return {
        "now": NOW,
        "context": played.context,
        "invitation_b64": packed(played.invitation.to_bytes()),
        "card_b64": packed(card().to_bytes()),
        "uploads": [
            {
                "values": sent.values.tolist(),
                "tokens": list(sent.tokens),
                "grants_hash": json.loads(sent.header.body)["grants"],
                "header": sent.header.to_bytes().decode(),
                **masked(
                    sent.sealed,
                    pack(sent.values, layout),
                    shared(sent.sealed, sent.name, played.place),
                    played.context,
                ),
                **in_pieces(sent.sealed, sent.name, played.place),
            }
            for sent in played.uploads
        ],
        "batch_sha256": {str(k): sha256(played.batch(k).to_bytes()) for k in NUMBERS},
        "votes": [vote.to_bytes().decode() for vote in played.votes],
        "part_sums_b64": [packed(played.part(k)) for k in NUMBERS],
        "sum": played.scheme.combine(total, played.parts).tolist(),
    }
