"""Bytes that hold several things: batches, invitations, cards, requests, part sums."""

from functools import partial

from crypto.errors import InvalidInputError, RoundError, SealError, WireError
from crypto.holder_card import HolderCard, parse_card
from crypto.ingest import Batch
from crypto.invitation import Invitation
from crypto.keyholder.entry import parse_request
from crypto.opening import OpenRequest, decode_part, encode_part
from crypto.sums.schemes import HOLDERS
from crypto.update import PartSum
from crypto.upload import Upload
from crypto.wire import SignedRecord, digest, pack_frames, unpack_frames
from tests.fuzz.target import Target, only
from tests.vectors.document import read
from tests.vectors.played import play
from tests.vectors.stored import long, signer, stored

_ROUND = stored("round")
_PLAYED = play(read("round"))
_INVITATION = long(_ROUND["invitation_b64"])
_WANTED = stored("records")["release_hash"]
_HOLDER = signer("key-holder-1")
_OTHER = _PLAYED.parts[1]
_TOTAL = _PLAYED.scheme.add(sent.sealed for sent in _PLAYED.uploads)


def _batch(data: bytes) -> object:
    batch = Batch.from_bytes(data)
    assert batch.to_bytes() == Batch.from_bytes(batch.to_bytes()).to_bytes()
    for each in batch.submissions:
        assert len(each.header.hash) == 64
        only((WireError,), partial(Upload.parse, each.header))
    return batch


def _invitation(data: bytes) -> object:
    found = Invitation.from_bytes(data)
    return [record.hash for record in (found.manifest, *found.round_keys, *found.accepts)]


def _card(data: bytes) -> object:
    HolderCard.from_bytes(data)
    return parse_card(data, what="fuzz").context_hash


def _entry_request(data: bytes) -> object:
    return parse_request(unpack_frames(data, count=1 + 2 * HOLDERS, max_frame=1 << 22))


def _open_request(data: bytes) -> object:
    return OpenRequest.from_bytes(data).hash


def _part(data: bytes) -> object:
    return decode_part(data, request_hash=_WANTED, identity=_HOLDER.public_key())


def _signed_part(data: bytes) -> object:
    """Any values, rightly signed, then combined as the coordinator does it."""
    body = {"holder": 1, "context": _PLAYED.context, "request": _WANTED}
    signed = SignedRecord.sign("part-sum", body | {"values": digest("part", data).hex()}, _HOLDER)
    part = _part(pack_frames([signed.to_bytes(), data]))
    assert isinstance(part, PartSum)
    assert encode_part(part, _WANTED, _HOLDER) == pack_frames([signed.to_bytes(), data])
    return _PLAYED.scheme.combine(_TOTAL, [part, _OTHER])


_VALUES = unpack_frames(long(_ROUND["part_sums_b64"][0]), count=2, max_frame=1 << 20)[1]
_KEYS = unpack_frames(_INVITATION, count=7, max_frame=1 << 20)[1:]
_ANY = _PLAYED.manifest.to_bytes()

TARGETS = (
    Target(
        "batch",
        _batch,
        (_PLAYED.batch(3).to_bytes(), Batch(context="c", submissions=()).to_bytes()),
    ),
    Target("invitation", _invitation, (_INVITATION, pack_frames([_ANY]))),
    Target("card", _card, (long(_ROUND["card_b64"]),), (InvalidInputError,)),
    Target("entry-request", _entry_request, (pack_frames([_PLAYED.context.encode(), *_KEYS]),)),
    Target("open-request", _open_request, (pack_frames([_ANY, _ANY, b"share"]),)),
    Target("part", _part, (long(_ROUND["part_sums_b64"][0]),)),
    Target("signed-part", _signed_part, (_VALUES,), (WireError, SealError, RoundError)),
)
