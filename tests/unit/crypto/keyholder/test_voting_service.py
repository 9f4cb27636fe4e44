"""A whole round over HTTP: bytes in, bytes out, and nothing that anybody sends takes it down."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from consent.service.inprocess import InProcessTransport
from crypto.acceptance import check_accepts
from crypto.ballot import check_votes, release_hash
from crypto.ingest import Batch, Receipt
from crypto.keyholder.peers import HttpVotes, Peer, set_peers
from crypto.keyholder.service import create_app
from crypto.keyholder.station import Station
from crypto.manifest import context_of
from crypto.opening import MEDIA_TYPE, decode_part
from crypto.round_key import RoundKey
from crypto.sealing import secure_sum
from crypto.wire import SignedRecord, pack_frames
from tests.unit.crypto.keyholder.federation import (
    NUMBERS,
    Federation,
    Ready,
    Sent,
    VotingRound,
    client_upload,
    entry_of,
    piece_plan,
)
from tests.unit.crypto.samples import NOW, signer

POSTS = ("round-keys", "accept", "entry", "ingest", "vote", "release", "open")
RECORD_TYPE = "application/vnd.fedcart.record+json"


class Services:
    """Three key holders behind HTTP, which ask each other over HTTP."""

    def __init__(self, folder: Path) -> None:
        self.federation = Federation.make(folder, z_floor=0.0)
        self.http: dict[int, httpx.Client] = {}
        self.asked: list[str] = []
        for number in NUMBERS:
            self.federation.stations[number].close()
        self.introduce()
        for number in NUMBERS:
            self.start(number)

    def introduce(self) -> None:
        peers = [
            Peer(
                number=number,
                identity=self.federation.holder(number).identity.public_key(),
                url=f"http://holder-{number}.test",
            )
            for number in NUMBERS
        ]
        for number in NUMBERS:
            home = self.federation.homes[number - 1]
            set_peers(home, [peer for peer in peers if peer.number != number])

    def start(self, number: int) -> None:
        app = create_app(
            self.federation.holder(number),
            clock=lambda: float(self.federation.now),
            source=HttpVotes(self.connect),
        )
        url = f"http://holder-{number}.test"
        self.http[number] = httpx.Client(transport=InProcessTransport(app), base_url=url)

    def connect(self, url: str) -> httpx.Client:
        self.asked.append(url)
        number = int(url.removesuffix(".test")[-1])
        if number not in self.http:
            raise httpx.ConnectError("not started yet")
        return self.http[number]

    def post(self, number: int, path: str, content: bytes) -> bytes:
        answer = self.http[number].post(f"/v1/{path}", content=content)
        assert answer.status_code == 200, answer.text
        kind = MEDIA_TYPE if path in {"entry", "release"} else RECORD_TYPE
        assert answer.headers["content-type"] == kind
        assert self.http[number].post(f"/v1/{path}", content=content).content == answer.content
        return answer.content


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    made = Services(tmp_path_factory.mktemp("services"))
    yield made
    for http in made.http.values():
        http.close()


def test_a_whole_round(services: Services) -> None:
    federation = services.federation
    known = [federation.holder(number).identity.public_key() for number in NUMBERS]
    request = federation.request().sign(signer("coordinator")).to_bytes()
    keys = [
        SignedRecord.from_bytes(services.post(number, "round-keys", request)) for number in NUMBERS
    ]
    for number, key in zip(NUMBERS, keys, strict=True):
        assert RoundKey.verify(key, known[number - 1]).holder == number
    document = federation.manifest(keys, plan=piece_plan(noise_multiplier=0.0))
    record = document.sign(signer("coordinator"))
    context = context_of(record)
    accepts = [
        SignedRecord.from_bytes(services.post(number, "accept", record.to_bytes()))
        for number in NUMBERS
    ]
    check_accepts(accepts, known, context)
    cards = [federation.holder(number).card for number in NUMBERS]
    made = VotingRound(
        manifest=document,
        record=record,
        keys=tuple(keys),
        accepts=tuple(accepts),
        scheme=secure_sum(document, context, cards=cards, round_keys=keys),
    )
    asked = pack_frames(
        [context.encode(), *(each.to_bytes() for each in (*made.keys, *made.accepts))]
    )
    entries = [entry_of(made, services.post(number, "entry", asked)) for number in NUMBERS]
    clients = [client_upload(made, f"client {k}") for k in range(4)]
    for number in NUMBERS:
        hand_over(services, number, made, [*clients, *entries])
    ready = Ready(made=made, clients=tuple(clients), entries=tuple(entries))
    question = pack_frames([context.encode(), ready.commit.to_bytes(), ready.proposal.to_bytes()])
    votes = [SignedRecord.from_bytes(services.post(n, "vote", question)) for n in NUMBERS]
    assert len(check_votes(votes, known, context)) == 3
    asked = pack_frames([vote.to_bytes() for vote in votes])
    parts = [
        decode_part(
            services.post(number, "release", asked),
            request_hash=release_hash(votes),
            identity=known[number - 1],
        )
        for number in NUMBERS
    ]
    total = made.scheme.add([each.sealed for each in (*clients, *entries)])
    assert made.scheme.combine(total, parts).tolist() == ready.expected().tolist()
    for number in NUMBERS:
        for other in NUMBERS:
            shown = services.http[number].get(f"/v1/votes/{other}")
            assert shown.content == votes[other - 1].to_bytes()
            assert shown.headers["content-type"] == RECORD_TYPE
    assert len(services.asked) >= 6


def hand_over(services: Services, number: int, made: VotingRound, sent: list[Sent]) -> None:
    batch = Batch(context=made.context, submissions=tuple(each.to(number) for each in sent))
    data = services.post(number, "ingest", batch.to_bytes())
    identity = services.federation.holder(number).identity.public_key()
    receipt = Receipt.verify(SignedRecord.from_bytes(data), identity)
    assert (receipt.holder, receipt.excluded) == (number, ())


def test_votes_of_nobody(services: Services) -> None:
    for path in ("4", "0", "-1"):
        answer = services.http[1].get(f"/v1/votes/{path}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
    assert services.http[1].get("/v1/votes/one").status_code == 422


def test_statuses(services: Services) -> None:
    federation = services.federation
    refused = services.http[1].post(
        "/v1/round-keys",
        content=federation.request(closes=NOW - 1, opens=0).sign(signer("coordinator")).to_bytes(),
    )
    assert (refused.status_code, refused.json()["title"]) == (409, "RoundError")


def test_peers_that_make_no_sense(tmp_path: Path) -> None:
    federation = Federation.make(tmp_path)
    app = create_app(federation.holder(1), source=federation)
    (federation.homes[0] / "peers.json").write_text("{}")
    with httpx.Client(transport=InProcessTransport(app), base_url="http://h.test") as http:
        assert http.get("/v1/votes/1").status_code == 422
        assert http.get("/v1/healthz").status_code == 200


@pytest.mark.parametrize("path", POSTS)
class TestNothingTakesItDown:
    def test_what_nobody_thought_of(
        self, services: Services, monkeypatch: pytest.MonkeyPatch, path: str
    ) -> None:
        """Status 500, without a word of what happened; the service goes on."""

        def stumble(*_args: object) -> bytes:
            raise ZeroDivisionError("the secret is 42")

        with monkeypatch.context() as patch:
            patch.setattr(SignedRecord, "from_bytes", stumble)
            patch.setattr("crypto.keyholder.service.unpack_frames", stumble)
            patch.setattr(Batch, "from_bytes", stumble)
            patch.setattr("crypto.keyholder.service.OpenRequest.from_bytes", stumble)
            answer = services.http[1].post(f"/v1/{path}", content=b"x")
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["title"] == "InternalError"
        assert "42" not in answer.text
        assert "ZeroDivision" not in answer.text
        assert services.http[1].post(f"/v1/{path}", content=b"x").status_code == 400

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"{}",
            b"[" * 100_000,
            b"\xff" * 5000,
            b"FRS1",
            b"FRS1" + b"\xff" * 100,
            pack_frames([]),
            pack_frames([b""] * 3),
            pack_frames([b""] * 7),
            pack_frames([b"x", b"{}", b"", b""]),
            b'{"body":"","signature":"","type":"manifest"}',
        ],
        ids=lambda data: repr(data[:16]),
    )
    def test_garbage(self, services: Services, path: str, data: bytes) -> None:
        answer = services.http[1].post(f"/v1/{path}", content=data)
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/problem+json"

    def test_other_methods(self, services: Services, path: str) -> None:
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            assert services.http[1].request(method, f"/v1/{path}").status_code == 405


def test_a_station_is_what_the_service_translates() -> None:
    """The routes are the station's steps, no more."""
    steps = {"round_key", "accept", "entry", "ingest", "vote", "release", "open_sum"}
    public = {name for name in vars(Station) if not name.startswith("_")}
    assert public == steps | {"close", "check_peers", "latest_vote"}
