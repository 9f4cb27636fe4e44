"""Foreign bytes: whatever they are, they parse or they raise a WireError, and nothing else."""

import base64
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.commit import Commit
from crypto.dp.plan import PrivacyPlan
from crypto.errors import WireError
from crypto.grant import ParticipationGrant
from crypto.manifest import Manifest
from crypto.opening import OpenRequest, decode_part
from crypto.update import SealedUpdate
from crypto.upload import Upload, sign_upload
from crypto.wire import SignedRecord, canonical, digest, pack_frames, parse_object, unpack_frames
from tests.unit.crypto.samples import NOW, commit, manifest, signer

FEW = settings(max_examples=60, deadline=None, derandomize=True)
KEY: Ed25519PrivateKey = signer("anybody")
SEALED = SealedUpdate(scheme="share-sum", context="ab" * 32, shares=(b"a", b"b", b"c"))

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(st.characters(), max_size=8),
    st.sampled_from(["\ud800", "", "share-sum", "all", "zero-out", "shopper", "../x"]),
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


def signed(record_type: str, body: object) -> SignedRecord:
    """A record whose signature holds over whatever JSON, canonical or not, even NaN."""
    data = json.dumps(body).encode()
    return SignedRecord(
        type=record_type, body=data, signature=KEY.sign(digest(f"sig/{record_type}", data))
    )


def mutated(body: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A good body with one field, at most one level down, replaced, added or removed."""

    def change(where: tuple[str, str | None], value: object, drop: bool) -> dict[str, Any]:
        copy: dict[str, Any] = json.loads(json.dumps(body))
        name, inner = where
        target = copy if inner is None else copy[name]
        key = name if inner is None else inner
        if drop:
            target.pop(key, None)
        else:
            target[key] = value
        return copy

    places: list[tuple[str, str | None]] = [(name, None) for name in [*body, "extra"]]
    places += [(n, i) for n, v in body.items() if isinstance(v, dict) for i in [*v, "extra"]]
    return st.builds(change, st.sampled_from(places), values, st.booleans())


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
@given(mutated(commit("ab" * 32).sign(KEY).to_json()))
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


@settings(FEW, max_examples=250)
@given(mutated(manifest().body))
def test_manifests(body: dict[str, Any]) -> None:
    only_wire_errors(lambda: Manifest.verify(signed("manifest", body), KEY.public_key()))


@settings(FEW, max_examples=200)
@given(mutated(manifest().plan.to_json()))
def test_plans(fields: dict[str, Any]) -> None:
    only_wire_errors(lambda: PrivacyPlan.from_json(fields))


@FEW
@given(
    mutated(json.loads(commit("ab" * 32).sign(KEY).body))
    | st.builds(
        lambda entries: json.loads(commit("ab" * 32).sign(KEY).body) | {"uploads": entries},
        st.lists(st.lists(scalars, min_size=2, max_size=4), max_size=3),
    )
)
def test_commits(body: dict[str, Any]) -> None:
    only_wire_errors(lambda: Commit.verify(signed("commit", body), KEY.public_key()))


@settings(FEW, max_examples=120)
@given(mutated(json.loads(sign_upload(SEALED, ("token",), KEY).body)))
def test_uploads(body: dict[str, Any]) -> None:
    def parse() -> object:
        return Upload.verify(signed("upload", body), SEALED).hash

    only_wire_errors(parse)


@FEW
@given(st.binary(max_size=60), st.binary(max_size=60))
def test_open_requests(first: bytes, second: bytes) -> None:
    good = manifest().sign(KEY).to_bytes()
    for data in (first, pack_frames([first, second, b""]), pack_frames([good, first, second])):
        only_wire_errors(lambda data=data: OpenRequest.from_bytes(data))  # type: ignore[misc]


@FEW
@given(
    mutated(
        {
            "holder": 1,
            "context": "c",
            "request": "r",
            "values": digest("part", bytes(16)).hex(),
        }
    ),
    st.sampled_from([bytes(16), bytes(15), b""]),
)
def test_part_sums(body: dict[str, Any], payload: bytes) -> None:
    data = pack_frames([signed("part-sum", body).to_bytes(), payload])
    only_wire_errors(lambda: decode_part(data, request_hash="r", identity=KEY.public_key()))


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@settings(FEW, max_examples=250)
@given(
    mutated({"alg": "Ed25519", "typ": "fedcart-grant+jwt", "crit": ["b64"], "kid": "k"}) | values,
    mutated(
        {
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
    ),
)
def test_grants(header: object, claims: dict[str, Any]) -> None:
    text = f"{_segment(json.dumps(header).encode())}.{_segment(json.dumps(claims).encode())}"
    token = f"{text}.{_segment(KEY.sign(text.encode()))}"
    only_wire_errors(lambda: _grant(token))


@FEW
@given(st.text(max_size=40) | st.lists(st.text(max_size=8), max_size=6).map(".".join))
def test_tokens_of_any_text(token: str) -> None:
    only_wire_errors(lambda: _grant(token))


def _grant(token: str) -> ParticipationGrant:
    return ParticipationGrant.verify(
        token, KEY.public_key(), task="t", context="c", client_key="k", now=NOW
    )


def test_the_fuzzed_good_ones_are_good() -> None:
    """Without this, a strategy whose base is refused would test nothing."""
    assert Manifest.verify(manifest().sign(KEY), KEY.public_key()) == manifest()
    listed = commit("ab" * 32)
    assert Commit.verify(listed.sign(KEY), KEY.public_key()) == listed
    assert Upload.verify(sign_upload(SEALED, ("token",), KEY), SEALED).grants == ("token",)
    body = json.loads(commit("ab" * 32).sign(KEY).body)
    assert signed("commit", body).verified("commit", KEY.public_key()) == body
    assert (
        PrivacyPlan.from_json(json.loads(canonical(manifest().plan.to_json()))) == manifest().plan
    )
