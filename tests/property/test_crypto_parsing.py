"""Foreign bytes: whatever they are, they parse or they raise a WireError, and nothing else.

What was read is used too: a list is hashed, an upload's grants are unpacked. Bytes that get past a
parser and trip whoever works with them would be worse than bytes that trip the parser.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.acceptance import check_accepts
from crypto.ballot import UploadList, check_votes, release_hash
from crypto.commit import Commit
from crypto.dp.accounting import Release, release_from_json, release_to_json
from crypto.dp.plan import PrivacyPlan
from crypto.errors import RoundError, SealError, WireError
from crypto.grant import ParticipationGrant
from crypto.grant_list import pack_grants, unpack_grants
from crypto.holder_card import HolderCard
from crypto.ingest import Batch, Submission
from crypto.invitation import Invitation
from crypto.opening import OpenRequest, decode_part
from crypto.sealing import round_public_keys
from crypto.sums.schemes import Scheme
from crypto.upload import Upload, sign_upload
from crypto.wire import SignedRecord, canonical, digest, pack_frames, parse_object, unpack_frames
from tests.unit.crypto.messages import CONTEXT, PART, Message, messages
from tests.unit.crypto.samples import (
    NOW,
    accepts,
    cards,
    commit,
    identities,
    invitation,
    manifest,
    plan,
    round_keys,
    signer,
    voted_manifest,
)
from tests.unit.crypto.test_upload import COMPACT
from tests.unit.crypto.test_votes import votes

FEW = settings(max_examples=60, deadline=None, derandomize=True)
KEY: Ed25519PrivateKey = signer("anybody")
MESSAGES = messages()

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(st.characters(), max_size=8),
    st.sampled_from(
        [
            *("\ud800", "", "share-sum", "compact-sum", "all", "zero-out", "shopper", "../x"),
            *("\ud800" * 64, "ab" * 32, "AB" * 32, "0" * 64, "00000001", "key-holder", "set-b"),
        ]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def only_wire_errors(parse: Callable[[], object]) -> None:
    try:
        parse()
    except WireError:
        return


def signed(record_type: str, body: object, key: Ed25519PrivateKey = KEY) -> SignedRecord:
    """A record whose signature holds over whatever JSON, canonical or not, even NaN."""
    data = json.dumps(body).encode()
    return SignedRecord(
        type=record_type, body=data, signature=key.sign(digest(f"sig/{record_type}", data))
    )


def mutated(body: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A good body with one field, at most one level down, replaced, added or removed."""

    def change(where: tuple[str, str | int | None], value: object, drop: bool) -> dict[str, Any]:
        copy: dict[str, Any] = json.loads(json.dumps(body))
        name, inner = where
        target: Any = copy if inner is None else copy[name]
        key: Any = name if inner is None else inner
        if not drop:
            target[key] = value
        elif isinstance(target, list):
            del target[key]
        else:
            target.pop(key, None)
        return copy

    places: list[tuple[str, str | int | None]] = [(name, None) for name in [*body, "extra"]]
    places += [(n, i) for n, v in body.items() if isinstance(v, dict) for i in [*v, "extra"]]
    places += [(n, i) for n, v in body.items() if isinstance(v, list) for i in range(len(v))]
    return st.builds(change, st.sampled_from(places), values, st.booleans())


def cut(data: bytes) -> st.SearchStrategy[bytes]:
    """Good bytes with a bit flipped, an end cut off, a piece doubled, or anything at the end."""
    places = st.integers(0, len(data) - 1)
    return st.one_of(
        st.builds(
            lambda at, bit: data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :],
            st.integers(0, min(len(data), 400) - 1) | places,
            st.integers(0, 7),
        ),
        st.builds(lambda at: data[:at], places),
        st.builds(lambda at, to: data[:to] + data[min(at, to) :], places, places),
        st.builds(lambda more: data + more, st.binary(min_size=1, max_size=20)),
    )


def use(read: object) -> None:
    """What is done first with a message that was read."""
    if isinstance(read, UploadList):
        assert len(read.hash) == 64
    if isinstance(read, Upload):
        only_wire_errors(lambda: read.tokens(pack_grants(("token",))))
        only_wire_errors(lambda: read.check_sealed(COMPACT))
        only_wire_errors(lambda: read.check_share(3, b""))
    if isinstance(read, Commit):
        assert read.clients <= read.shoppers


@pytest.mark.parametrize("message", MESSAGES, ids=[each.name for each in MESSAGES])
def test_every_message_with_one_field_changed(message: Message) -> None:
    @settings(FEW, max_examples=150)
    @given(mutated(message.body))
    def run(body: dict[str, Any]) -> None:
        only_wire_errors(lambda: use(message.parsed(signed(message.type, body, message.key))))

    run()


@pytest.mark.parametrize("message", MESSAGES, ids=[each.name for each in MESSAGES])
def test_every_message_as_altered_bytes(message: Message) -> None:
    @FEW
    @given(cut(message.signed().to_bytes()))
    def run(data: bytes) -> None:
        only_wire_errors(lambda: use(message.parsed(SignedRecord.from_bytes(data))))

    run()


