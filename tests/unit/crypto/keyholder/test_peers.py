"""Who the others are, and what they answer when they are asked."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from crypto.errors import InvalidInputError, RoundError
from crypto.keyholder.home import KeyHolder
from crypto.keyholder.peers import HttpVotes, Peer, load_peers, set_peers
from crypto.wire import SignedRecord
from tests.unit.crypto.keyholder.stage import make_holders
from tests.unit.crypto.samples import signer


@pytest.fixture
def holders(tmp_path: Path) -> tuple[KeyHolder, ...]:
    return make_holders(tmp_path)


def peer(number: int, name: str | None = None, url: str | None = None) -> Peer:
    return Peer(number=number, identity=signer(name or f"peer {number}").public_key(), url=url)


def test_they_are_read_back_in_order(holders: tuple[KeyHolder, ...]) -> None:
    home = holders[1].home
    wanted = (peer(1, url="https://one.example"), peer(3))
    set_peers(home, wanted[::-1])
    found = load_peers(home)
    assert [(p.number, p.name, p.url) for p in found] == [(p.number, p.name, p.url) for p in wanted]
    assert [p.number for p in holders[1].parties()] == [1, 2, 3]


@pytest.mark.parametrize(
    ("peers", "message"),
    [
        ([], "Expected key holders 1 and 3"),
        ([peer(1)], "Expected key holders 1 and 3"),
        ([peer(1), peer(2)], "Expected key holders 1 and 3"),
        ([peer(1), peer(1)], "Expected key holders 1 and 3"),
        ([peer(1), peer(3), peer(3)], "Expected key holders 1 and 3"),
        ([peer(1, "same"), peer(3, "same")], "same identity"),
    ],
)
def test_exactly_the_other_two(
    holders: tuple[KeyHolder, ...], peers: list[Peer], message: str
) -> None:
    before = (holders[1].home / "peers.json").read_bytes()
    with pytest.raises(InvalidInputError, match=message):
        set_peers(holders[1].home, peers)
    assert (holders[1].home / "peers.json").read_bytes() == before


def test_not_itself(holders: tuple[KeyHolder, ...]) -> None:
    own = Peer(number=1, identity=holders[1].identity.public_key())
    with pytest.raises(InvalidInputError, match="same identity"):
        set_peers(holders[1].home, [own, peer(3)])


def test_no_home(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="keyholder init"):
        set_peers(tmp_path, [peer(1), peer(2)])


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        '{"peers": []}',
        '{"peers": [1, 2]}',
        json.dumps({"peers": [{"number": 9, "identity": "x", "url": None}] * 2}),
    ],
)
def test_an_edited_file(holders: tuple[KeyHolder, ...], text: str) -> None:
    (holders[0].home / "peers.json").write_text(text)
    with pytest.raises(InvalidInputError):
        load_peers(holders[0].home)


class TestAsking:
    RECORD = SignedRecord.sign("vote", {"any": 1}, signer("x"))

    def ask(self, answer: Callable[[httpx.Request], httpx.Response]) -> SignedRecord | None:
        def connect(url: str) -> httpx.Client:
            return httpx.Client(base_url=url, transport=httpx.MockTransport(answer))

        return HttpVotes(connect).latest(peer(2, url="https://two.example"), 3)

    def test_a_vote(self) -> None:
        asked: list[str] = []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(str(request.url))
            return httpx.Response(200, content=self.RECORD.to_bytes())

        assert self.ask(answer) == self.RECORD
        assert asked == ["https://two.example/v1/votes/3"]

    def test_none_seen(self) -> None:
        assert self.ask(lambda _request: httpx.Response(404)) is None

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(500),
            httpx.Response(302),
            httpx.Response(204),
            httpx.Response(200, content=b""),
            httpx.Response(200, content=b"{}"),
            httpx.Response(200, content=b"x" * 100_000),
        ],
        ids=lambda answer: f"{answer.status_code}-{len(answer.content)}",
    )
    def test_nonsense_is_no_denial(self, answer: httpx.Response) -> None:
        """Only a plain 404 says that there is none."""
        with pytest.raises(RoundError, match="Key holder 2"):
            self.ask(lambda _request: answer)

    def test_away(self) -> None:
        def fail(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("no", request=request)

        with pytest.raises(RoundError, match=r"could not be asked.*ConnectError"):
            self.ask(fail)

    def test_really_away(self) -> None:
        with pytest.raises(RoundError, match="could not be asked"):
            HttpVotes().latest(peer(2, url="http://127.0.0.1:9"), 3)

    def test_no_address(self) -> None:
        with pytest.raises(RoundError, match=r"no address here.*fedcart keyholder"):
            HttpVotes().latest(peer(2), 3)
