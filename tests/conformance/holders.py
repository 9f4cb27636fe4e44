"""Key holders on a network, each over its own disk: they can die, lose power and start again."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from crypto.errors import RoundError
from crypto.keyholder.home import KeyHolder, load
from crypto.keyholder.log.points import PersistPoint
from crypto.keyholder.peers import Peer
from crypto.keyholder.station import Station
from crypto.manifest import context_of
from crypto.opening import OpenRequest
from crypto.sums.schemes import HOLDERS
from crypto.wire import SignedRecord, parse_object, unpack_frames
from server.keyholders import HolderEndpoint
from tests.unit.crypto.samples import generator
from tests.unit.server.mounted import Mounted

NUMBERS: Final = tuple(range(1, HOLDERS + 1))
_MAX_FRAME: Final = 1 << 28


class CrashError(BaseException):
    """The power went. Not an Exception: nothing that handles errors may catch it."""


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request that a key holder answered, with the bytes of both."""

    path: str
    request: bytes
    answer: bytes


class Holder(httpx.BaseTransport):
    """A key holder's app over its home; as a transport it is the coordinator's line to it.

    Attributes:
        heard: all that it answered.
        secrets: its round secrets by the hash of their round key, read from its disk.
        starts: how often it was started, which names the stream of its noise.
    """

    def __init__(self, home: Path, clock: Callable[[], float], neighbours: "Neighbours") -> None:
        self.home, self._clock, self._neighbours = home, clock, neighbours
        self.heard: list[Exchange] = []
        self.secrets: dict[str, bytes] = {}
        self.starts = 0
        self._deaths: dict[tuple[str, bool], int] = {}
        self._crash: PersistPoint | None = None
        self._station: Station | None = None
        self._mounted: Mounted | None = None
        self.start()
        self.number = self.me.number

    def start(self) -> None:
        """Start it from nothing but its disk."""
        self.stop()
        self.starts += 1
        self._deaths, self._crash = {}, None
        self._station = Station(
            load(self.home),
            clock=self._clock,
            source=self._neighbours,
            rng=generator(f"{self.home.name} {self.starts}"),
            reached=self._reach,
        )
        if self._mounted is None:
            self._mounted = Mounted.take(self._station)
            self._app = httpx.ASGITransport(app=self._mounted.app, raise_app_exceptions=False)
        self._mounted.station = self._station

    def stop(self) -> None:
        """It is gone, and what was in its memory with it."""
        if self._station is not None:
            self._station.close()
        self._station = None

    def leave(self) -> None:
        """It is gone for good."""
        self.stop()
        if self._mounted is not None:
            self._mounted.give_back()
        self._mounted = None

    def dies_before(self, path: str, *, nth: int = 1) -> None:
        """It is gone before it sees the nth next request for a step."""
        self._deaths[path, False] = nth

    def dies_after(self, path: str, *, nth: int = 1) -> None:
        """It is gone once it has answered the nth next one; nobody gets the answer."""
        self._deaths[path, True] = nth

    def crashes_at(self, point: PersistPoint) -> None:
        """The power goes once, when something has just reached the disk."""
        self._crash = point

    @property
    def up(self) -> bool:
        return self._station is not None

    @property
    def station(self) -> Station:
        assert self._station is not None, "this key holder is gone"
        return self._station

    @property
    def me(self) -> KeyHolder:
        return self.station.holder

    def _reach(self, point: PersistPoint) -> None:
        if point is PersistPoint.ROUND_SECRET:
            for file in self.home.glob("rounds/*/secret.key"):
                self.secrets[file.parent.name] = file.read_bytes()
        if point is self._crash:
            self._crash = None
            raise CrashError(point)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self._maybe_die(path, answered=False)
        if not self.up:
            raise httpx.ConnectError("nobody there")
        try:
            answer = asyncio.run(self._serve(request))
        except CrashError as error:
            self.stop()
            raise httpx.ReadError("it went away") from error
        if answer.status_code == httpx.codes.OK:
            self.heard.append(Exchange(path=path, request=request.read(), answer=answer.content))
        self._maybe_die(path, answered=True)
        return answer

    async def _serve(self, request: httpx.Request) -> httpx.Response:
        found = await self._app.handle_async_request(request)
        return httpx.Response(found.status_code, headers=found.headers, content=await found.aread())

    def _maybe_die(self, path: str, *, answered: bool) -> None:
        left = self._deaths.get((path, answered), 0)
        self._deaths[path, answered] = left - 1
        if left == 1:
            self.stop()
            raise httpx.ReadError("it went away")

    def endpoint(self) -> HolderEndpoint:
        """How the coordinator reaches it."""
        http = httpx.Client(transport=self, base_url=f"http://keyholder-{self.number}.test")
        return HolderEndpoint(number=self.number, http=http, identity=self.me.identity.public_key())

    def rows(self, query: str, *values: object) -> list[Any]:
        """Rows of its log, read beside it."""
        with closing(sqlite3.connect(self.home / "log.db")) as db:
            return db.execute(query, values).fetchall()

    def count(self, table: str, context: str) -> int:
        """How many rows of a round a table of its log has."""
        [(count,)] = self.rows(f"SELECT count(*) FROM {table} WHERE context = ?", context)
        return int(count)

    def logged(self, column: str, table: str, context: str) -> bytes:
        """What its log holds of a round."""
        [(data,)] = self.rows(f"SELECT {column} FROM {table} WHERE context = ?", context)
        return bytes(data)

    def state(self, round_id: str) -> str:
        [(state,)] = self.rows("SELECT state FROM rounds WHERE round = ?", round_id)
        return str(state)

    def answers(self, path: str, context: str) -> set[bytes]:
        """The different answers that it gave at a step of a round that has a context."""
        steps = [each for each in self.heard if each.path == path]
        return {each.answer for each in steps if name_of(each) == context}

    def files(self) -> Mapping[Path, bytes]:
        """Everything on its disk."""
        paths = [path for path in self.home.rglob("*") if path.is_file()]
        return {path: path.read_bytes() for path in paths}


class Neighbours:
    """How key holders ask each other for votes; who is gone or ``unreachable`` tells nobody."""

    def __init__(self) -> None:
        self.holders: dict[int, Holder] = {}
        self.unreachable: set[int] = set()

    def latest(self, peer: Peer, holder: int) -> SignedRecord | None:
        asked = self.holders[peer.number]
        if peer.number in self.unreachable or not asked.up:
            raise RoundError(f"Key holder {peer.number} could not be asked for votes.")
        found = asked.station.latest_vote(holder)
        return None if found is None else SignedRecord.from_bytes(found)


def name_of(exchange: Exchange) -> str:
    """Which round a request is for: its id before there is a manifest, then its context."""
    request = exchange.request
    if exchange.path == "/v1/round-keys":
        return str(parse_object(SignedRecord.from_bytes(request).body, what="request")["round"])
    if exchange.path == "/v1/accept":
        return context_of(SignedRecord.from_bytes(request))
    if exchange.path == "/v1/open":
        return context_of(OpenRequest.from_bytes(request).manifest)
    count = int.from_bytes(request[4:8], "little")
    first = unpack_frames(request, count=count, max_frame=_MAX_FRAME)[0]
    if exchange.path == "/v1/release":
        return str(parse_object(SignedRecord.from_bytes(first).body, what="vote")["context"])
    return first.decode()
