"""What clients send: headers, lists of grants, tokens, and a whole submission as it is judged."""

import base64
from typing import Any

from crypto.errors import WireError
from crypto.grant import ParticipationGrant
from crypto.grant_list import pack_grants, unpack_grants
from crypto.ingest import Submission
from crypto.keyholder.judging import ExcludedError, OpenRound, judge
from crypto.keyholder.log.uploads import Seen
from crypto.manifest import Manifest
from crypto.sums.sizes import sealed_sizes
from crypto.upload import Upload
from crypto.wire import SignedRecord, b64, pack_frames, unpack_frames
from tests.fuzz.target import Target
from tests.vectors.document import read
from tests.vectors.keys import round_secret, sender
from tests.vectors.played import NOW, NUMBERS, play
from tests.vectors.stored import signer, stored

_PLAYED = play(read("round"))
_GRANT = stored("grant")
_CONSENT = signer("consent")
_CHECKED: dict[str, Any] = _GRANT["checked"]


def _header(data: bytes) -> object:
    return Upload.parse(SignedRecord.from_bytes(data))


def _grants(data: bytes) -> object:
    count = int.from_bytes(data[:3], "little")
    tokens = unpack_grants(data[3:], count)
    assert pack_grants(tokens) == data[3:]
    return tokens


def _token(data: bytes) -> object:
    text = data.decode("latin-1")
    return ParticipationGrant.verify(text, _CONSENT.public_key(), **_CHECKED)


def _signed_token(data: bytes) -> object:
    """Any header and claims, rightly signed: u16 length ‖ header ‖ claims."""
    cut = 2 + int.from_bytes(data[:2], "little")
    text = f"{b64(data[2:cut])}.{b64(data[cut:])}"
    return _token(f"{text}.{b64(_CONSENT.sign(text.encode()))}".encode())


def _open_round() -> OpenRound:
    manifest = Manifest.verify(_PLAYED.manifest, signer("coordinator").public_key())
    return OpenRound(
        holder=1,
        context=_PLAYED.context,
        manifest=manifest,
        sizes=sealed_sizes(manifest.plan),
        length=2048,
        key_hash=_PLAYED.keys[0].hash,
        secret=round_secret(1),
        entry=_PLAYED.uploads[2].header.hash,
        holders={sender(f"key-holder-{number}"): number for number in NUMBERS},
        consent=_CONSENT.public_key(),
    )


_FACTS = _open_round()


def _submission(data: bytes) -> object:
    header, grants, share = unpack_frames(data, count=3, max_frame=1 << 20)
    submission = Submission(header=SignedRecord.from_bytes(header), grants=grants, share=share)
    return judge(submission, _FACTS, Seen(), now=NOW)


def _framed(position: int) -> bytes:
    each = _PLAYED.batch(1).submissions[position]
    return pack_frames([each.header.to_bytes(), each.grants, each.share])


def _segments(token: str) -> bytes:
    head, claims = (base64.urlsafe_b64decode(part + "==") for part in token.split(".")[:2])
    return len(head).to_bytes(2, "little") + head + claims


TARGETS = (
    Target("header", _header, tuple(sent.header.to_bytes() for sent in _PLAYED.uploads[:3])),
    Target(
        "grants",
        _grants,
        tuple(
            len(tokens).to_bytes(3, "little") + pack_grants(tokens)
            for tokens in ((), ("a.b.c",), ("one", "two", "three"))
        ),
    ),
    Target("token", _token, (_GRANT["token"].encode(),)),
    Target("signed-token", _signed_token, (_segments(_GRANT["token"]),)),
    Target(
        "submission", _submission, (_framed(0), _framed(1), _framed(3)), (WireError, ExcludedError)
    ),
)
