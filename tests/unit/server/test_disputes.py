"""Key holders that lie under their own signature: nothing is released, their words are kept."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from crypto.acceptance import Accept
from crypto.ballot import Vote, release_hash
from crypto.errors import RoundError, SealError
from crypto.ingest import Receipt
from crypto.opening import OpenRequest, decode_part, encode_part
from crypto.round_key import RoundKey
from crypto.sums.schemes import Scheme
from crypto.update import PartSum
from crypto.wire import SignedRecord, unpack_frames
from server.keyholders import HolderEndpoint
from server.registry import Registry
from server.share_opening import Opened
from tests.unit.client.stage import TASK
from tests.unit.server.stage import Scene, away_from

Change = Callable[[PartSum], PartSum]
LIAR = 2


def made(folder: Path, scheme: Scheme) -> Scene:
    return Scene.create(folder, clients=3, scheme=scheme)


@pytest.fixture(params=Scheme, ids=str)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    found = made(tmp_path, request.param)
    yield found
    found.close()


@pytest.fixture
def voted(tmp_path: Path) -> Iterator[Scene]:
    found = made(tmp_path, Scheme.COMPACT_SUM)
    yield found
    found.close()


def answering(
    scene: Scene, path: str, lie: Callable[[bytes, bytes], bytes], number: int = LIAR
) -> tuple[HolderEndpoint, ...]:
    """All key holders; one signs something else when asked for this."""
    honest = scene.federation.holders[number - 1]

    def answer(request: httpx.Request) -> httpx.Response:
        found = honest.http.post(request.url.path, content=request.content)
        if request.url.path != path:
            return found
        return httpx.Response(200, content=lie(request.content, found.content))

    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://liar.test")
    liar = replace(honest, http=http)
    return tuple(liar if h.number == number else h for h in scene.federation.holders)


def request_hash(scene: Scene, request: bytes) -> str:
    if not scene.scheme.votes:
        return OpenRequest.from_bytes(request).hash
    votes = unpack_frames(request, count=3, max_frame=1 << 16)
    return release_hash([SignedRecord.from_bytes(vote) for vote in votes])


def lying(scene: Scene, change: Change, number: int = LIAR) -> tuple[HolderEndpoint, ...]:
    """All key holders; one signs another part than it should."""
    identity = scene.holders[number - 1].identity

    def lie(request: bytes, honest: bytes) -> bytes:
        wanted = request_hash(scene, request)
        part = decode_part(honest, request_hash=wanted, identity=identity.public_key())
        return encode_part(change(part), wanted, identity)

    return answering(scene, scene.opening, lie, number)


def off_by_one(place: int) -> Change:
    def change(part: PartSum) -> PartSum:
        values = part.values.copy()
        values[place] = values[place] - 1 if values[place] else 1
        return replace(part, values=values)

    return change


@pytest.mark.parametrize("place", [0, -1], ids=["first value", "last value"])
@pytest.mark.parametrize("liar", [1, 2, 3])
def test_a_false_part_is_never_released(scene: Scene, liar: int, place: int) -> None:
    identities = [h.identity for h in scene.federation.holders]
    with pytest.raises(SealError, match="contradict") as told:
        scene.run(holders=lying(scene, off_by_one(place), liar))
    kept = scene.folder / "disputes" / TASK.name / "round-1"
    assert str(kept) in str(told.value)
    assert {path.name for path in kept.iterdir()} == {"part-1", "part-2", "part-3"}
    for number, identity in enumerate(identities, start=1):
        record, _ = unpack_frames(
            (kept / f"part-{number}").read_bytes(), count=2, max_frame=1 << 20
        )
        assert SignedRecord.from_bytes(record).verified("part-sum", identity)["holder"] == number
    assert scene.released() == []
    assert scene.federation.ledger.spent() == pytest.approx(scene.plan.epsilon())


def test_a_discarded_round_stays_discarded(scene: Scene) -> None:
    """Not even where the only one that could contradict the liar is away next time."""
    with pytest.raises(SealError, match="contradict"):
        scene.run(holders=lying(scene, off_by_one(0)))
    kept = {p: p.read_bytes() for p in (scene.folder / "disputes").rglob("part-*")}
    for gone in (1, 2, 3):
        holders = tuple(
            away_from(scene.opening, h) if h.number == gone else h for h in scene.federation.holders
        )
        with pytest.raises(RoundError, match=r"was discarded.*start a new run"):
            scene.run(holders=holders)
    with pytest.raises(RoundError, match="was discarded"):
        scene.run()
    assert scene.released() == []
    assert {p: p.read_bytes() for p in kept} == kept
    assert scene.run(round_id="round-2").record["clients"] == 3


def test_what_can_not_be_a_part_of_this_sum_counts_as_away(scene: Scene) -> None:
    """The other two agree: a round isn't lost to one key holder's broken answer."""
    lies: list[Change] = [
        lambda part: replace(part, context="00" * 32),
        lambda part: replace(part, values=part.values[:-2]),
        lambda part: replace(part, values=np.full_like(part.values, -1)),
    ]
    for number, lie in enumerate(lies):
        release = scene.run(holders=lying(scene, lie), round_id=f"round-{number}")
        assert release.record["opened_by"] == [1, 3]
        assert "SealError: A part sum " in release.record["key_holders_away"][LIAR]
    assert not (scene.folder / "disputes").exists()
    assert len(scene.released()) == len(lies)


def test_two_that_send_no_part_release_nothing_and_are_asked_again(scene: Scene) -> None:
    broken = lying(scene, lambda part: replace(part, values=part.values[:-2]))
    gone = (away_from(scene.opening, broken[0]), *broken[1:])
    with pytest.raises(RoundError, match=r"1 of 3 key holders opened.*SealError: A part sum"):
        scene.run(holders=gone)
    assert scene.released() == []
    assert scene.run().record["opened_by"] == [1, 2, 3]


def test_one_that_signs_as_another_number_counts_as_away(scene: Scene) -> None:
    release = scene.run(holders=lying(scene, lambda part: replace(part, holder=3)))
    assert release.record["opened_by"] == [1, 3]
    assert "signed as number 3" in release.record["key_holders_away"][LIAR]


@pytest.mark.parametrize(
    ("path", "step", "changes"),
    [
        ("/v1/round-keys", "making round keys", {"holder": 3}),
        ("/v1/round-keys", "making round keys", {"population": "elsewhere"}),
        ("/v1/round-keys", "making round keys", {"task": "item-item"}),
        ("/v1/accept", "accepting the manifest", {"holder": 3}),
        ("/v1/accept", "accepting the manifest", {"context": "00" * 32}),
        ("/v1/ingest", "checking uploads", {"holder": 3}),
        ("/v1/ingest", "checking uploads", {"context": "00" * 32}),
        ("/v1/vote", "voting on the list", {"holder": 3}),
        ("/v1/vote", "voting on the list", {"context": "00" * 32}),
    ],
)
def test_an_answer_under_another_number_or_for_another_round(
    voted: Scene, path: str, step: str, changes: dict[str, Any]
) -> None:
    kinds: dict[str, Any] = {
        "/v1/round-keys": RoundKey,
        "/v1/accept": Accept,
        "/v1/ingest": Receipt,
        "/v1/vote": Vote,
    }
    identity = voted.holders[LIAR - 1].identity

    def lie(_request: bytes, honest: bytes) -> bytes:
        found = kinds[path].verify(SignedRecord.from_bytes(honest), identity.public_key())
        signed: SignedRecord = replace(found, **changes).sign(identity)
        return signed.to_bytes()

    with pytest.raises(RoundError, match=rf"2 of 3 .* {step}, all are needed.*{{2: .*another"):
        voted.run(holders=answering(voted, path, lie))
    assert voted.released() == []
    # What it signed was not kept: the round goes on once it is honest.
    assert voted.run().record["clients"] == 3


def test_an_entry_of_an_earlier_round(voted: Scene) -> None:
    earlier: list[bytes] = []

    def keep(_request: bytes, honest: bytes) -> bytes:
        earlier.append(honest)
        return honest

    voted.run(holders=answering(voted, "/v1/entry", keep))
    replaying = answering(voted, "/v1/entry", lambda _request, _honest: earlier[0])
    with pytest.raises(RoundError, match=r"adding noise.*something else than its noise entry"):
        voted.run(holders=replaying, round_id="round-2")
    assert len(voted.released()) == 1


def test_half_a_dispute_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash while the parts are written: they are asked for again, and contradict again."""
    registry = Registry(tmp_path / "releases")
    parts = tuple(PartSum(holder=k, context="c", values=np.zeros(2, np.int64)) for k in (1, 3))
    opened = Opened(parts=parts, signed=(b"one", b"three"), refusals={2: "away"})

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", die)
        with pytest.raises(KeyboardInterrupt):
            registry.dispute("popularity", "round-1", opened)
    registry.check_undisputed("popularity", "round-1")
    place = registry.dispute("popularity", "round-1", opened)
    assert {p.name: p.read_bytes() for p in place.iterdir()} == {
        "part-1": b"one",
        "part-3": b"three",
    }
    with pytest.raises(RoundError, match=str(place)):
        registry.check_undisputed("popularity", "round-1")
    registry.check_undisputed("popularity", "round-2")
    registry.check_undisputed("item-item", "round-1")