@FEW
@given(
    st.binary(max_size=200)
    | st.text(max_size=60).map(str.encode)
    | values.map(json.dumps).map(str.encode)
)
def test_objects_and_records(data: bytes) -> None:
    only_wire_errors(lambda: parse_object(data, what="fuzz"))
    only_wire_errors(lambda: SignedRecord.from_bytes(data))


@FEW
@given(st.fixed_dictionaries({"type": values, "body": values, "signature": values}))
def test_record_envelopes(envelope: dict[str, Any]) -> None:
    only_wire_errors(lambda: SignedRecord.from_json(envelope))


@FEW
@given(mutated(commit(CONTEXT).sign(KEY).to_json()))
def test_records_with_one_field_changed(envelope: dict[str, Any]) -> None:
    def parse() -> object:
        record = SignedRecord.from_json(envelope)
        return Commit.verify(record, KEY.public_key())

    only_wire_errors(parse)


@FEW
@given(st.binary(max_size=80), st.integers(0, 4), st.integers(0, 30))
def test_frames(data: bytes, count: int, limit: int) -> None:
    only_wire_errors(lambda: unpack_frames(data, count=count, max_frame=limit))
    only_wire_errors(lambda: unpack_frames(b"FRS1" + data, count=count, max_frame=limit))


@FEW
@given(st.lists(st.binary(max_size=20), max_size=5))
def test_frames_round_trip(frames: list[bytes]) -> None:
    assert unpack_frames(pack_frames(frames), count=len(frames), max_frame=20) == frames


PLANS = [plan(), plan(scheme=Scheme.COMPACT_SUM), plan(scheme=Scheme.PIECE_SUM)]


@settings(FEW, max_examples=300)
@given(st.sampled_from(PLANS).flatmap(lambda made: mutated(made.to_json())))
def test_plans(fields: dict[str, Any]) -> None:
    only_wire_errors(lambda: PrivacyPlan.from_json(json.loads(json.dumps(fields))))


@settings(FEW, max_examples=150)
@given(st.sampled_from(PLANS).flatmap(lambda made: mutated(release_to_json(made.release))))
def test_stored_releases(fields: dict[str, Any]) -> None:
    only_wire_errors(lambda: release_from_json(fields))


@FEW
@given(st.lists(st.lists(scalars, min_size=2, max_size=4), max_size=3))
def test_lists_of_a_commit(entries: list[list[Any]]) -> None:
    body = json.loads(commit(CONTEXT).sign(KEY).body) | {"uploads": entries}
    only_wire_errors(lambda: Commit.verify(signed("commit", body), KEY.public_key()))


GRANTS = pack_grants(("a", "bc", "def"))


@settings(FEW, max_examples=150)
@given(st.binary(max_size=40) | cut(GRANTS), st.integers(-1, 5))
def test_lists_of_grants(data: bytes, count: int) -> None:
    only_wire_errors(lambda: unpack_grants(data, count))
    only_wire_errors(lambda: unpack_grants(data.ljust(1536, b"\x00"), count))


HEADER = sign_upload(COMPACT, ("token",), KEY)
SUBMITTED = Batch(
    context=CONTEXT,
    submissions=(Submission(header=HEADER, grants=GRANTS[:9], share=b"share"),) * 2,
)


@settings(FEW, max_examples=150)
@given(st.binary(max_size=60) | cut(SUBMITTED.to_bytes()))
def test_batches(data: bytes) -> None:
    def parse() -> None:
        for each in Batch.from_bytes(data).submissions:
            only_wire_errors(lambda each=each: use(Upload.parse(each.header)))  # type: ignore[misc]

    only_wire_errors(parse)


VOTED = invitation(voted_manifest())


@settings(FEW, max_examples=150)
@given(
    st.one_of(st.binary(max_size=60), cut(VOTED.to_bytes()), cut(invitation(manifest()).to_bytes()))
)
def test_invitations(data: bytes) -> None:
    def parse() -> None:
        found = Invitation.from_bytes(data)
        only_wire_errors(lambda: check_accepts(found.accepts, identities(), CONTEXT))
        only_wire_errors(
            lambda: round_public_keys(voted_manifest(), found.round_keys, identities())
        )

    only_wire_errors(parse)


@FEW
@given(st.integers(0, 2), st.binary(min_size=1216, max_size=1216) | st.just(bytes(1216)))
def test_round_keys_of_any_bytes(place: int, raw: bytes) -> None:
    """A pinned key holder may sign any 1216 bytes: they are a key, or not."""
    records = list(round_keys())
    records[place] = round_keys(public=raw)[place]
    made = voted_manifest(key_hashes=tuple(record.hash for record in records))
    try:
        round_public_keys(made, records, identities())
    except SealError:
        return


@FEW
@given(cut(cards()[0].to_bytes()) | st.binary(max_size=60))
def test_cards(data: bytes) -> None:
    only_wire_errors(lambda: HolderCard.from_bytes(data))


