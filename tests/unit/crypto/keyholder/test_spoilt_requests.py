"""Honest requests with a few bytes changed: refused or answered, never the service's fault."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent.service.inprocess import InProcessTransport
from crypto.ingest import Batch
from crypto.keyholder.service import create_app
from crypto.wire import pack_frames
from tests.unit.crypto.keyholder.federation import (
    Federation,
    Ready,
)
from tests.unit.crypto.samples import NOW

POSTS = ("round-keys", "accept", "entry", "ingest", "vote", "release", "open")


@pytest.fixture(scope="module")
def station(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[httpx.Client, Ready]]:
    federation = Federation.make(tmp_path_factory.mktemp("fuzzed"))
    ready = federation.ready()
    app = create_app(federation.holder(1), clock=lambda: float(NOW), source=federation)
    with httpx.Client(transport=InProcessTransport(app), base_url="http://h.test") as http:
        yield http, ready


def honest(ready: Ready) -> dict[str, bytes]:
    """A good request for every route, to be spoilt."""
    made = ready.made
    batch = Batch(context=ready.context, submissions=(ready.clients[0].to(1),))
    records = [*made.keys, *made.accepts]
    return {
        "round-keys": made.record.to_bytes(),
        "accept": made.record.to_bytes(),
        "entry": pack_frames([ready.context.encode(), *(r.to_bytes() for r in records)]),
        "ingest": batch.to_bytes(),
        "vote": pack_frames(
            [ready.context.encode(), ready.commit.to_bytes(), ready.proposal.to_bytes()]
        ),
        "release": pack_frames([r.to_bytes() for r in made.accepts]),
        "open": pack_frames([made.record.to_bytes(), ready.commit.to_bytes(), b"share"]),
    }


def flipped(data: bytes, places: list[int], value: int) -> bytes:
    spoilt = bytearray(data)
    for place in places:
        spoilt[place % len(spoilt)] ^= value
    return bytes(spoilt)


SPOILERS: list[Callable[[bytes, list[int], int], bytes]] = [
    flipped,
    lambda data, places, _value: data[: places[0] % len(data)],
    lambda data, places, value: data + bytes([value] * (1 + places[0] % 9)),
    lambda data, places, _value: data[places[0] % len(data) :] + data,
]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    path=st.sampled_from(POSTS),
    spoil=st.sampled_from(range(len(SPOILERS))),
    places=st.lists(st.integers(0, 1 << 20), min_size=1, max_size=4),
    value=st.integers(1, 255),
)
def test_spoilt_requests_never_are_its_own_fault(
    station: tuple[httpx.Client, Ready], path: str, spoil: int, places: list[int], value: int
) -> None:
    """Honest bytes with a few of them changed: refused or answered, never status 500."""
    http, ready = station
    data = SPOILERS[spoil](honest(ready)[path], places, value)
    assert http.post(f"/v1/{path}", content=data).status_code in {200, 400, 409, 422}
