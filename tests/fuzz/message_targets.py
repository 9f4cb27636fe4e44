"""Bodies of signed records: any bytes, rightly signed, so that they reach their reader."""

from collections.abc import Callable
from typing import Any

from consent.participation import ParticipationRequest
from crypto.acceptance import Accept
from crypto.ballot import UploadList, Vote
from crypto.commit import Commit
from crypto.errors import FedcartError, WireError
from crypto.holder_card import HolderCard
from crypto.ingest import Receipt
from crypto.keyholder.pins import Pins, check_manifest
from crypto.manifest import Manifest
from crypto.opening import decode_part
from crypto.round_key import RoundKey, RoundKeyRequest
from crypto.sums.sizes import sealed_sizes
from crypto.upload import Upload
from crypto.wire import SignedRecord, digest, pack_frames, unpack_frames
from tests.fuzz.target import Target
from tests.vectors.document import Document
from tests.vectors.records import NO_CONTEXT
from tests.vectors.stored import long, signer, stored

_PINS = Pins(
    coordinator=signer("coordinator").public_key(),
    consent=signer("consent").public_key(),
    population="example-federation",
    n_floor=2,
    z_floor=0.5,
)
_VALUES = unpack_frames(long(stored("round")["part_sums_b64"][0]), count=2, max_frame=1 << 20)[1]


def _manifest(record: SignedRecord, key: Any) -> object:
    """As a key holder reads it: its plan is used, its ε computed again."""
    manifest = Manifest.verify(record, key)
    try:
        check_manifest(manifest, _PINS)
        sealed_sizes(manifest.plan)
    except WireError:
        raise
    except FedcartError as error:
        raise WireError("refused") from error
    return manifest


def _list(record: SignedRecord, key: Any) -> object:
    return UploadList.verify(record, key).hash


def _part(record: SignedRecord, key: Any) -> object:
    data = pack_frames([record.to_bytes(), _VALUES])
    return decode_part(data, request_hash=stored("records")["release_hash"], identity=key)


def _card(record: SignedRecord, _key: Any) -> object:
    return HolderCard.from_bytes(pack_frames([record.to_bytes(), NO_CONTEXT]))


_READERS: dict[str, Callable[[SignedRecord, Any], object]] = {
    "round-key-request": RoundKeyRequest.verify,
    "round-key": RoundKey.verify,
    "manifest": _manifest,
    "accept": Accept.verify,
    "participation": lambda record, _key: ParticipationRequest.parse(record),
    "upload": lambda record, _key: Upload.parse(record),
    "entry": lambda record, _key: Upload.parse(record),
    "ingest-receipt": Receipt.verify,
    "commit": Commit.verify,
    "upload-list": _list,
    "vote": Vote.verify,
    "part-sum": _part,
    "card": _card,
}


def _target(case: Document) -> Target:
    kind, key, read = case["type"], signer(case["signer"]), _READERS[case["name"]]
    public = key.public_key()

    def parse(data: bytes) -> object:
        signature = key.sign(digest(f"sig/{kind}", data))
        return read(SignedRecord(type=kind, body=data, signature=signature), public)

    return Target(case["name"], parse, (case["body_text"].encode(),))


TARGETS = tuple(_target(case) for case in stored("records")["records"])
