"""The key holder over HTTP: signed answers, plain refusals, and never a secret."""

from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import httpx
import pytest
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Message

from consent.service.inprocess import InProcessTransport
from crypto.errors import WireError
from crypto.holder_card import HolderCard
from crypto.keyholder import service
from crypto.keyholder.home import KeyHolder
from crypto.keyholder.service import create_app
from crypto.opening import MEDIA_TYPE, decode_part
from crypto.wire import b64, pack_frames
from tests.unit.crypto.keyholder.stage import make_round
from tests.unit.crypto.samples import NOW, plan

Holders = tuple[KeyHolder, ...]


@contextmanager
def serving(holder: KeyHolder) -> Iterator[httpx.Client]:
    transport = InProcessTransport(create_app(holder, clock=lambda: float(NOW)))
    with httpx.Client(transport=transport, base_url="http://keyholder.test") as client:
        yield client


@pytest.fixture
def http(holders: Holders) -> Iterator[httpx.Client]:
    with serving(holders[0]) as client:
        yield client


def test_answers_are_signed(http: httpx.Client, holders: Holders) -> None:
    request = make_round(holders).request(1)
    answer = http.post("/v1/open", content=request.to_bytes())
    assert answer.status_code == 200
    assert answer.headers["content-type"] == MEDIA_TYPE
    identity = holders[0].identity.public_key()
    part = decode_part(answer.content, request_hash=request.hash, identity=identity)
    assert part.holder == 1
    assert http.post("/v1/open", content=request.to_bytes()).content == answer.content


def test_a_restarted_service_repeats_itself(http: httpx.Client, holders: Holders) -> None:
    request = make_round(holders).request(1).to_bytes()
    first = http.post("/v1/open", content=request)
    other = make_round(holders, clients=5).request(1).to_bytes()
    with serving(holders[0]) as restarted:
        assert restarted.post("/v1/open", content=request).content == first.content
        assert restarted.post("/v1/open", content=other).status_code == 409


def test_public_routes(http: httpx.Client, holders: Holders) -> None:
    assert http.get("/v1/healthz").json() == {"ready": True, "holder": 1}
    assert HolderCard.from_bytes(http.get("/v1/card").content) == holders[0].card
    assert http.get("/v1/votes/1").status_code == 404


def test_refusals_have_plain_statuses(http: httpx.Client, holders: Holders) -> None:
    cases = [
        (make_round(holders).request(1, coordinator="mallory"), 400, "WireError"),
        (make_round(holders).request(1, consent="mallory"), 400, "WireError"),
        (make_round(holders, clients=3).request(1), 409, "CohortTooSmallError"),
        (make_round(holders, private=plan(noise_multiplier=0.1)).request(1), 409, "RoundError"),
        (make_round(holders).request(1, share=b"x"), 422, "SealError"),
    ]
    for request, status, title in cases:
        answer = http.post("/v1/open", content=request.to_bytes())
        assert (answer.status_code, answer.json()["title"]) == (status, title)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 100,
        b"FRS1",
        b"FRS1\x03\x00\x00\x00" + b"\xff" * 24,
        pack_frames([b"", b"", b""]),
        pack_frames([b"{}", b"{}", b"x"]),
        pack_frames([b"[" * 100_000, b"{}", b"x"]),
        pack_frames([b'{"type":"manifest","body":"\xff","signature":""}', b"{}", b"x"]),
        pack_frames([b'{"type":"\\ud800","body":"e30","signature":"' + b"A" * 86 + b'"}'] * 3),
        b"\xff" * 5000,
    ],
    ids=lambda data: repr(data[:12]),
)
def test_garbage_is_the_senders_fault(http: httpx.Client, data: bytes) -> None:
    answer = http.post("/v1/open", content=data)
    assert answer.status_code == 400
    assert "Traceback" not in answer.text


def test_oversize_bodies_are_refused_unread(
    holders: Holders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_MAX_BODY", 1000)
    with serving(holders[0]) as http:
        answer = http.post("/v1/open", content=b"x" * 1001)
        assert answer.status_code == 400
        assert answer.json()["detail"].endswith("1000 bytes.")


def test_every_body_is_bounded_before_anything_of_it_is_read(
    holders: Holders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to sign anything to be refused, and nothing is parsed."""
    for limit in ("_MAX_BODY", "_MAX_INGEST", "MAX_RECORD_BYTES"):
        monkeypatch.setattr(service, limit, 1000)
    for parser in ("SignedRecord", "Batch", "OpenRequest", "unpack_frames"):
        monkeypatch.setattr(service, parser, None)
    app = create_app(holders[0], clock=lambda: float(NOW))
    paths = [r.path for r in app.routes if isinstance(r, Route) and "POST" in (r.methods or ())]
    assert len(paths) == 7
    with serving(holders[0]) as http:
        for path in paths:
            answer = http.post(path, content=b"x" * 1001)
            assert (answer.status_code, answer.json()["title"]) == (400, "WireError"), path
            assert http.post(path, content=b"x" * 1000).status_code == 500, "that was read"


def test_bodies_of_unknown_length_are_cut_off_as_they_arrive() -> None:
    taken: list[int] = []

    async def receive() -> Message:
        taken.append(600)
        return {"type": "http.request", "body": b"x" * 600, "more_body": True}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(WireError, match="at most 1000"):
        anyio.run(service._read, request, 1000)
    assert len(taken) == 2


def test_there_is_nothing_else(http: httpx.Client) -> None:
    for path in (
        "/",
        "/docs",
        "/openapi.json",
        "/v1/register",
        "/v1/opening.key",
        "/v1/context",
        "/v1/open/..",
    ):
        answer = http.get(path)
        assert answer.status_code in {404, 405}
        is_problem(answer)
    for method in ("PUT", "DELETE", "PATCH", "GET"):
        answer = http.request(method, "/v1/open")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"
        is_problem(answer)
    answer = http.get("/v1/votes/second")
    assert answer.status_code == 422
    assert "second" not in answer.text
    is_problem(answer)


def is_problem(answer: httpx.Response) -> None:
    """As the consent service's refusals are: a problem document of three fields."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().keys() == {"title", "status", "detail"}
    assert answer.json()["status"] == answer.status_code


def test_no_secret_ever_travels(http: httpx.Client, holders: Holders) -> None:
    holder, made = holders[0], make_round(holders)
    identity = holder.identity.private_bytes_raw()
    assert holder.opening is not None
    opening = holder.opening.to_bytes()
    # The secret part: what the secret file has and the public context has not.
    piece = next(
        opening[start : start + 64]
        for start in range(len(opening) // 2, len(opening), 64)
        if opening[start : start + 64] not in holder.public
    )
    answers = [http.get(path) for path in ("/v1/healthz", "/v1/card", "/v1/votes/1")]
    answers += [
        http.post("/v1/open", content=data)
        for data in (
            made.request(1).to_bytes(),
            made.request(1, share=b"x").to_bytes(),
            make_round(holders, clients=5).request(1).to_bytes(),
            b"garbage",
        )
    ]
    assert {answer.status_code for answer in answers} == {200, 400, 404, 409, 422}
    for answer in answers:
        everything = answer.content + str(answer.headers).encode()
        for secret in (identity, b64(identity).encode(), identity.hex().encode(), piece):
            assert secret not in everything
        assert str(holder.home) not in everything.decode("latin-1")