@FEW
@given(st.integers(0, 2), mutated(json.loads(votes()[0].body)))
def test_votes(place: int, body: dict[str, Any]) -> None:
    records = list(votes())
    records[place] = signed("vote", body, signer(f"key-holder-{place + 1}"))

    def parse() -> None:
        check_votes(records, identities(), CONTEXT)

    try:
        only_wire_errors(parse)
    except RoundError as error:
        assert "different lists" in str(error)  # noqa: PT017 - the other error that is meant
    assert len(release_hash(records)) == 64


@FEW
@given(st.binary(max_size=60), st.binary(max_size=60))
def test_open_requests(first: bytes, second: bytes) -> None:
    good = manifest().sign(KEY).to_bytes()
    for data in (first, pack_frames([first, second, b""]), pack_frames([good, first, second])):
        only_wire_errors(lambda data=data: OpenRequest.from_bytes(data))  # type: ignore[misc]


@FEW
@given(mutated(PART), st.sampled_from([bytes(16), bytes(15), b""]))
def test_part_sums(body: dict[str, Any], payload: bytes) -> None:
    data = pack_frames([signed("part-sum", body).to_bytes(), payload])
    only_wire_errors(lambda: decode_part(data, request_hash="r", identity=KEY.public_key()))


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


GRANT_HEADER = {"alg": "Ed25519", "typ": "fedcart-grant+jwt"}
CLAIMS: dict[str, Any] = {
    "iss": "i",
    "aud": "t",
    "sub": "s",
    "jti": "j",
    "iat": NOW,
    "exp": NOW + 600,
    "cnf": {"jkt": "k"},
    "round": "r",
    "ctx": "c",
    "purposes": ["p"],
    "categories": [],
    "notice": "1",
    "epoch": 1,
}


def token_of(header: object, claims: object) -> str:
    text = f"{_segment(json.dumps(header).encode())}.{_segment(json.dumps(claims).encode())}"
    return f"{text}.{_segment(KEY.sign(text.encode()))}"


@settings(FEW, max_examples=250)
@given(mutated(GRANT_HEADER | {"crit": ["b64"], "kid": "k"}) | values, mutated(CLAIMS))
def test_grants(header: object, claims: dict[str, Any]) -> None:
    only_wire_errors(lambda: _grant(token_of(header, claims)))


@FEW
@given(mutated(CLAIMS))
def test_claims_of_a_grant(claims: dict[str, Any]) -> None:
    only_wire_errors(lambda: _grant(token_of(GRANT_HEADER, claims)))


@FEW
@given(st.text(max_size=40) | st.lists(st.text(max_size=8), max_size=6).map(".".join))
def test_tokens_of_any_text(token: str) -> None:
    only_wire_errors(lambda: _grant(token))


def _grant(token: str) -> ParticipationGrant:
    return ParticipationGrant.verify(
        token, KEY.public_key(), task="t", context="c", client_key="k", now=NOW
    )


class TestTheFuzzedOnesAreGood:
    """Without this, a strategy whose base is refused would test nothing."""

    @pytest.mark.parametrize("message", MESSAGES, ids=[each.name for each in MESSAGES])
    def test_messages(self, message: Message) -> None:
        use(message.parsed(message.signed()))
        use(message.parsed(signed(message.type, message.body, message.key)))
        use(message.parsed(SignedRecord.from_bytes(message.signed().to_bytes())))

    @pytest.mark.parametrize("made", PLANS, ids=lambda made: made.scheme)
    def test_plans_and_releases(self, made: PrivacyPlan) -> None:
        assert PrivacyPlan.from_json(json.loads(canonical(made.to_json()))) == made
        stored: Release = release_from_json(json.loads(canonical(release_to_json(made.release))))
        assert stored == made.release

    def test_frames(self) -> None:
        assert unpack_grants(GRANTS, 3) == ("a", "bc", "def")
        assert Batch.from_bytes(SUBMITTED.to_bytes()) == SUBMITTED
        assert Upload.parse(HEADER).hash == HEADER.hash
        assert Invitation.from_bytes(VOTED.to_bytes()) == VOTED
        assert HolderCard.from_bytes(cards()[0].to_bytes()) == cards()[0]

    def test_what_is_asked_of_several(self) -> None:
        check_accepts(accepts(CONTEXT), identities(), CONTEXT)
        assert len(check_votes(votes(), identities(), CONTEXT)) == 3
        assert len(round_public_keys(voted_manifest(), round_keys(), identities())) == 3

    def test_grants(self) -> None:
        assert _grant(token_of(GRANT_HEADER, CLAIMS)).token_id == "j"
        request = OpenRequest(
            manifest=manifest().sign(KEY), commit=commit(CONTEXT).sign(KEY), share=b"s"
        )
        assert OpenRequest.from_bytes(request.to_bytes()) == request

    def test_part_sums(self) -> None:
        data = pack_frames([signed("part-sum", PART).to_bytes(), bytes(16)])
        part = decode_part(data, request_hash="r", identity=KEY.public_key())
        assert replace(part, values=part.values).holder == 1

    def test_a_crash_would_be_seen(self) -> None:
        with pytest.raises(UnicodeEncodeError):
            only_wire_errors("\ud800".encode)
